"""What all indicators share: checked parameters, checked input, padded output."""

import operator
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_FEW = 4_096  # rows among which the first number is nearly always


def check_period(name: str, period: int, minimum: int) -> int:
    """Return `period` as int.

    Raises
    ------
    ValueError
        If it is no whole number or below `minimum`; the message begins with `name`.
    """
    try:
        number = operator.index(period)
    except TypeError:
        number = minimum - 1
    if number < minimum or isinstance(period, bool):
        raise ValueError(f"{name}: expected a whole number of bars, at least {minimum}, was {period!r}")
    return number


def usable(**columns: ArrayLike) -> list[FloatArray]:
    """Return the columns as float64 without the leading rows in which any of them is NaN.

    Raises
    ------
    ValueError
        If a column is not one-dimensional, their lengths differ, or a row after the first usable one is not finite;
        the message names the column.
    """
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
    length = len(next(iter(arrays.values()))) if all(array.ndim == 1 for array in arrays.values()) else -1
    for name, array in arrays.items():
        if array.ndim != 1 or len(array) != length:
            shapes = ", ".join(f"{other} {value.shape}" for other, value in arrays.items())
            raise ValueError(f"{name}: expected one-dimensional columns of one length, was {shapes}")
    first = max((_leading_nans(array) for array in arrays.values()), default=0)
    for name, array in arrays.items():
        finite = np.isfinite(array[first:])
        if not finite.all():
            index = first + int(np.argmin(finite))
            raise ValueError(f"{name}: expected finite numbers after the first, was {array[index]} at index {index}")
    return [array[first:] for array in arrays.values()]


def _leading_nans(array: FloatArray) -> int:
    if not len(array) or array[0] == array[0]:
        return 0
    few = array[:_FEW] == array[:_FEW]
    numbers = few if few.any() else array == array
    return int(np.argmax(numbers)) if numbers.any() else len(array)


def padded(values: FloatArray, length: int) -> FloatArray:
    """Return `values` at the end of an array of `length`, NaN before them."""
    out = np.empty(length)
    out[: length - len(values)] = nan
    out[length - len(values) :] = values
    return out


def skip(started: bool, *values: float) -> float:
    """Answer an update with a value that is not finite: NaN before the first number, an error after it.

    Raises
    ------
    ValueError
        If the indicator has `started`, or a value is infinite.
    """
    if started or any(abs(value) == float("inf") for value in values):
        raise ValueError(f"value: expected finite numbers after the first, was {values}")
    return nan


def over_windows(reduce: np.ufunc, neutral: float, series: FloatArray, period: int) -> FloatArray:
    """Return a reduction of all windows of `period` values, shape (max(0, n - period + 1),).

    A window is the end of one block of `period` values and the beginning of the next, so that each result depends on
    the values of its window and on where blocks begin, never on all that came before.

    Parameters
    ----------
    reduce : ufunc
        Such as ``np.add`` or ``np.maximum``.
    neutral : float
        What changes no result: -0 for sums.
    """
    length = len(series)
    if length < period:
        return np.empty(0)
    blocks = np.full((-(-length // period), period), neutral)
    blocks.ravel()[:length] = series
    ends = reduce.accumulate(blocks, axis=1)  # ends[b, j]: from the beginning of block b to j
    starts = reduce.accumulate(blocks[:, ::-1], axis=1)[:, ::-1]  # starts[b, j]: from j to the end of block b
    reduce(ends[1:, :-1], starts[:-1, 1:], out=ends[1:, :-1])  # the last column is a whole block already
    return ends.ravel()[period - 1 : length]
