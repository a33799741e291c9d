"""Whether bars go on from those that the library was passed: then the last two of them are all that is written.

In numpy here, and compiled where there was a compiler, many times as fast: `roll` is what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from atrader.compiled_parts import are_current


def roll_in_numpy(
    rows: NDArray[np.int64], passed: NDArray[np.int64], first: int, size: int, /, *columns: NDArray[Any]
) -> int | None:
    """Compare bars with those that were passed; write the last two when they go on from those.

    Equal is what has equal bits.

    Parameters
    ----------
    rows : ndarray of int64, shape (room, 6)
        Memory of `framework_bridge.abi.structures.RATES`; the library's own time of the last bar is left to the caller.
    passed : ndarray of int64, shape (6, room)
        The same bars as `columns`: so they are compared three times as fast as they would be row by row.
    first, size : int
        Where they begin, and how many there are, 2 or more; there is room for one behind them.
    *columns : ndarray of 8-byte values, shape (n,), n >= size
        Open times (UTC ns), open, high, low, close, volume; the last `size` count. The last bar is the unfinished one.

    Returns
    -------
    int or None
        By how many bars they moved on, 0 or 1; None, and nothing is written, when they did otherwise, or a value was
        revised before the bar that was unfinished.
    """
    now = [column[-size:] for column in columns]
    moved = int(now[0][-1] != passed[0, first + size - 1])
    begin, end = first + moved, first + moved + size
    for place, column in enumerate(now):
        known = size - 1 - (moved if place else 0)
        if column[:known].tobytes() != passed[place, begin : begin + known].tobytes():  # nothing else is as fast
            return None
    last = np.array([column[-2:].view(np.int64) for column in now])
    passed[:, end - 2 : end], rows[end - 2 : end, :-1] = last, last[1:].T
    return moved


def _fastest() -> Callable[..., int | None]:
    try:
        from framework_bridge.abi import _rolling
    except ImportError:  # built where there is no compiler
        return roll_in_numpy
    return _rolling.roll if are_current(_rolling) else roll_in_numpy


roll: Final = _fastest()
