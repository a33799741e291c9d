"""Highest and lowest value of the last n values, the newest among them; first value at index n - 1.

As in `moving_averages` the series is cut into blocks of n: a window is the end of one block and the beginning of the
next, so its extreme is that of one suffix and one prefix, and each value costs the same, however long the window.

A zero that is returned has no sign: which of two is found differs by processor.
"""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, over_windows, padded, usable
from atrader.indicators._windows import Window


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
    return _extremes(np.maximum, -inf, values, period)


def lowest(values: ArrayLike, period: int) -> FloatArray:
    """Return the lowest of the last values; else as `highest`."""
    return _extremes(np.minimum, inf, values, period)


def _extremes(join: np.ufunc, nothing: float, values: ArrayLike, period: int) -> FloatArray:
    period = check_period("period", period, 1)
    (series,) = usable(values=values)
    return padded(over_windows(join, nothing, series, period) + 0.0, np.shape(values)[0])


@updated_quickly
class Highest(Window):
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

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, -inf)

    def update(self, value: float) -> float:
        """Take the next value; return the highest, NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        return self._take(value, max, -inf) + 0.0


@updated_quickly
class Lowest(Window):
    """Lowest of the last values, bar by bar; the pair of `lowest`. Parameters and errors as those of `Highest`."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, inf)

    def update(self, value: float) -> float:
        """Take the next value; return the lowest, NaN for the first `period - 1` values; raises as `Highest`."""
        return self._take(value, min, inf) + 0.0
