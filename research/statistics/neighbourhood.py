"""Whether the neighbours of a parameter set are as good as it is: a plateau can be traded, a lone peak is luck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.statistics.trades import Floats


class Neighbourhood(NamedTuple):
    """What surrounds each parameter set; arrays have the shape of the scores.

    Attributes
    ----------
    neighbours : ndarray of intp
        How many have a score.
    mean, worst : ndarray of float64
        Over them; NaN without any.
    positive_frac : ndarray of float64
        Share of them with a score above zero; NaN without any.
    stability_frac : ndarray of float64
        ``mean / own score``: 1 on a plateau, near 0 on a lone peak, negative where the neighbours lose. Above 1 the
        neighbours are better. NaN without neighbours and where the own score is not above zero.
    """

    neighbours: NDArray[np.intp]
    mean: Floats
    worst: Floats
    positive_frac: Floats
    stability_frac: Floats


def neighbourhood_on_grid(scores: ArrayLike, radius: int = 1, ordered: Sequence[bool] | None = None) -> Neighbourhood:
    """Look around every place of a full grid, diagonals included.

    Parameters
    ----------
    scores : array_like, any number of dimensions
        A Sharpe ratio or robustness factor for each place, one axis for each parameter with its values in order; NaN
        for what was excluded or is undefined.
    radius : int
        Steps along each axis.
    ordered : sequence of bool, optional
        Whether the values of each axis have an order. Along one that has none (a choice of names) nobody is a
        neighbour. Without it all have.

    Raises
    ------
    ValueError
        When `radius` is below 1 or `ordered` has another length than there are axes.
    """
    values = np.asarray(scores, np.float64)
    if radius < 1:
        raise ValueError(f"radius: expected 1 or more, was {radius}")
    axes = [True] * values.ndim if ordered is None else list(ordered)
    if len(axes) != values.ndim:
        raise ValueError(f"ordered: expected a value for each of {values.ndim} axes, was {len(axes)}")
    reach = [radius if axis else 0 for axis in axes]
    padded = np.pad(values, [(steps, steps) for steps in reach], constant_values=np.nan)
    sums = _Sums(values.shape)
    for shift in np.ndindex(*(2 * steps + 1 for steps in reach)):
        if any(place != steps for place, steps in zip(shift, reach, strict=True)):
            sums.add(padded[tuple(slice(at, at + size) for at, size in zip(shift, values.shape, strict=True))])
    return sums.around(values)


def neighbourhood_of_points(points: ArrayLike, scores: ArrayLike, radius_frac: float = 0.1) -> Neighbourhood:
    """Look around points that lie on no grid, as a random search or a sampler leaves them.

    Parameters
    ----------
    points : array_like, shape (n, parameters)
        Parameter sets.
    scores : array_like, shape (n,)
        As for a grid.
    radius_frac : float
        A neighbour differs by at most this share of a parameter's range (highest minus lowest value) in each of them.

    Raises
    ------
    ValueError
        When the shapes do not fit or the radius is not positive.
    """
    places, values = np.asarray(points, np.float64), np.asarray(scores, np.float64)
    if places.ndim != 2 or values.shape != places.shape[:1]:
        raise ValueError(f"expected n x parameters and n scores, was {places.shape} and {values.shape}")
    if not radius_frac > 0:
        raise ValueError(f"radius_frac: expected a positive share, was {radius_frac}")
    reach = radius_frac * np.ptp(places, axis=0) * (1 + 1e-9) if len(places) else np.zeros(places.shape[1])
    sums = _Sums(values.shape)
    for at, place in enumerate(places):
        near = (np.abs(places - place) <= reach).all(axis=1)
        near[at] = False
        sums.add(np.where(near, values[at], np.nan))
    return sums.around(values)


class _Sums:
    """Collects the scores of neighbours, one layer after the other; NaN is none."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._count, self._positive = np.zeros(shape, np.intp), np.zeros(shape, np.intp)
        self._sum, self._worst = np.zeros(shape), np.full(shape, np.nan)

    def add(self, scores: Floats) -> None:
        known = ~np.isnan(scores)
        self._count += known
        self._positive += scores > 0
        self._sum += np.where(known, scores, 0.0)
        self._worst = np.fmin(self._worst, scores)

    def around(self, own: Floats) -> Neighbourhood:
        some = self._count > 0
        mean, positive, stability = (np.full(own.shape, np.nan) for _ in range(3))
        np.divide(self._sum, self._count, out=mean, where=some)
        np.divide(self._positive, self._count, out=positive, where=some)
        with np.errstate(over="ignore"):
            np.divide(mean, own, out=stability, where=some & (own > 0))
        stability[np.isinf(stability)] = np.nan  # of next to nothing there are no shares
        return Neighbourhood(self._count, mean, self._worst, positive, stability)
