"""A range strategy killed at any bar of its day, on the files a worker keeps: its next life trades the same day."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from atrader.clock import NS_PER_S, MarketClock
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.orders.model import Intent
from atrader.view import View
from broker_api.client import BrokerClient
from tests.support.live_context import Told, alone
from tests.support.session_bars import config_of, placed, walk
from worker.bar_window import BarWindow
from worker.checkpoint import Checkpoint, CheckpointFile
from worker.desk import Desk

EURUSD = KNOWN["EUR/USD"]
BAR_NS = 300 * NS_PER_S
BEFORE, RANGE = [1.0810] * 4, [1.0815, 1.0820, 1.0810, 1.0800, 1.0812, 1.0818]
# Out at 10:10, back in, and out again.
BARS = walk("2024-06-04T09:10-04:00", "5m", [*BEFORE, *RANGE, 1.0819, 1.0825, 1.0815, 1.0826, 1.0827], spread=0.0001)
IN_THE_RANGE = 7


def life(folder: Path, first: int, last: int, seen: Bars = BARS) -> tuple[list[Intent], Told]:
    """Let a worker's strategy handle some bars, with those before them fetched at its start; then it is killed."""
    strategy = placed("morning-range", EURUSD, "5m", trend_bars=2)
    config = config_of("morning-range", EURUSD, "5m")
    file = CheckpointFile(folder / "one.checkpoint")
    memory, _ = file.load("one", 1)
    told, view, clock = Told(), View(), MarketClock(0)
    desk = Desk(cast(BrokerClient, None), view, memory.n, lambda: True)
    strategy.context = context = alone(config, clock, desk, view, told)
    context.state = memory.state
    window = BarWindow(strategy.warmup_bars)
    window.fill(seen[:first])
    strategy.on_start()
    for row in range(first, last):
        bar = seen.row(row)
        window.append(bar)
        context.history = window.bars
        clock.advance(bar.open_time_ns + BAR_NS)
        context.deciding(f"5m|{bar.open_time_ns}", bar.open_time_ns + BAR_NS)
        strategy.on_bar(bar)
        context.deciding(None)
        kept = Checkpoint("one", 1, bar.open_time_ns, desk.n, context.state, number=memory.number + row)
        file.save(kept)
    return list(desk.waiting), told


def gist(intents: list[Intent]) -> list[object]:
    return [(one.n, one.side, one.stop_loss, one.decision, one.time_ns) for one in intents]


@pytest.mark.parametrize("cut", range(1, len(BARS)))
def test_a_day_cut_anywhere_is_traded_as_the_whole_one(tmp_path: Path, cut: int) -> None:
    whole, told = life(tmp_path / "whole", 0, len(BARS))
    assert len(whole) == 1, "the second way out is not the day's first entry"
    before, told_before = life(tmp_path / "cut", 0, cut)
    after, told_after = life(tmp_path / "cut", cut, len(BARS))
    assert gist(before + after) == gist(whole)
    assert told_before.signals + told_after.signals == told.signals


def test_bars_that_came_while_the_worker_was_away_belong_to_the_range(tmp_path: Path) -> None:
    life(tmp_path, 0, IN_THE_RANGE)  # the low of 9:45 came later
    (order,), told = life(tmp_path, IN_THE_RANGE + 2, len(BARS))
    assert order.stop_loss is not None
    assert float(order.stop_loss) == pytest.approx(1.0800)
    assert next(values for name, _, values in told.signals if name == "range")["low"] == 1.0800


def test_a_range_does_not_change_when_its_bars_are_revised_after_a_restart(tmp_path: Path) -> None:
    life(tmp_path, 0, 11)  # 10:05: the range is known
    revised = BARS[:]
    revised.high = BARS.high.copy()
    revised.high[5] = 1.0900
    (order,), _ = life(tmp_path, 11, len(BARS), revised)
    assert order.side == "buy"
