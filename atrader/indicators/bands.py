"""Bollinger bands.

J. Bollinger, "Bollinger on Bollinger Bands" (2001), part II:

    middle = simple average of n values,   upper, lower = middle +- d * sigma
    sigma  = sqrt(((x[t-n+1] - middle)^2 + ... + (x[t] - middle)^2) / n)       (of the population, not of a sample)

First value at index n - 1.

The squares are summed around the mean of each window. The usual short cut `mean(x^2) - mean(x)^2` subtracts two large
numbers that agree in most digits: at a price of 50,000 and a sigma of 0.01 nothing of the result is left. So the cost
grows with n: about 2 ns times n a value over arrays; bar by bar 1 ns times n, without the compiled form 60.
"""

from math import isfinite, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, padded, usable
from atrader.indicators.moving_averages import Sma, window_sums

_CHUNK = 8_192  # values that stay in the first cache level while the window is walked over them


class BollingerBands(NamedTuple):
    """The three lines of `bollinger`, each a float64 array of the length of the input."""

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray


def bollinger(values: ArrayLike, period: int = 20, deviations: float = 2.0) -> BollingerBands:
    """Return the bands of `deviations` standard deviations around the simple average.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The series (closes), oldest first.
    period : int, default 20
        Bars in the average, at least 2. 20 and 2.0 are Bollinger's own choices.
    deviations : float, default 2.0
        Distance of the bands in standard deviations, above 0.

    Returns
    -------
    BollingerBands
        NaN for the first `period - 1` values of each line.

    Raises
    ------
    ValueError
        If a parameter or `values` cannot be used.
    """
    period = check_period("period", period, 2)
    deviations = _check_deviations(deviations)
    (series,) = usable(values=values)
    length = np.shape(values)[0]
    middle = window_sums(series, period) / period
    distance = deviations * _window_sigma(series, middle, period)
    return BollingerBands(padded(middle + distance, length), padded(middle, length), padded(middle - distance, length))


def _check_deviations(deviations: float) -> float:
    if not (isfinite(deviations) and deviations > 0.0):
        raise ValueError(f"deviations: expected a positive number, was {deviations!r}")
    return float(deviations)


def _window_sigma(series: FloatArray, middle: FloatArray, period: int) -> FloatArray:
    squares = np.zeros(len(middle))
    for start in range(0, len(middle), _CHUNK):
        means = middle[start : start + _CHUNK]
        total = squares[start : start + _CHUNK]
        term = np.empty(len(means))
        for offset in range(start, start + period):
            np.subtract(series[offset : offset + len(means)], means, out=term)
            np.multiply(term, term, out=term)
            total += term
    return np.sqrt(squares / period)


@updated_quickly
class Bollinger:
    """Bollinger bands, bar by bar; the pair of `bollinger`.

    Parameters
    ----------
    period : int, default 20
        Bars in the average, at least 2.
    deviations : float, default 2.0
        Distance of the bands in standard deviations, above 0.

    Raises
    ------
    ValueError
        If a parameter cannot be used.
    """

    __slots__ = ("_average", "_window", "deviations", "period")

    def __init__(self, period: int = 20, deviations: float = 2.0) -> None:
        self.period = check_period("period", period, 2)
        self.deviations = _check_deviations(deviations)
        self._average = Sma(self.period)
        self._window: list[float] = []

    def update(self, value: float) -> tuple[float, float, float]:
        """Take the next value; return (upper, middle, lower), NaN for the first `period - 1` values.

        Raises
        ------
        ValueError
            If the value is not finite (leading NaN are skipped).
        """
        middle = self._average.update(value)
        window = self._window
        if value == value:
            window.append(value)
            if len(window) > self.period:
                del window[0]
        if middle != middle:
            return nan, nan, nan
        squares = 0.0
        for x in window:
            term = x - middle
            squares += term * term
        distance = self.deviations * sqrt(squares / self.period)
        return middle + distance, middle, middle - distance
