"""Shares of a budget of risk for several instances.

Equal: everybody the same. Volatility: in inverse proportion to the deviation of the results of one unit of risk. Risk
parity: so that everybody contributes the same to the deviation of the sum, correlations counted (S. Maillard,
T. Roncalli and J. Teiletche, *The Properties of Equally Weighted Risk Contribution Portfolios*, 2010). It is solved one
instance after the other, as T. Griveau-Billion, J.-C. Richard and T. Roncalli describe in *A Fast Algorithm for
Computing High-Dimensional Risk Parity Portfolios* (2013); a cap is a bound of each such step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np

from atrader.errors import ConfigError
from atrader.statistics.trades import Floats

Method = Literal["equal", "volatility", "risk-parity"]

_SWEEPS: Final = 10_000
_STEADY: Final = 1e-13  # largest change of a share in a sweep, as a part of it
_HALVINGS: Final = 200


class Allocation(NamedTuple):
    """Shares of a budget.

    Attributes
    ----------
    weights : ndarray of float64, shape (n,)
        Share of each instance; their sum is the budget.
    contributions : ndarray of float64, shape (n,)
        Part of each in the deviation of the sum, as fractions of it; their sum is 1. Negative: it hedges the others.
    deviation : float
        Of the sum of the daily results under these shares, in the unit of the results times that of the budget.
    """

    weights: Floats
    contributions: Floats
    deviation: float


def covariance(results: Floats, shrink_frac: float = 0.0) -> Floats:
    """Return the sample covariance of daily results, with correlations drawn towards zero.

    Parameters
    ----------
    results : ndarray of float64, shape (days, n)
        Of one unit of risk each, at least two days.
    shrink_frac : float, default 0.0
        0: as they are; 1: no correlation at all. Correlations of few days are mostly chance.

    Returns
    -------
    ndarray of float64, shape (n, n)
    """
    if len(results) < 2:
        raise ConfigError(f"results of at least 2 days are needed, there is {len(results)}")
    centred = results - results.mean(axis=0)
    found: Floats = centred.T @ centred / (len(results) - 1)
    shrunk: Floats = np.where(np.eye(found.shape[0], dtype=bool), found, found * (1.0 - shrink_frac))
    return shrunk


def allocate(
    names: Sequence[str], matrix: Floats, method: Method, budget: float, caps: Floats | None = None
) -> Allocation:
    """Share a budget out.

    Parameters
    ----------
    names : sequence of str
        Instances, for messages.
    matrix : ndarray of float64, shape (n, n)
        Covariance of the daily results of one unit of risk of each.
    budget : float
        What the shares add up to, above 0; shares have its unit.
    caps : ndarray of float64, shape (n,), optional
        Largest share of each, above 0. What a cap cuts off goes to the others by the same rule.

    Raises
    ------
    ConfigError
        When the caps leave no room for the budget, or (but for ``equal``) the results of an instance do not vary.
    """
    count = len(names)
    bounds = np.full(count, np.inf) if caps is None else np.asarray(caps, np.float64)
    if not (0 < budget < math.inf) or not (bounds > 0).all():
        raise ConfigError(f"budget and caps must be positive numbers, were {budget} and {bounds.tolist()}")
    if bounds.sum() < budget * (1 - 1e-12):
        raise ConfigError(f"the caps add up to {bounds.sum():g}, less than the budget of {budget:g}")
    variances = np.diag(matrix)
    if method == "equal":
        return _result(_filled(np.ones(count), bounds, budget), matrix)
    still = [name for name, variance in zip(names, variances, strict=True) if not variance > 0]
    if still:
        raise ConfigError(f"the daily results of {', '.join(still)} do not vary: leave out, or share equally")
    inverse = 1.0 / np.sqrt(variances)
    if method == "volatility":
        return _result(_filled(inverse, bounds, budget), matrix)
    return _result(_parity(matrix, bounds, budget), matrix)


def _result(weights: Floats, matrix: Floats) -> Allocation:
    marginal = matrix @ weights
    variance = float(weights @ marginal)
    parts = weights * marginal / variance if variance > 0 else np.full(len(weights), np.nan)
    return Allocation(weights, parts, math.sqrt(max(variance, 0.0)))


def _filled(wishes: Floats, caps: Floats, budget: float) -> Floats:
    """Return shares in proportion to wishes, none above its cap, that add up to the budget."""
    weights, free = np.zeros(len(wishes)), np.ones(len(wishes), bool)
    while free.any():
        left = budget - float(weights[~free].sum())
        weights[free] = left * wishes[free] / wishes[free].sum()
        over = free & (weights >= caps)
        if not (weights[over] > caps[over]).any():
            break
        weights[over] = caps[over]
        free &= ~over
    return weights


def _parity(matrix: Floats, caps: Floats, budget: float) -> Floats:
    """Find the contribution that everybody below its cap has, so that the shares add up to the budget."""
    start = _filled(1.0 / np.sqrt(np.diag(matrix)), caps, budget)
    if np.isinf(caps).all():  # shares of any contribution are in the same proportion
        weights = _shares(matrix, caps, float(start @ matrix @ start) / len(start), start)
        scaled: Floats = weights * (budget / weights.sum())
        return scaled
    return _bisected(
        lambda level, near: _shares(matrix, caps, level, near), start, budget, float(start @ matrix @ start)
    )


def _shares(matrix: Floats, caps: Floats, level: float, start: Floats) -> Floats:
    """Return the shares whose contribution ``w_i (matrix w)_i`` is `level`, or which are at their cap with less."""
    weights, variances = start.copy(), np.diag(matrix)
    marginal = matrix @ weights
    for _ in range(_SWEEPS):
        moved = 0.0
        for place in range(len(weights)):
            before = weights[place]
            others = marginal[place] - variances[place] * before
            root = math.sqrt(others * others + 4.0 * variances[place] * level)
            # Two forms of one root: this one does not subtract numbers that are nearly the same.
            wanted = 2.0 * level / (root + others) if others > 0 else (root - others) / (2.0 * variances[place])
            weights[place] = min(wanted, caps[place])
            marginal += matrix[:, place] * (weights[place] - before)
            moved = max(moved, abs(weights[place] - before) / weights[place])
        if moved < _STEADY:
            return weights
    raise ConfigError(
        "risk parity has no answer here: instances cancel each other out; raise --shrink, or share equally"
    )


def _bisected(shares: Callable[[float, Floats], Floats], start: Floats, budget: float, level: float) -> Floats:
    """Find the level at which shares add up to the budget."""
    low = high = level
    weights = start
    while (weights := shares(high, weights)).sum() < budget * (1 - 1e-12):
        low, high = high, high * 4.0
    while (weights := shares(low, weights)).sum() > budget:
        low, high = low / 4.0, low
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        weights = shares(middle, weights)
        if abs(float(weights.sum()) / budget - 1.0) < 1e-12 or not low < middle < high:
            break
        low, high = (middle, high) if weights.sum() < budget else (low, middle)
    return weights
