"""The robustness factor: how much of a Sharpe ratio survives out of sample.

Taken literally, ``oos * (oos / is)`` is a square over the ratio in sample: positive for a strategy that *loses* out of
sample, and without bound as the ratio in sample goes to zero. Here the sign is that of the ratio out of sample, and
where the ratio in sample is negative or next to nothing there is no factor: such a combination won nothing that could
survive, and comes last.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from atrader.statistics.trades import Floats

MINIMUM_IN_SAMPLE: Final = 0.1
"""Annualised Sharpe ratio in sample up to which a factor is undefined: below it a year's profit is a tenth of its usual
deviation, and what is left of it out of sample says nothing."""


def robustness_factor(
    in_sample: float | None, out_of_sample: float | None, minimum: float = MINIMUM_IN_SAMPLE
) -> float | None:
    """Return the factor of one combination, None where it is undefined.

    Parameters
    ----------
    in_sample, out_of_sample : float or None
        Annualised Sharpe ratios; None or NaN for one that could not be computed.
    minimum : float
        See `MINIMUM_IN_SAMPLE`.
    """
    known = [math.nan if value is None else value for value in (in_sample, out_of_sample)]
    factor = float(robustness_factors([known[0]], [known[1]], minimum)[0])
    return None if math.isnan(factor) else factor


def robustness_factors(in_sample: ArrayLike, out_of_sample: ArrayLike, minimum: float = MINIMUM_IN_SAMPLE) -> Floats:
    """Return the factors of many combinations: ``sign(oos) * oos**2 / is``, NaN where it is undefined.

    Undefined when the ratio in sample is at most `minimum`, or when one of the two, or the factor, is no finite number.

    Parameters
    ----------
    in_sample, out_of_sample : array_like
        Annualised Sharpe ratios, of one shape.

    Raises
    ------
    ValueError
        When the shapes differ, or `minimum` is negative.
    """
    before, after = np.asarray(in_sample, np.float64), np.asarray(out_of_sample, np.float64)
    if before.shape != after.shape:
        raise ValueError(f"Sharpe ratios in sample have shape {before.shape}, those out of sample {after.shape}")
    if not minimum >= 0:
        raise ValueError(f"minimum: expected 0 or more, was {minimum}")
    usable = np.isfinite(before) & np.isfinite(after) & (before > minimum)
    factors = np.full(before.shape, np.nan)
    with np.errstate(over="ignore"):
        np.divide(np.sign(after) * after**2, before, out=factors, where=usable)
    factors[np.isinf(factors)] = np.nan
    return factors


def ranking(factors: ArrayLike) -> NDArray[np.intp]:
    """Return the places of combinations from the largest factor to the smallest, the undefined ones last.

    Equal factors stay in the order they have.
    """
    values = np.asarray(factors, np.float64)
    return np.argsort(np.where(np.isnan(values), np.inf, -values), kind="stable")


class WindowRobustness(NamedTuple):
    """The factors of the windows of a walk-forward run.

    Attributes
    ----------
    windows, undefined : int
        How many, and how many of them have no factor.
    positive_frac : float
        Share of all windows with a factor above zero; an undefined one is not.
    mean, median, worst : float or None
        Over the windows that have a factor; None when none has.
    """

    windows: int
    undefined: int
    positive_frac: float
    mean: float | None
    median: float | None
    worst: float | None


def over_windows(factors: ArrayLike) -> WindowRobustness:
    """Sum up the factors of windows (NaN where undefined).

    Raises
    ------
    ValueError
        When there is no window.
    """
    values = np.asarray(factors, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"factors: expected those of one or more windows, was an array of shape {values.shape}")
    known = values[~np.isnan(values)]
    if not len(known):
        return WindowRobustness(len(values), len(values), 0.0, None, None, None)
    return WindowRobustness(
        windows=len(values),
        undefined=len(values) - len(known),
        positive_frac=float((known > 0).sum() / len(values)),
        mean=float(known.mean()),
        median=float(np.median(known)),
        worst=float(known.min()),
    )
