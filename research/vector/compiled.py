"""Runs of the compiled execution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from research.vector import built
from research.vector.decisions import Decisions
from research.vector.outcome import Days, Outcome
from research.vector.prices import Prices, Ticks
from research.vector.schedule import Schedule
from research.vector.settings import Settings
from research.vector.workspace import Workspace


def run(
    settings: Settings,
    prices: Prices,
    decisions: Decisions,
    schedule: Schedule,
    rates: NDArray[np.float64] | None,
    workspace: Workspace,
    extremes: tuple[int, int],
    slips: Ticks | None,
) -> Outcome:
    """Run to the end, given the lowest bid and the highest ask; the GIL is released meanwhile."""
    trade_room = int(np.count_nonzero(decisions.entry))
    # A trade is opened and closed once, takes each of its targets once, and pays at most every day.
    fill_room = trade_room * (2 + settings.targets) + len(schedule.bar) * settings.most_trades
    trades, fills = workspace.room(trade_room, fill_room)
    market = settings.record, prices.columns, schedule[:-1], schedule.halted, rates
    told = decisions.columns, trades, fills, extremes, slips
    trade_count, fill_count, balance, refused = built.kernel.run(*market, *told)
    return Outcome(trades=trades[:trade_count], fills=fills[:fill_count], balance=balance, refused=refused)


def run_days(
    settings: Settings,
    prices: Prices,
    decisions: Sequence[Decisions],
    schedule: Schedule,
    rates: NDArray[np.float64] | None,
    scales: tuple[float, float, float, float],
    ends: Ticks,
) -> Days:
    """Run all of them side by side, day after day; the GIL is released meanwhile."""
    equity, counts = np.empty((len(decisions), len(ends))), np.empty((len(decisions), 2), np.int64)
    wanted = tuple(one.columns for one in decisions)
    market = settings.record, prices.columns, schedule[:-1], schedule.halted, rates
    built.kernel.run_days(*market, wanted, scales, np.ascontiguousarray(ends, np.int32), equity, counts)
    return Days(equity=equity, opened=counts[:, 0], closed=counts[:, 1])
