"""Moving averages.

Simple: `SMA[t] = (x[t-n+1] + ... + x[t]) / n`; first value at index n - 1.

Exponential: `EMA[t] = EMA[t-1] + k * (x[t] - EMA[t-1])` with `k = 2 / (n + 1)`, seeded with the simple average of the
first n values at index n - 1 (as TA-Lib does in its default, "classic" mode).

How the sums are made: a running sum that adds the newest and subtracts the oldest value collects rounding errors for
ever, and after one large value it stays wrong. Here the series is cut into blocks of n; a window is the end of one
block and the beginning of the next, so its sum is one suffix sum plus one prefix sum: nothing is ever subtracted, the
error stays below n roundings, and each value costs the same, however long the window.
"""

from math import nan
from operator import add

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators import _compiled
from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, over_windows, padded, skip, usable
from atrader.indicators._smoothing import Seed, exponential
from atrader.indicators._windows import Window


def sma(values: ArrayLike, period: int) -> FloatArray:
    """Return the simple moving average.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series, oldest first.
    period : int
        Bars in the average, at least 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first `period - 1` values. Costs a few ns a value, without the compiled form some 30 to 60.

    Raises
    ------
    ValueError
        If `period` or `values` cannot be used.
    """
    period = check_period("period", period, 1)
    (series,) = usable(values=values)
    length = np.shape(values)[0]
    if len(series) < period:
        return np.full(length, nan)
    out = np.empty(length)
    first = length - len(series) + period - 1
    out[:first] = nan
    window_sums(series, period, out[first:])
    out[first:] /= period
    return out


def ema(values: ArrayLike, period: int) -> FloatArray:
    """Return the exponential moving average, seeded with the simple average of the first `period` values.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series, oldest first.
    period : int
        Bars of the average, at least 1.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first `period - 1` values. A recurrence: a few ns a value, without the compiled form 0.1 us.

    Raises
    ------
    ValueError
        If `period` or `values` cannot be used.
    """
    period = check_period("period", period, 1)
    (series,) = usable(values=values)
    return padded(exponential(series, period), np.shape(values)[0])


def window_sums(series: FloatArray, period: int, out: FloatArray | None = None) -> FloatArray:
    """Return the sums of all windows of `period` values, shape (max(0, n - period + 1),)."""
    if _compiled.is_there and len(series) >= period:
        out = np.empty(len(series) - period + 1) if out is None else out
        _compiled.recurrences.window_sums(np.ascontiguousarray(series), period, out)
        return out
    sums = over_windows(np.add, -0.0, series, period)
    if out is None:
        return sums
    out[:] = sums
    return out


@updated_quickly
class Sma(Window):
    """Simple moving average, bar by bar; the pair of `sma`.

    Parameters
    ----------
    period : int
        Bars in the average, at least 1.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, -0.0)

    def update(self, value: float) -> float:
        """Take the next value; return the average, NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        return self._take(value, add, -0.0) / self.period


@updated_quickly
class Ema:
    """Exponential moving average, bar by bar; the pair of `ema`.

    Parameters
    ----------
    period : int
        Bars of the average, at least 1.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_k", "_last", "_seed", "period")

    def __init__(self, period: int) -> None:
        self.period = check_period("period", period, 1)
        self._k = 2.0 / (self.period + 1)
        self._seed = Seed(self.period)
        self._last = nan

    def update(self, value: float) -> float:
        """Take the next value; return the average, NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        if value - value != 0.0:
            return skip(self._seed.started, value)
        last = self._last
        if last == last:
            self._last = (value - last) * self._k + last
        else:
            self._last = self._seed.update(value)
        return self._last
