"""The probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

D. Bailey, J. Borwein, M. López de Prado and Q. Zhu, *The Probability of Backtest Overfitting*, Journal of Computational
Finance 20(4), 2017. The periods are cut into blocks; every choice of half of them is once the sample, the rest is what
follows. In each split the combination that is best in sample is looked up in the ranking out of sample: when it lies in
the lower half as often as not, choosing the best was worth nothing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.statistics.trades import Floats
from research.statistics.splits import Blocks, Crossed, Masks, cross
from research.statistics.trials import checked_matrix, ratios_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

_AT_ONCE: Final = 256  # splits that a thread looks at in one go
_MOST_BLOCKS: Final = 20  # 184,756 splits


class Overfitting(NamedTuple):
    """What cross-validation says about choosing the best combination.

    Attributes
    ----------
    probability : float
        Share of the splits in which the best in sample is in the lower half out of sample (PBO). About 0.5 when no
        combination is better than another, near 0 when one really is.
    loss_probability : float
        Share of the splits in which the best in sample has a Sharpe ratio below the threshold out of sample.
    slope, intercept : float
        Of the line through the best ratios in sample (x) and what they were out of sample (y): how they degrade.
    adjusted_r2 : float
        How well that line fits.
    logits : ndarray of float64, shape (splits,)
        ``log(w / (1 - w))`` of the relative rank w = rank / (combinations + 1) out of sample, best = largest.
    chosen : ndarray of int64, shape (splits,)
        Best combination in sample.
    in_sample, out_of_sample : ndarray of float64, shape (splits,)
        Its Sharpe ratios, per period.
    """

    probability: float
    loss_probability: float
    slope: float
    intercept: float
    adjusted_r2: float
    logits: Floats
    chosen: NDArray[np.int64]
    in_sample: Floats
    out_of_sample: Floats


def probability_of_overfitting(
    returns: ArrayLike, blocks: int = 16, threshold: float = 0.0, *, pool: Executor | None = None
) -> Overfitting:
    """Cross-validate the choice of the combination with the highest Sharpe ratio.

    Takes ``comb(blocks, blocks / 2)`` splits (12,870 for 16 blocks) times the number of combinations; memory stays
    small, since each split is computed from sums over the blocks.

    Parameters
    ----------
    returns : array_like, shape (periods, combinations)
        Returns of every combination that was tried, not of a selection of them.
    blocks : int
        Even, 2 to 20. Blocks differ by one period when they do not divide the periods; none is left out.
    threshold : float
        Sharpe ratio per period below which the choice is a loss.
    pool : Executor, optional
        Whose threads look at splits at once; the answer is the same to the last bit.

    Raises
    ------
    ValueError
        As `checked_matrix`; when `blocks` is odd or out of range; with fewer than two combinations, or fewer than two
        periods in each block.
    """
    if blocks % 2 or not 2 <= blocks <= _MOST_BLOCKS:
        raise ValueError(f"blocks: expected an even number from 2 to {_MOST_BLOCKS}, was {blocks}")
    values = checked_matrix(returns, 2 * blocks)
    if values.shape[1] < 2:
        raise ValueError("returns: expected two or more combinations, was 1")
    starts = np.linspace(0, len(values), blocks, endpoint=False).astype(np.intp)
    lengths = np.diff(starts, append=len(values)).astype(np.float64)
    summed = (np.add.reduceat(moment, starts, axis=0) for moment in (values, values**2))
    sums, squares = (np.ascontiguousarray(one) for one in summed)
    masks = _halves(blocks)
    found = _crossed(Blocks(sums, squares, lengths), masks, pool)
    ratios = _ratios(found, masks, lengths)
    return _summed_up(ratios, found.ranks.T.ravel(), found.best.T.ravel(), values.shape[1], threshold)


def _halves(blocks: int) -> Masks:
    """Return a mask for every half of the blocks that holds the first one: each is split against its rest."""
    return 1 + 2 * _choices(blocks - 1, blocks // 2 - 1)


@cache
def _choices(blocks: int, chosen: int) -> Masks:
    """Return a mask for every choice of so many blocks, those with the first block first, and so on."""
    if chosen in (0, blocks):
        return np.array([(1 << chosen) - 1], np.uint32)
    return np.concatenate([1 + 2 * _choices(blocks - 1, chosen - 1), 2 * _choices(blocks - 1, chosen)])


def _crossed(blocks: Blocks, masks: Masks, pool: Executor | None) -> Crossed:
    """Look at all splits, some at once."""
    found = Crossed.empty(len(masks))
    parts = [slice(first, first + _AT_ONCE) for first in range(0, len(masks), _AT_ONCE)]
    for _ in (pool.map if pool else map)(lambda part: cross(blocks, masks[part], found.part(part)), parts):
        pass  # what it raises is raised here
    return found


def _ratios(found: Crossed, masks: Masks, lengths: Floats) -> Floats:
    """Return the Sharpe ratios of the chosen in and out of sample; shape (2, splits), one side after the other."""
    is_in = masks[:, None] >> np.arange(len(lengths), dtype=np.uint32) & 1
    within = is_in @ lengths
    periods = np.stack([within, lengths.sum() - within])
    moments = found.moments.transpose(2, 1, 0)  # which, side, split
    before = ratios_of(moments[0].copy(), moments[1].copy(), periods)
    after = ratios_of(moments[2].copy(), moments[3].copy(), periods[::-1])
    return np.stack([before.ravel(), after.ravel()])


def _summed_up(ratios: Floats, ranks: Floats, best: NDArray[np.int64], trials: int, threshold: float) -> Overfitting:
    shares = ranks / (trials + 1)
    before, after = ratios
    apart = before - before.mean()
    power = float(apart @ apart)
    slope = float(apart @ after) / power if power else 0.0
    intercept = float(after.mean() - slope * before.mean())
    left = float(((after - intercept - slope * before) ** 2).sum())
    total = float(((after - after.mean()) ** 2).sum())
    splits = len(before)
    fit = 1 - left / total * (splits - 1) / (splits - 2) if total and splits > 2 else 0.0
    return Overfitting(
        probability=float((shares <= 0.5).mean()),
        loss_probability=float((after < threshold).mean()),
        slope=slope,
        intercept=intercept,
        adjusted_r2=fit,
        logits=np.log(shares / (1 - shares)),
        chosen=best,
        in_sample=before,
        out_of_sample=after,
    )
