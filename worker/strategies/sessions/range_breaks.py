"""How a range is left: breakouts that bars confirm, and such that fail."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atrader.market import Bars
from atrader.orders.model import Side
from worker.strategies.sessions.day_filters import DayFacts


def confirmed_breakout(facts: DayFacts, bars: Bars, confirm_bars: int, buffer_frac: float) -> Side | None:
    """Return the side of a breakout, at the bar that confirms it and at no later one.

    Parameters
    ----------
    bars : Bars
        Since the range ended; the last one is looked at.
    confirm_bars : int
        How many bars close beyond the edge, one after the other.
    buffer_frac : float
        How far beyond the edge, in ranges.
    """
    if len(bars) < confirm_bars:
        return None
    buffer = buffer_frac * facts.size
    closes = bars.close[-confirm_bars - 1 :]
    if _is_new(closes > facts.high + buffer, confirm_bars):
        return "buy"
    return "sell" if _is_new(closes < facts.low - buffer, confirm_bars) else None


def _is_new(beyond: NDArray[np.bool_], confirm_bars: int) -> bool:
    """Tell whether the last bars are all beyond, and the one before them, if there is one, is not."""
    return bool(beyond[-confirm_bars:].all()) and (len(beyond) == confirm_bars or not beyond[0])


def failed_breakout(facts: DayFacts, bars: Bars) -> Side | None:
    """Return the side against a breakout that failed: the last bar closes inside again, it or the one before was out.

    A bar that was beyond both edges says nothing.
    """
    recent = bars[-2:]
    close = bars.close[-1]
    if not facts.low < close < facts.high:
        return None
    above = bars.high[-1] > facts.high or recent.close[0] > facts.high
    below = bars.low[-1] < facts.low or recent.close[0] < facts.low
    if above == below:
        return None
    return "sell" if above else "buy"


def reached(price: float, bars: Bars, side: Side) -> bool:
    """Tell whether bars reached a price on the way up (before a sell) or down (before a buy)."""
    extreme = np.max(bars.high) if side == "sell" else np.min(bars.low)
    return bool(extreme >= price if side == "sell" else extreme <= price)
