"""The standard normal distribution, and the largest of several draws from it."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

STANDARD: Final = NormalDist()
_REACH: Final = 9.0  # beyond it a normal density holds less than 1e-18
_STEP: Final = 1 / 64  # the sum over so fine a grid is exact to 1e-12: the integrand and all its derivatives vanish


class Maximum(NamedTuple):
    """Moments of the largest of some independent standard normal values."""

    mean: float
    variance: float


@lru_cache(maxsize=64)
def maximum_of(count: int) -> Maximum:
    """Return mean and variance of the largest of `count` independent standard normal values, by integration.

    Raises
    ------
    ValueError
        When `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count: expected 1 or more values, was {count}")
    x = np.arange(-_REACH, _REACH + _STEP, _STEP)
    below = np.array([STANDARD.cdf(value) for value in x.tolist()])
    density = count * np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * below ** (count - 1) * _STEP
    mean = float(density @ x)
    return Maximum(mean, float(density @ (x - mean) ** 2))


def probability(distance: float, error: float) -> float:
    """Return how likely a standard normal value is below ``distance / error``; an error of 0 leaves no doubt."""
    if error == 0:
        return 0.5 * (1 + math.copysign(1, distance) * (distance != 0))
    return STANDARD.cdf(distance / error)
