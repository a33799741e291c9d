"""Plain decimal numbers, a whole column at once, to the same float64 as one by one."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from data_layer.files.times import Cells

_MOST_DIGITS: Final = 15
"""So many digits make an integer that float64 holds exactly; dividing it by an exact power of ten rounds once, so the
result is the nearest float64, which is what reading the text gives."""


def read_decimals(cells: Cells) -> NDArray[np.float64] | None:
    """Read cells of digits with at most one point; None when one is something else or has more than 15 digits."""
    widths = cells.ends - cells.starts
    found = np.empty(len(widths), np.float64)
    for width in np.unique(widths):
        if not 0 < width <= _MOST_DIGITS + 1:
            return None
        rows = np.flatnonzero(widths == width)
        matrix = cells.matrix(rows, int(width))
        is_point = matrix == ord(".")
        points = np.where(is_point.any(axis=1), is_point.argmax(axis=1), width)
        for point in np.unique(points):
            same = points == point
            values = _read_aligned(matrix if same.all() else matrix[same], int(point))
            if values is None:
                return None
            found[rows[same]] = values
    return found


def _read_aligned(matrix: NDArray[np.uint8], point: int) -> NDArray[np.float64] | None:
    """Read cells of one width with the point at one place (or at the end: none)."""
    width = matrix.shape[1]
    places = [place for place in range(width) if place != point]
    if not 0 < len(places) <= _MOST_DIGITS:
        return None
    total = np.zeros(len(matrix), np.int64)
    for place in places:
        digit = matrix[:, place] - np.uint8(ord("0"))
        if int(digit.max()) > 9:
            return None
        total *= 10
        total += digit
    values: NDArray[np.float64] = total / 10.0 ** max(0, width - point - 1)
    return values
