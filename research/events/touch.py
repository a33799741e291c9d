"""The first row of quotes that reaches a level, compiled where there was a compiler; either way it is the same row."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.compiled_parts import are_current

try:
    from research.events import _touch as compiled

    is_compiled = are_current(compiled)
except ImportError:  # built where there is no compiler
    is_compiled = False

Floats = NDArray[np.float64]


def plain_first_touch(
    first: int,
    end: int,
    bid_low: Floats,
    bid_high: Floats,
    ask_low: Floats,
    ask_high: Floats,
    low_bid: float,
    high_bid: float,
    low_ask: float,
    high_ask: float,
    /,
) -> int:
    """Return the first row in ``[first, end)`` whose quotes reach a level; ``end`` when none does.

    Parameters
    ----------
    bid_low, bid_high, ask_low, ask_high : ndarray of float64, shape (n,)
        Extremes of the quotes of each row.
    low_bid, high_bid, low_ask, high_ask : float
        What reaches: bids at or below, bids at or above, asks at or below, asks at or above; infinite ones too.
    """
    found = end
    for reaches, column, level in (
        (np.less_equal, bid_low, low_bid),
        (np.greater_equal, bid_high, high_bid),
        (np.less_equal, ask_low, low_ask),
        (np.greater_equal, ask_high, high_ask),
    ):
        reached = np.flatnonzero(reaches(column[first:found], level))
        if len(reached):
            found = first + int(reached[0])
    return found


first_touch: Final = compiled.first_touch if is_compiled else plain_first_touch
"""The same, whichever there is."""
