"""True range and average true range.

J. Welles Wilder Jr., "New Concepts in Technical Trading Systems" (1978), section III, pp. 21-23:

    TR[t]  = the largest of  high[t] - low[t],  |high[t] - close[t-1]|,  |low[t] - close[t-1]|
           = max(high[t], close[t-1]) - min(low[t], close[t-1])
    ATR[t] = (ATR[t-1] * (n - 1) + TR[t]) / n

The first bar has no close before it and therefore no true range. The first ATR is the mean of the first n true
ranges, at index n.
"""

from math import nan

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, skip, usable
from atrader.indicators._smoothing import Wilder, wilder


def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> FloatArray:
    """Return the true range of each bar, in price.

    Parameters
    ----------
    high, low, close : array_like of float, shape (n,)
        The bars, oldest first.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first bar.

    Raises
    ------
    ValueError
        If a column cannot be used.
    """
    out = np.full(np.shape(close)[0], nan)
    highs, lows, closes = usable(high=high, low=low, close=close)
    if len(closes):
        ranges(highs, lows, closes, out[len(out) - len(closes) + 1 :])
    return out


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> FloatArray:
    """Return Wilder's average true range, in price.

    Parameters
    ----------
    high, low, close : array_like of float, shape (n,)
        The bars, oldest first.
    period : int, default 14
        Bars of the average, at least 1 (then it is the true range). 14 is Wilder's own choice.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first `period` bars. A recurrence: some 6 ns a bar, without the compiled form 0.1 us.

    Raises
    ------
    ValueError
        If `period` or a column cannot be used.
    """
    period = check_period("period", period, 1)
    return _averaged(ranges(*usable(high=high, low=low, close=close)), period, np.shape(close)[0])


def average_of(true_ranges: FloatArray, period: int) -> FloatArray:
    """Return `atr` from what `true_range` returned, which does not depend on the period."""
    (values,) = usable(true_ranges=true_ranges)
    return _averaged(values, check_period("period", period, 1), len(true_ranges))


def _averaged(values: FloatArray, period: int, length: int) -> FloatArray:
    """Return the averages of the last values of a column of `length`, NaN before them."""
    return wilder(values, period, length - max(0, len(values) - period + 1))


def ranges(high: FloatArray, low: FloatArray, close: FloatArray, out: FloatArray | None = None) -> FloatArray:
    """Return the true ranges of all bars but the first, shape (max(0, n - 1),)."""
    before = close[:-1]
    top = np.maximum(high[1:], before, out=out)
    return np.subtract(top, np.minimum(low[1:], before), out=top)


@updated_quickly
class Atr:
    """Average true range, bar by bar; the pair of `atr`.

    Parameters
    ----------
    period : int, default 14
        Bars of the average, at least 1.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_average", "_close", "period")

    def __init__(self, period: int = 14) -> None:
        self.period = check_period("period", period, 1)
        self._average = Wilder(self.period)
        self._close = nan

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar; return the average, NaN for the first `period` bars.

        Raises
        ------
        ValueError
            If a price is not finite (leading bars with NaN are skipped).
        """
        last = self._close
        if (high - high) + (low - low) + (close - close) != 0.0:
            return skip(last == last, high, low, close)
        self._close = close
        if last != last:
            return nan
        return self._average.update((high if high > last else last) - (low if low < last else last))
