"""How far prices went against open trades, and for them (J. Sweeney, *Maximum Adverse Excursion*, 1997)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.market import Bars
from atrader.statistics.trades import Floats, Times


class TradePrices(NamedTuple):
    """Trades of one instrument as columns; all arrays have shape ``(n,)``.

    Attributes
    ----------
    is_long : ndarray of bool
    open_ns, close_ns : ndarray of int64
        UTC ns; an open trade is given the end of what was played.
    open_price, close_price : ndarray of float64
        As filled; NaN where a trade is open.
    """

    is_long: NDArray[np.bool_]
    open_ns: Times
    close_ns: Times
    open_price: Floats
    close_price: Floats


class Excursions(NamedTuple):
    """Distances from the opening price, price units, never negative; shape ``(n,)``.

    Attributes
    ----------
    adverse : ndarray of float64
        Largest distance against the trade (MAE).
    favourable : ndarray of float64
        Largest distance for it (MFE).
    """

    adverse: Floats
    favourable: Floats


def excursions(trades: TradePrices, bars: Bars, end_ns: ArrayLike) -> Excursions:
    """Measure trades over the bars they were open in.

    Long trades are measured at the bid, short ones at the ask: where they could be closed. Bars in which a trade opens
    or closes count whole, since what came first inside a bar is not known: use the finest bars there are. A trade that
    opens with the last quote of a bar, or on its end, opens in the next one; one that closes there closes in that bar.

    Parameters
    ----------
    bars : Bars
        Of the instrument, covering the trades.
    end_ns : array_like of int64, shape (m,)
        End of each bar, UTC.

    Raises
    ------
    ValueError
        When there are no bars, as many ends as bars are not given, or a trade closes before it opens.
    """
    ends = np.asarray(end_ns, np.int64)
    if not len(bars) or len(ends) != len(bars):
        raise ValueError(f"bars: expected one or more, each with an end, was {len(bars)} with {len(ends)}")
    if (trades.close_ns < trades.open_ns).any():
        raise ValueError("trades: one closes before it opens")
    last = len(bars) - 1
    # The last quote of a bar is its last nanosecond, see `atrader.bar_quotes`.
    first = np.searchsorted(ends - 1, trades.open_ns, side="right")
    until = np.minimum(np.searchsorted(ends, trades.close_ns), last)
    lows = _over(np.minimum, np.stack([bars.low, bars.ask_low]), first, until)
    highs = _over(np.maximum, np.stack([bars.high, bars.ask_high]), first, until)
    # The fills themselves: slippage can be worse than any bar says, and some trades see no bar at all.
    low = np.fmin(np.where(trades.is_long, *lows), trades.close_price)
    high = np.fmax(np.where(trades.is_long, *highs), trades.close_price)
    fell, rose = np.fmax(trades.open_price - low, 0.0), np.fmax(high - trades.open_price, 0.0)
    return Excursions(np.where(trades.is_long, fell, rose), np.where(trades.is_long, rose, fell))


def _over(extreme: np.ufunc, values: Floats, first: NDArray[np.intp], until: NDArray[np.intp]) -> Floats:
    """Return the extreme of each row of values between two places, both included; NaN where nothing is between them."""
    found = np.full((len(values), len(first)), np.nan)
    some = np.flatnonzero(first <= until)
    if len(some):
        # reduceat goes from each place to the next: every second stretch is a trade's. One value more, so that a trade
        # may last to the end.
        padded = np.concatenate([values, values[:, -1:]], axis=1)
        places = np.stack([first[some], until[some] + 1], axis=1).ravel()
        found[:, some] = extreme.reduceat(padded, places, axis=1)[:, ::2]
    return found
