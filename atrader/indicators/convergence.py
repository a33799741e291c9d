"""Moving average convergence-divergence.

G. Appel, "Technical Analysis: Power Tools for Active Investors" (2005), chapter 8; the method is his of the 1970s:

    MACD = EMA(fast) - EMA(slow),   signal = EMA(MACD, signal),   histogram = MACD - signal

Seeds as in TA-Lib: both averages have their first value at index `slow - 1`, so the fast one is seeded with the
`fast` values before it, not with the first of the series; the signal line is seeded with the mean of its first
`signal` values. All three lines begin with the signal line, at index `slow + signal - 2`.
"""

from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, padded, skip, usable
from atrader.indicators._smoothing import exponential
from atrader.indicators.moving_averages import Ema


class MacdLines(NamedTuple):
    """The three lines of `macd`, each a float64 array of the length of the input."""

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


def macd(values: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> MacdLines:
    """Return the MACD line, its signal line and their difference.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series (closes), oldest first.
    fast, slow, signal : int, default 12, 26, 9
        Bars of the averages: `fast` at least 2, `slow` above `fast`, `signal` at least 1. The defaults are the usual
        ones.

    Returns
    -------
    MacdLines
        NaN for the first `slow + signal - 2` values of each line. Three recurrences, some 50 ns a value,
        without the compiled form 0.25 us.

    Raises
    ------
    ValueError
        If a parameter or `values` cannot be used.
    """
    fast, slow, signal = _check_periods(fast, slow, signal)
    (series,) = usable(values=values)
    length = np.shape(values)[0]
    line = exponential(series[slow - fast :], fast) - exponential(series, slow)
    average = exponential(line, signal)
    line = line[signal - 1 :]
    return MacdLines(padded(line, length), padded(average, length), padded(line - average, length))


def _check_periods(fast: int, slow: int, signal: int) -> tuple[int, int, int]:
    fast = check_period("fast", fast, 2)
    return fast, check_period("slow", slow, fast + 1), check_period("signal", signal, 1)


@updated_quickly
class Macd:
    """Moving average convergence-divergence, bar by bar; the pair of `macd`.

    Parameters
    ----------
    fast, slow, signal : int, default 12, 26, 9
        Bars of the averages: `fast` at least 2, `slow` above `fast`, `signal` at least 1.

    Raises
    ------
    ValueError
        If a parameter cannot be used.
    """

    __slots__ = ("_fast", "_held_back", "_signal", "_slow", "fast", "signal", "slow")

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self.fast, self.slow, self.signal = _check_periods(fast, slow, signal)
        self._fast, self._slow, self._signal = Ema(self.fast), Ema(self.slow), Ema(self.signal)
        self._held_back = self.slow - self.fast  # values that the fast average must still not see

    def update(self, value: float) -> tuple[float, float, float]:
        """Take the next value; return (line, signal, histogram), NaN for the first `slow + signal - 2` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        if value - value != 0.0:
            return skip(self._held_back < self.slow - self.fast, value), nan, nan
        slow = self._slow.update(value)
        if self._held_back:
            self._held_back -= 1
            return nan, nan, nan
        fast = self._fast.update(value)
        if slow != slow:
            return nan, nan, nan
        line = fast - slow
        average = self._signal.update(line)
        return (line, average, line - average) if average == average else (nan, nan, nan)
