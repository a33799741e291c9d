"""Averages of ticks and where they cross: once for many runs.

Sums are whole numbers, so an average crosses another exactly where it does, however long the history; a running sum of
float64 is a bar off now and then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from research.vector import built
from research.vector.prices import Prices, Ticks

Floats = NDArray[np.float64]
Crossings = tuple[NDArray[np.int32], NDArray[np.int8]]
"""Bars, rising, and the side to which the first crossed the second there: +1 above, -1 below."""

_LONGEST = 2**21  # bars whose sum is exact as float64, whatever the ticks are


def moving_average(ticks: Ticks, period: int, out: Floats | None = None) -> Floats:
    """Return the simple moving average of ticks, shape (n,); NaN for the first ``period - 1`` bars.

    Parameters
    ----------
    ticks : ndarray of int32, shape (n,)
        Prices of a column of `Prices`.
    period : int
        Bars, at least 1.
    out : ndarray of float64, shape (n,), optional
        Where to put it: memory that was used before costs less than new one.

    Raises
    ------
    ConfigError
        When the period is no whole number above 0.
    """
    _check_periods(period)
    if out is None:
        out = np.empty(len(ticks))
    if built.is_there:
        built.columns.moving_average(ticks, period, out)
        return out
    out[: period - 1] = np.nan
    if len(ticks) >= period:
        np.divide(_sums(ticks, period), period, out=out[period - 1 :])
    return out


def average_range(prices: Prices, period: int, out: Floats | None = None) -> Floats:
    """Return Wilder's average true range of the bids in ticks, shape (n,); NaN for the first `period` bars.

    The bits of `atrader.indicators.atr` over the same ticks.

    Parameters
    ----------
    prices : Prices
        The bars.
    period : int
        Bars, at least 1.
    out : ndarray of float64, shape (n,), optional
        Where to put it.

    Raises
    ------
    ConfigError
        When the period is no whole number above 0.
    """
    _check_periods(period)
    if out is None:
        out = np.empty(len(prices))
    columns = prices.bid_high, prices.bid_low, prices.bid_close
    if built.is_there:
        built.columns.average_range(*columns, period, out)
    else:
        from atrader.indicators import atr  # all of them: not where it was compiled

        out[:] = atr(*columns, period)
    return out


def crossings(fast: Floats, slow: Floats) -> Crossings:
    """Return where one column crosses another: ``>`` now and ``<=`` one bar before, or ``<`` and ``>=``.

    Bars at which either is NaN, and the first one after such, are no crossings.

    Parameters
    ----------
    fast, slow : ndarray of float64, shape (n,)
        Any two columns.
    """
    if fast.shape != slow.shape or fast.ndim != 1:
        raise ConfigError(f"crossings: expected two columns of one length, were {fast.shape} and {slow.shape}")
    if built.is_there:
        return _grown(len(fast), partial(built.columns.crossings, fast, slow))
    side = (fast > slow).astype(np.int8) - (fast < slow).astype(np.int8)
    known = (side != 0) | (fast == slow)
    return _changes(side, known)


def average_crossings(ticks: Ticks, fast: int, slow: int) -> Crossings:
    """Return where the simple average over `fast` bars crosses that over `slow` ones, without making either.

    Parameters
    ----------
    ticks : ndarray of int32, shape (n,)
        Prices.
    fast, slow : int
        Bars, at least 1.

    Raises
    ------
    ConfigError
        When a period is no whole number above 0.
    """
    _check_periods(fast, slow)
    if built.is_there:
        return _grown(len(ticks), partial(built.columns.average_crossings, ticks, fast, slow))
    longest = max(fast, slow)
    if len(ticks) < longest:
        return np.empty(0, np.int32), np.empty(0, np.int8)
    totals = _totals(ticks)
    apart = totals[longest:] - totals[longest - fast : len(totals) - fast]
    apart *= slow
    apart -= (totals[longest:] - totals[longest - slow : len(totals) - slow]) * fast
    bars, side = _changes(np.sign(apart).astype(np.int8), None)
    return bars + np.int32(longest - 1), side


def grid_crossings(ticks: Ticks, pairs: Sequence[tuple[int, int]]) -> list[Crossings]:
    """Return where the averages of each pair of periods (fast, slow) cross: what `average_crossings` gives for each.

    Each average is made once and stays in the cache while its pairs are compared; no column is ever whole in memory.

    Raises
    ------
    ConfigError
        When a period is no whole number above 0.
    """
    periods = sorted({period for pair in pairs for period in pair})
    _check_periods(*periods)
    if not (built.is_there and max(periods, default=1) <= _LONGEST):
        columns = {period: moving_average(ticks, period) for period in periods}
        return [crossings(columns[fast], columns[slow]) for fast, slow in pairs]
    place = {period: number for number, period in enumerate(periods)}
    places = np.array([(place[fast], place[slow]) for fast, slow in pairs], np.int32).reshape(-1)
    counts, room = np.empty(len(pairs), np.int64), len(ticks) // 32 + 16
    while True:
        bars, sides = np.empty((len(pairs), room), np.int32), np.empty((len(pairs), room), np.int8)
        built.columns.grid_crossings(ticks, np.array(periods, np.int64), places, bars, sides, counts)
        if not len(pairs) or counts.max() <= room:
            return [(bars[at, :found], sides[at, :found]) for at, found in enumerate(counts.tolist())]
        room = int(counts.max())


def _totals(ticks: Ticks) -> NDArray[np.int64]:
    totals = np.empty(len(ticks) + 1, np.int64)
    totals[0] = 0
    np.cumsum(ticks, out=totals[1:])
    return totals


def _sums(ticks: Ticks, period: int) -> NDArray[np.int64]:
    totals = _totals(ticks)
    sums: NDArray[np.int64] = totals[period:] - totals[:-period]
    return sums


def _changes(side: NDArray[np.int8], known: NDArray[np.bool_] | None) -> Crossings:
    changed = side[1:] != side[:-1]
    changed &= side[1:] != 0
    if known is not None:
        changed &= known[1:] & known[:-1]
    bars = np.flatnonzero(changed) + 1
    return bars.astype(np.int32), side[bars]


def _grown(count: int, find: Callable[[NDArray[np.int32], NDArray[np.int8]], int]) -> Crossings:
    """Call with arrays that are rarely too small, and again with larger ones if they were."""
    room = count // 16 + 16
    while True:
        bars, sides = np.empty(room, np.int32), np.empty(room, np.int8)
        found = find(bars, sides)
        if found <= room:
            return bars[:found], sides[:found]
        room = found


def _check_periods(*periods: int) -> None:
    for period in periods:
        if int(period) != period or period < 1:
            raise ConfigError(f"period: expected a whole number of bars, at least 1, was {period!r}")
