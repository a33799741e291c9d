"""What a series of returns looks like, in the few numbers that the error of a Sharpe ratio needs."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.statistics.trades import Floats

FEWEST_TRADES: Final = 30
"""Closed trades below which figures say little: the usual rule of thumb of statistics for a mean."""


class Shape(NamedTuple):
    """How returns differ from independent normal ones.

    Attributes
    ----------
    skew : float
        Third standardised moment; 0 for a normal distribution.
    kurtosis : float
        Fourth standardised moment, *not* in excess of 3; at least ``1 + skew**2``.
    autocorrelation : float
        Correlation of a return with the one before, of an AR(1) process; between -1 and 1.
    """

    skew: float = 0.0
    kurtosis: float = 3.0
    autocorrelation: float = 0.0


NORMAL = Shape()
"""Independent normal returns."""


class Sample(NamedTuple):
    """A series of returns in a few numbers; nothing is annualised.

    Attributes
    ----------
    periods : int
        How many returns.
    mean, deviation : float
        Mean, and sample standard deviation (divided by ``periods - 1``).
    shape : Shape
        Skewness and kurtosis of the sample (divided by ``periods``), and its first autocorrelation.
    """

    periods: int
    mean: float
    deviation: float
    shape: Shape

    @property
    def sharpe(self) -> float:
        """Mean over deviation, per period; 0 for returns that never vary."""
        return self.mean / self.deviation if self.deviation else 0.0


def sample_of(returns: ArrayLike) -> Sample:
    """Describe returns.

    Parameters
    ----------
    returns : array_like, shape (n,)
        Excess returns per period.

    Raises
    ------
    ValueError
        When there are fewer than two, or one is not finite.
    """
    values = checked(returns)
    mean = float(values.mean())
    apart = values - mean
    power = float(apart @ apart)
    # Returns that are all the same have a mean that is off by rounding, and no shape.
    if power <= len(values) * (1e-15 * mean) ** 2:
        return Sample(len(values), mean, 0.0, NORMAL)
    scaled = apart / math.sqrt(power / len(values))
    shape = Shape(float((scaled**3).mean()), float((scaled**4).mean()), float(apart[1:] @ apart[:-1]) / power)
    return Sample(len(values), mean, math.sqrt(power / (len(values) - 1)), shape)


def checked(returns: ArrayLike, fewest: int = 2) -> Floats:
    """Return a series as float64.

    Raises
    ------
    ValueError
        When it has another form, has fewer values than `fewest`, or one of them is not finite.
    """
    values = np.asarray(returns, np.float64)
    if values.ndim != 1:
        raise ValueError(f"returns: expected one series, was an array of shape {values.shape}")
    if len(values) < fewest:
        raise ValueError(f"returns: expected {fewest} or more, was {len(values)}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(f"returns: expected numbers, number {wrong[0]} (of {len(wrong)}) is {values[wrong[0]]}")
    return values
