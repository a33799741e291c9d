"""Where simple averages cross, row by row: no average is ever whole in memory."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.indicators import _compiled
from atrader.indicators._series import FloatArray

Crossings = tuple[NDArray[np.int64], NDArray[np.int8]]
"""Rows, rising, and the side to which the fast average went there: 1 above, -1 below."""

_STRETCH: Final = 32_768  # rows that are worked on in one go
_NOTHING: Final = np.empty(0, np.int64), np.empty(0, np.int8)


def crossings_of_totals(totals: FloatArray | NDArray[np.int64], fast: int, slow: int) -> Crossings:
    """Return the rows at which one simple average crosses another: above now and not before, or below.

    The averages are those of `sma` to the last bit, where the totals are exact.

    Parameters
    ----------
    totals : ndarray of float64 or int64, shape (n + 1,)
        Sums of the first 0, 1, 2 ... of n whole numbers; float64 is faster, and exact below 2**53.
    fast, slow : int
        Bars of the averages, the first below the second.
    """
    if _compiled.is_there and totals.dtype == np.float64:
        return _compiled_crossings(totals, fast, slow)
    firsts = range(slow, len(totals) - 1, _STRETCH)  # the first row whose row before has both averages
    parts = [_crossed(totals, first, min(first + _STRETCH, len(totals) - 1), fast, slow) for first in firsts]
    if not parts:
        return _NOTHING
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _compiled_crossings(totals: FloatArray | NDArray[np.int64], fast: int, slow: int) -> Crossings:
    room = len(totals) // 16 + 16
    while True:
        rows, sides = np.empty(room, np.int64), np.empty(room, np.int8)
        found = _compiled.recurrences.average_crossings(totals, fast, slow, rows, sides)
        if found <= room:
            return rows[:found], sides[:found]
        room = found


def _crossed(totals: FloatArray | NDArray[np.int64], first: int, end: int, fast: int, slow: int) -> Crossings:
    """Return the crossings in the rows from `first` to `end`; all of it stays in the cache of the processor."""
    ends = totals[first : end + 1]
    quick, calm = ((ends - totals[first - n : end + 1 - n]) / n for n in (fast, slow))
    above, below = quick > calm, quick < calm
    up, down = above[1:] > above[:-1], below[1:] > below[:-1]
    rows = np.flatnonzero(up | down)
    return rows + first, up[rows].astype(np.int8) - down[rows]
