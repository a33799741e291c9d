"""Highest and lowest value of the last n values, the newest among them; first value at index n - 1.

As in `moving_averages` the series is cut into blocks of n: a window is the end of one block and the beginning of the
next, so its extreme is that of one suffix and one prefix, and each value costs the same, however long the window.
"""

from __future__ import annotations

from collections import deque
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._series import FloatArray, check_period, over_windows, padded, skip, usable


def highest(values: ArrayLike, period: int) -> FloatArray:
    """Return the highest of the last values.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series, oldest first.
    period : int
        Values in the window, at least 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first `period - 1` values.

    Raises
    ------
    ValueError
        If `period` or `values` cannot be used.
    """
    period = check_period("period", period, 1)
    (series,) = usable(values=values)
    return padded(over_windows(np.maximum, -np.inf, series, period), np.shape(values)[0])


def lowest(values: ArrayLike, period: int) -> FloatArray:
    """Return the lowest of the last values; else as `highest`."""
    return -highest(-np.asarray(values, dtype=np.float64), period)


class Highest:
    """Highest of the last values, bar by bar; the pair of `highest`.

    Parameters
    ----------
    period : int
        Values in the window, at least 1.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_candidates", "_seen", "period")

    def __init__(self, period: int) -> None:
        self.period = check_period("period", period, 1)
        self._seen = 0
        self._candidates: deque[tuple[int, float]] = deque()  # falling values that may still be the highest

    def update(self, value: float) -> float:
        """Take the next value; return the highest, NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        if value - value != 0.0:
            return skip(bool(self._seen), value)
        candidates = self._candidates
        while candidates and candidates[-1][1] <= value:
            candidates.pop()
        candidates.append((self._seen, value))
        self._seen += 1
        if candidates[0][0] + self.period < self._seen:
            candidates.popleft()
        return candidates[0][1] if self._seen >= self.period else nan


class Lowest:
    """Lowest of the last values, bar by bar; the pair of `lowest`. Parameters and errors as those of `Highest`."""

    __slots__ = ("_mirrored", "period")

    def __init__(self, period: int) -> None:
        self._mirrored = Highest(period)
        self.period = self._mirrored.period

    def update(self, value: float) -> float:
        """Take the next value; return the lowest, NaN for the first `period - 1` values; raises as `Highest`."""
        return -self._mirrored.update(-value)
