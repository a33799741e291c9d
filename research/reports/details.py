"""What a report draws: trades, and long series in the points that a picture of them needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.clock import NS_PER_S
from research.events.equity import EquityCurve
from research.events.tape import Tape
from research.reports.thinning import extremes, stretches
from research.reports.trades import Columns
from research.statistics.periods import PeriodReturns

Floats = NDArray[np.float64]

CURVE_STRETCHES: Final = 480
"""Stretches of an equity curve; each keeps its lowest and highest value and its deepest drawdown."""
PRICE_STRETCHES: Final = 480
"""Stretches of a price chart; each keeps lowest, highest and last price."""
RECENT_TRADES: Final = 40
"""Trades that are drawn one by one, in a price chart of their own."""


def details(
    trades: Columns, curve: EquityCurve, tapes: Sequence[Tape], initial: float, days: PeriodReturns
) -> dict[str, Any]:
    """Return it as JSON can hold it; times are UTC seconds.

    Parameters
    ----------
    trades : mapping of str to sequence
        Plain columns, in the order they were opened.
    initial : float
        Balance before the first step, account currency.
    days : PeriodReturns
        The same curve by days.
    """
    symbols = set(trades.get("instrument", ()))
    return {
        "trades": trades,
        "equity": _equity(curve, initial),
        "exposure": _exposure(curve),
        "days": {"time_s": _seconds(days.end_ns), "return_frac": _rounded(days.returns, 8)},
        "prices": {tape.symbol: _prices(tape, trades) for tape in tapes if tape.symbol in symbols},
    }


def _equity(curve: EquityCurve, initial: float) -> dict[str, list[float]]:
    peaks = np.maximum(np.maximum.accumulate(curve.equity), initial)
    falls = np.maximum(curve.equity / peaks - 1, -1.0)  # a ruined account has lost all it had, and no more
    starts = stretches(curve.time_ns, CURVE_STRETCHES)
    places = np.union1d(extremes(curve.equity, starts), extremes(falls, starts))
    return {
        "time_s": _seconds(curve.time_ns[places]),
        "balance": _rounded(curve.balance[places]),
        "equity": _rounded(curve.equity[places]),
        "drawdown_frac": _rounded(falls[places], 6),
    }


def _exposure(curve: EquityCurve) -> dict[str, list[float]]:
    """Return for each stretch the most that was held on either side, as a share of the equity, and when it began."""
    starts = stretches(curve.time_ns, CURVE_STRETCHES)
    worth = np.where(curve.equity > 0, curve.equity, np.nan)
    with np.errstate(invalid="ignore"):
        shares = [np.nan_to_num(side / worth) for side in (curve.long, curve.short)]
    long, short = (np.maximum.reduceat(share, starts) for share in shares)
    return {
        "time_s": _seconds(curve.time_ns[starts]),
        "long_frac": _rounded(long, 4),
        "short_frac": _rounded(short, 4),
    }


def _prices(tape: Tape, trades: Columns) -> dict[str, dict[str, list[float]]]:
    """Return the bid over the whole period, and round the latest trades of an instrument."""
    mine = [place for place, symbol in enumerate(trades["instrument"]) if symbol == tape.symbol][-RECENT_TRADES:]
    first, last = tape.end_ns[0], tape.end_ns[-1]
    opened_ns = trades["open_time_ns"][mine[0]]
    closed_ns = max(trades["close_time_ns"][place] or last for place in mine)
    margin_ns = max((closed_ns - opened_ns) // 20, int(np.median(np.diff(tape.end_ns[:1000]))) if len(tape) > 1 else 0)
    around = np.searchsorted(tape.end_ns, [max(opened_ns - margin_ns, first), min(closed_ns + margin_ns, last)])
    return {
        "whole": _stretched(tape, 0, len(tape)),
        "recent": _stretched(tape, int(around[0]), int(around[1]) + 1),
    }


def _stretched(tape: Tape, begin: int, end: int) -> dict[str, list[float]]:
    starts = begin + stretches(tape.end_ns[begin:end], PRICE_STRETCHES)
    lasts = np.append(starts[1:], end) - 1
    bids, _ = tape.closes()
    return {
        "time_s": _seconds(tape.end_ns[lasts]),
        "low": _rounded(np.minimum.reduceat(tape.bid_low[:end], starts), 8),
        "high": _rounded(np.maximum.reduceat(tape.bid_high[:end], starts), 8),
        "close": _rounded(bids[lasts], 8),
    }


def _seconds(times_ns: NDArray[np.int64]) -> list[float]:
    found: list[float] = (times_ns // NS_PER_S).tolist()
    return found


def _rounded(values: Floats, digits: int = 4) -> list[float]:
    found: list[float] = np.round(values, digits).tolist()
    return found
