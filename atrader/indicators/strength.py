"""Relative strength index.

J. Welles Wilder Jr., "New Concepts in Technical Trading Systems" (1978), section VI, pp. 63-70:

    RSI = 100 - 100 / (1 + RS),   RS = average gain / average loss

Gains and losses are the rises and falls from close to close. Their averages begin with the mean of the first n and go
on as `(last * (n - 1) + new) / n`. Computed as `100 * gain / (gain + loss)`, which is the same and has no division by
a zero loss. Where nothing has moved at all the ratio does not exist; the value is 0 then, as in TA-Lib. First value
at index n.
"""

from math import nan

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, padded, skip, usable
from atrader.indicators._smoothing import Wilder, wilder


def rsi(values: ArrayLike, period: int = 14) -> FloatArray:
    """Return the relative strength index, 0 to 100.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series (closes), oldest first.
    period : int, default 14
        Bars of the averages, at least 2. 14 is Wilder's own choice.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN for the first `period` values. Two recurrences, some 30 ns a value, without the compiled
        form 0.2 us.

    Raises
    ------
    ValueError
        If `period` or `values` cannot be used.
    """
    period = check_period("period", period, 2)
    (series,) = usable(values=values)
    change = np.diff(series)
    gain = wilder(np.maximum(change, 0.0), period)
    both = gain + wilder(np.maximum(-change, 0.0), period)
    out = np.zeros(len(gain))
    np.divide(gain, both, out=out, where=both != 0.0)
    return padded(100.0 * out, np.shape(values)[0])


@updated_quickly
class Rsi:
    """Relative strength index, bar by bar; the pair of `rsi`.

    Parameters
    ----------
    period : int, default 14
        Bars of the averages, at least 2.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_gain", "_last", "_loss", "period")

    def __init__(self, period: int = 14) -> None:
        self.period = check_period("period", period, 2)
        self._gain = Wilder(self.period)
        self._loss = Wilder(self.period)
        self._last = nan

    def update(self, value: float) -> float:
        """Take the next value; return the index, NaN for the first `period` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        last = self._last
        if value - value != 0.0:
            return skip(last == last, value)
        self._last = value
        if last != last:
            return nan
        change = value - last
        gain = self._gain.update(change if change > 0.0 else 0.0)
        both = gain + self._loss.update(-change if change < 0.0 else 0.0)
        return 100.0 * (gain / both) if both else 0.0
