"""How alike instances win and lose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.statistics.trades import Floats


def correlation(results: Floats) -> Floats:
    """Return the correlation of the columns (Pearson).

    Parameters
    ----------
    results : ndarray of float64, shape (days, n)
        Daily results, one column an instance.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, 1 on the diagonal; NaN where a column does not vary, and with fewer than two days.
    """
    centred = results - results.mean(axis=0) if len(results) else results
    sums = centred.T @ centred
    lengths = np.sqrt(np.diag(sums))
    # Rounding leaves a trace of a column that is the same number all the time.
    varies = (lengths > 1e-12 * np.sqrt((results * results).sum(axis=0))) & (len(results) > 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(varies[:, None] & varies[None, :], sums / np.outer(lengths, lengths), np.nan)
    found = np.clip(found, -1.0, 1.0)
    np.fill_diagonal(found, np.where(varies, 1.0, np.nan))
    return found


class Pair(NamedTuple):
    """Two instances that move together."""

    one: str
    other: str
    correlation: float


def alike(names: tuple[str, ...], matrix: Floats, at_least: float) -> list[Pair]:
    """Return the pairs whose correlation is at least so high, the highest first: one bet under two names."""
    upper: NDArray[np.intp] = np.argwhere(np.triu(matrix >= at_least, k=1))
    pairs = [Pair(names[row], names[column], float(matrix[row, column])) for row, column in upper.tolist()]
    return sorted(pairs, key=lambda pair: (-pair.correlation, pair.one, pair.other))
