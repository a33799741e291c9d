"""Periods cut into blocks, half of which are the sample: what is best there, and what it is in the other half.

Compiled where there was a compiler; either way it is the same to the last bit.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.compiled_parts import are_current
from atrader.statistics.trades import Floats

try:
    from research.statistics import _splits as compiled

    is_compiled = are_current(compiled)
except ImportError:  # built where there is no compiler
    is_compiled = False

Masks = NDArray[np.uint32]
_AT_ONCE: Final = 1 << 17  # keys in work at a time: more, and it waits for memory


class Blocks(NamedTuple):
    """Returns of trials, summed up over blocks of periods.

    Attributes
    ----------
    sums, squares : ndarray of float64, shape (blocks, trials)
        Of the returns, and of their squares.
    lengths : ndarray of float64, shape (blocks,)
        Periods.
    """

    sums: Floats
    squares: Floats
    lengths: Floats


class Crossed(NamedTuple):
    """What was found in some splits; each has two sides, as each half is once the sample.

    Attributes
    ----------
    best : ndarray of int64, shape (splits, 2)
        Trial with the highest Sharpe ratio in the sample, the first of them.
    ranks : ndarray of float64, shape (splits, 2)
        Of it in the other half, from 1 (worst); those that tie share their mean.
    moments : ndarray of float64, shape (splits, 2, 4)
        Of it: sum and sum of squares in the sample, and in the other half.
    """

    best: NDArray[np.int64]
    ranks: Floats
    moments: Floats

    @classmethod
    def empty(cls, splits: int) -> Crossed:
        """Return room for so many splits."""
        return cls(np.empty((splits, 2), np.int64), np.empty((splits, 2)), np.empty((splits, 2, 4)))

    def part(self, splits: slice) -> Crossed:
        """Return the room of some of them."""
        return Crossed(self.best[splits], self.ranks[splits], self.moments[splits])


def cross(blocks: Blocks, masks: Masks, out: Crossed) -> None:
    """Choose in each half of each split what is best there, and look it up in the other half.

    Trials are ordered as their Sharpe ratios order them, by ``sum * abs(sum) / squares``: that rises with the ratio, at
    one division each. One that does not vary but for rounding counts as 0.

    Parameters
    ----------
    masks : ndarray of uint32, shape (splits,)
        Bit k tells whether block k is in the sample. Quickest where neighbours differ in their last blocks only.
    out : Crossed
        Where to put it. The GIL is released where it was compiled.
    """
    (compiled.cross if is_compiled else plain_cross)(*blocks, masks, *out)


def plain_cross(
    sums: Floats,
    squares: Floats,
    lengths: Floats,
    masks: Masks,
    best: NDArray[np.int64],
    ranks: Floats,
    moments: Floats,
) -> None:
    """Do what `cross` does, in numpy."""
    step = max(_AT_ONCE // sums.shape[1], 1)
    for first in range(0, len(masks), step):
        part = slice(first, first + step)
        is_in = (masks[part, None] >> np.arange(len(lengths), dtype=np.uint32) & 1).astype(np.bool_)
        both = [_half(sums, squares, lengths, chosen) for chosen in (is_in, ~is_in)]
        rows = np.arange(len(is_in))
        for side, (within, without) in enumerate((both, both[::-1])):
            choice = within[2].argmax(axis=1)
            found = without[2][rows, choice][:, None]
            best[part, side] = choice
            below, upto = (np.count_nonzero(places, axis=1) for places in (without[2] < found, without[2] <= found))
            ranks[part, side] = (below + upto + 1) / 2
            for number, column in enumerate((*within[:2], *without[:2])):
                moments[part, side, number] = column[rows, choice]


def _half(sums: Floats, squares: Floats, lengths: Floats, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Return the sums of the chosen blocks, in their order, and the keys; shape (splits, trials)."""
    places = np.nonzero(chosen)[1].reshape(len(chosen), -1)
    total, square = sums[places[:, 0]], squares[places[:, 0]]
    for column in places.T[1:]:
        total += sums[column]
        square += squares[column]
    share = 1.0 / (chosen @ lengths)[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        varies = square - total * total * share > square * 1e-12  # no, where squares overflow: keys are never NaN
        key = total * np.abs(total) / square
    key[~varies] = 0.0
    return total, square, key
