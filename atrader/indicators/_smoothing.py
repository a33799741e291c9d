"""Recurrences over arrays, and the seeds with which smoothed indicators begin.

Each value of a recurrence needs the one before it, so numpy cannot do it in one call without changing the order of the
operations, and with it the last digits. It is compiled where there was a compiler, a few ns a value, and else a Python
loop, about 0.1 us a value, over pieces of the array: a list of a million floats would cost more in memory traffic than
the arithmetic does.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from math import nan

import numpy as np

from atrader.indicators import _compiled
from atrader.indicators._compiled import updated_quickly
from atrader.indicators._series import FloatArray, padded

_PIECE = 4_096


def floats(series: FloatArray) -> Iterator[float]:
    """Yield the values as Python floats, which are several times faster to compute with than numpy scalars."""
    return chain.from_iterable(series[start : start + _PIECE].tolist() for start in range(0, len(series), _PIECE))


def recurrence(values: Iterable[float], count: int) -> FloatArray:
    """Return `count` values of a recurrence as an array."""
    return np.fromiter(values, dtype=np.float64, count=count)


def first_sum(series: FloatArray, count: int) -> float:
    """Return the sum of the first `count` values, added one after the other as the incremental form must."""
    return float(np.cumsum(series[:count])[-1])


def exponential(series: FloatArray, period: int) -> FloatArray:
    """Return `last + k * (x - last)`, k = 2 / (n + 1), from its seed on, shape (max(0, length - period + 1),)."""
    if len(series) < period:
        return np.empty(0)
    seed = first_sum(series, period) / period
    if _compiled.is_there:
        out = np.empty(len(series) - period + 1)
        _compiled.recurrences.exponential(np.ascontiguousarray(series), period, seed, out)
        return out

    def steps(last: float, k: float) -> Iterator[float]:
        yield last
        for x in floats(series[period:]):
            last = (x - last) * k + last
            yield last

    return recurrence(steps(seed, 2.0 / (period + 1)), len(series) - period + 1)


def wilder(series: FloatArray, period: int, before: int = 0) -> FloatArray:
    """Return `(last * (n - 1) + x) / n` from its seed on, shape (before + max(0, length - period + 1),).

    The first values, so many as there are to be `before` them, are NaN: room that would else be copied to.
    """
    count = max(0, len(series) - period + 1)
    if not count:
        return np.full(before, nan)
    seed = first_sum(series, period) / period
    if _compiled.is_there:
        out = np.empty(before + count)
        out[:before] = nan
        _compiled.recurrences.wilder(np.ascontiguousarray(series), period, seed, out[before:])
        return out

    def steps(last: float, kept: float, whole: float) -> Iterator[float]:
        yield last
        for x in floats(series[period:]):
            last = (last * kept + x) / whole
            yield last

    return padded(recurrence(steps(seed, float(period - 1), float(period)), count), before + count)


class Seed:
    """The mean of the first `period` values, value by value."""

    __slots__ = ("_missing", "_period", "_total")

    def __init__(self, period: int) -> None:
        self._period = period
        self._missing = period
        self._total = -0.0  # which keeps the sign of a zero

    @property
    def started(self) -> bool:
        """Whether a value came in."""
        return self._missing < self._period

    def update(self, value: float) -> float:
        """Take the next value; return the mean when it was the last one needed, else NaN."""
        self._total += value
        self._missing -= 1
        return nan if self._missing else self._total / self._period


@updated_quickly
class Wilder:
    """The pair of `wilder`, value by value."""

    __slots__ = ("_kept", "_last", "_period", "_seed")

    def __init__(self, period: int) -> None:
        self._period = float(period)
        self._kept = float(period - 1)
        self._seed = Seed(period)
        self._last = nan

    def update(self, value: float) -> float:
        """Take the next (finite) value; return the average, NaN for the first `period - 1` values."""
        last = self._last
        self._last = (last * self._kept + value) / self._period if last == last else self._seed.update(value)
        return self._last
