"""The probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

D. Bailey, J. Borwein, M. López de Prado and Q. Zhu, *The Probability of Backtest Overfitting*, Journal of Computational
Finance 20(4), 2017. The periods are cut into blocks; every choice of half of them is once the sample, the rest is what
follows. In each split the combination that is best in sample is looked up in the ranking out of sample: when it lies in
the lower half as often as not, choosing the best was worth nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.statistics.trades import Floats
from research.statistics.trials import checked_matrix, ratios_of

_AT_ONCE: Final = 1 << 17  # ratios in work at a time: fewer, and threads wait for the interpreter; more, and for memory
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
    chosen : ndarray of intp, shape (splits,)
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
    chosen: NDArray[np.intp]
    in_sample: Floats
    out_of_sample: Floats


def probability_of_overfitting(
    returns: ArrayLike, blocks: int = 16, threshold: float = 0.0, *, threads: int = 1
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
    threads : int
        How many look at splits at once; the answer is the same to the last bit.

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
    sums, squares = (np.add.reduceat(moment, starts, axis=0) for moment in (values, values**2))
    first = _halves(blocks)
    in_half, ranks, best = _crossed(first, sums, squares, lengths, threads)
    return _summed_up(in_half, ranks, best, values.shape[1], threshold)


def _halves(blocks: int) -> Floats:
    """Return a row of 0 and 1 for every half of the blocks that holds the first one: each is split against its rest."""
    chosen = np.array(list(combinations(range(1, blocks), blocks // 2 - 1)), np.intp)
    rows = np.zeros((len(chosen), blocks))
    rows[:, 0] = 1.0
    np.put_along_axis(rows, chosen, 1.0, axis=1)
    return rows


def _crossed(
    first: Floats, sums: Floats, squares: Floats, lengths: Floats, threads: int
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Choose in each half, look up in the other, and the other way round.

    Returns
    -------
    ratios : ndarray, shape (2, splits)
        Of the chosen combination in sample and out of sample.
    ranks : ndarray, shape (splits,)
        Of it out of sample, from 1 (worst); those that tie share their mean.
    best : ndarray of intp, shape (splits,)
        The chosen combination.
    """
    halves, trials = len(first), sums.shape[1]
    ratios, ranks = np.empty((2, 2, halves)), np.empty((2, halves))
    best = np.empty((2, halves), np.intp)
    step = max(_AT_ONCE // trials, 1)

    def cross(at: int) -> None:
        rows = slice(at, at + step)
        masks = (first[rows], 1.0 - first[rows])
        both = [ratios_of(mask @ sums, mask @ squares, (mask @ lengths)[:, None]) for mask in masks]
        for side, (within, without) in enumerate((both, both[::-1])):
            choice = within.argmax(axis=1)[:, None]
            best[side, rows] = choice[:, 0]
            ratios[0, side, rows] = np.take_along_axis(within, choice, axis=1)[:, 0]
            found = np.take_along_axis(without, choice, axis=1)
            ratios[1, side, rows] = found[:, 0]
            below, upto = np.count_nonzero(without < found, axis=1), np.count_nonzero(without <= found, axis=1)
            ranks[side, rows] = (below + upto + 1) / 2

    with ThreadPoolExecutor(threads, "cross") as pool:
        for _ in pool.map(cross, range(0, halves, step)):
            pass  # what it raises is raised here
    return ratios.reshape(2, -1), ranks.ravel(), best.ravel()


def _summed_up(ratios: Floats, ranks: Floats, best: NDArray[np.intp], trials: int, threshold: float) -> Overfitting:
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
