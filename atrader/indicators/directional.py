"""Directional movement: +DI, -DI and ADX.

J. Welles Wilder Jr., "New Concepts in Technical Trading Systems" (1978), section IV, pp. 35-47:

    up = high[t] - high[t-1],  down = low[t-1] - low[t]
    +DM = up if up > down and up > 0, else 0;   -DM = down if down > up and down > 0, else 0
    S[t] = S[t-1] - S[t-1] / n + x[t]           for +DM, -DM and the true range
    +DI = 100 * S(+DM) / S(TR),   -DI = 100 * S(-DM) / S(TR)
    DX  = 100 * |(+DI) - (-DI)| / ((+DI) + (-DI))
    ADX[t] = (ADX[t-1] * (n - 1) + DX[t]) / n

Seeds as in TA-Lib: S begins as the sum over the bars 1 to n - 1, so DI begin at index n; the first ADX is the mean of
the first n DX, at index 2n - 1. Where no range exists DI is 0; where DX does not exist it counts 0 in the first mean,
and leaves ADX as it was afterwards.
"""

from collections.abc import Iterator
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.indicators import _compiled
from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, check_period, padded, skip, usable
from atrader.indicators._smoothing import Seed, first_sum, floats, recurrence
from atrader.indicators.volatility import ranges


class DirectionalMovement(NamedTuple):
    """The three lines of `adx`, each a float64 array of the length of the input, 0 to 100."""

    adx: FloatArray
    plus_di: FloatArray
    minus_di: FloatArray


def adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> DirectionalMovement:
    """Return the average directional index with both directional indicators.

    Parameters
    ----------
    high, low, close : array_like of float, shape (n,)
        The bars, oldest first.
    period : int, default 14
        Bars of the averages, at least 2. 14 is Wilder's own choice.

    Returns
    -------
    DirectionalMovement
        `adx` is NaN for the first `2 * period - 1` bars, `plus_di` and `minus_di` for the first `period`. Four
        recurrences, some 0.12 us a bar, without the compiled form 0.4.

    Raises
    ------
    ValueError
        If `period` or a column cannot be used.
    """
    period = check_period("period", period, 2)
    highs, lows, closes = usable(high=high, low=low, close=close)
    length = np.shape(close)[0]
    up, down = np.diff(highs), -np.diff(lows)
    span = _wilder_sums(ranges(highs, lows, closes), period)
    plus = _share(_wilder_sums(np.where((up > down) & (up > 0.0), up, 0.0), period), span)
    minus = _share(_wilder_sums(np.where((down > up) & (down > 0.0), down, 0.0), period), span)
    average = _average_index(plus, minus, period)
    return DirectionalMovement(padded(average, length), padded(plus, length), padded(minus, length))


def _wilder_sums(series: FloatArray, period: int) -> FloatArray:
    """Return Wilder's decaying sums from the n-th value on; the first n - 1 values are the seed."""
    if len(series) < period:
        return np.empty(0)
    seed, count = first_sum(series, period - 1), len(series) - period + 1
    if _compiled.is_there:
        out = np.empty(count)
        _compiled.recurrences.wilder_sums(np.ascontiguousarray(series), period, seed, out)
        return out

    def steps(last: float, n: float) -> Iterator[float]:
        for x in floats(series[period - 1 :]):
            last = last - last / n + x
            yield last

    return recurrence(steps(seed, float(period)), count)


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    out = np.zeros(len(part))
    np.divide(part, whole, out=out, where=whole != 0.0)
    return 100.0 * out


def _average_index(plus: FloatArray, minus: FloatArray, period: int) -> FloatArray:
    if len(plus) < period:
        return np.empty(0)
    both = plus + minus
    index = np.full(len(both), nan)
    np.divide(np.abs(minus - plus), both, out=index, where=both != 0.0)
    index *= 100.0
    seed, count = first_sum(np.nan_to_num(index[:period], nan=0.0), period) / period, len(both) - period + 1
    if _compiled.is_there:
        out = np.empty(count)
        _compiled.recurrences.wilder_known(index, period, seed, out)
        return out

    def steps(last: float, kept: float, n: float) -> Iterator[float]:
        yield last
        for dx in floats(index[period:]):
            if dx == dx:
                last = (last * kept + dx) / n
            yield last

    return recurrence(steps(seed, float(period - 1), float(period)), count)


@updated_quickly
class Adx:
    """Average directional index with both indicators, bar by bar; the pair of `adx`.

    Parameters
    ----------
    period : int, default 14
        Bars of the averages, at least 2.

    Raises
    ------
    ValueError
        If `period` cannot be used.
    """

    __slots__ = ("_adx", "_bars", "_close", "_high", "_low", "_minus", "_plus", "_seed", "_span", "period")

    def __init__(self, period: int = 14) -> None:
        self.period = check_period("period", period, 2)
        self._bars = 0  # bars seen until averages are there; the first only opens the comparison
        self._high = self._low = self._close = nan
        self._plus = self._minus = self._span = 0.0
        self._seed = Seed(self.period)
        self._adx = nan

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Take the next bar; return (ADX, +DI, -DI).

        ADX is NaN for the first `2 * period - 1` bars, the others for the first `period`.

        Raises
        ------
        ValueError
            If a price is not finite (leading bars with NaN are skipped).
        """
        if (high - high) + (low - low) + (close - close) != 0.0:
            return skip(self._bars > 0, high, low, close), nan, nan
        last, period = self._close, self.period
        up, down = high - self._high, self._low - low
        self._high, self._low, self._close = high, low, close
        if self._bars <= period:
            self._bars += 1
        if self._bars == 1:
            return nan, nan, nan
        plus, minus, span = self._plus, self._minus, self._span
        if self._bars > period:
            plus -= plus / period
            minus -= minus / period
            span -= span / period
        if up > down and up > 0.0:
            plus += up
        elif down > up and down > 0.0:
            minus += down
        span += (high if high > last else last) - (low if low < last else last)
        self._plus, self._minus, self._span = plus, minus, span
        if self._bars <= period:
            return nan, nan, nan
        plus, minus = (100.0 * (plus / span), 100.0 * (minus / span)) if span else (0.0, 0.0)
        self._smooth(plus, minus)
        return self._adx, plus, minus

    def _smooth(self, plus: float, minus: float) -> None:
        both = plus + minus
        if self._adx != self._adx:
            self._adx = self._seed.update(100.0 * (abs(minus - plus) / both) if both else 0.0)
        elif both:
            self._adx = (self._adx * (self.period - 1) + 100.0 * (abs(minus - plus) / both)) / self.period
