"""What trying many combinations does to the best of them.

All Sharpe ratios are per period of the returns unless it says otherwise.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.statistics.trades import Floats
from research.statistics.normal import STANDARD, maximum_of, probability
from research.statistics.sample import NORMAL, Shape, sample_of
from research.statistics.sharpe import Convention, probabilistic_sharpe, sharpe_error

_EULER: Final = float(np.euler_gamma)


def expected_maximum(trials: float) -> float:
    """Return the expected largest of so many independent standard normal values, by the approximation of the papers.

    D. Bailey, J. Borwein, M. López de Prado and Q. Zhu, *Pseudo-Mathematics and Financial Charlatanism*, Notices of the
    AMS 61(5), 2014, proposition 1. Multiply it by the deviation of the trials' Sharpe ratios. It is up to 3 % above the
    exact value (`research.statistics.normal.maximum_of`); the published thresholds are computed with it.

    Parameters
    ----------
    trials : float
        At least 1; an effective number need not be whole.

    Raises
    ------
    ValueError
        When it is below 1.
    """
    if not 1 <= trials < math.inf:
        raise ValueError(f"trials: expected 1 or more, was {trials}")
    if trials == 1:
        return 0.0
    first, second = (STANDARD.inv_cdf(1 - 1 / (trials * factor)) for factor in (1, math.e))
    return max((1 - _EULER) * first + _EULER * second, 0.0)  # between 1 and 2 trials it falls below zero


def minimum_backtest_length(trials: float, sharpe: float = 1.0) -> float:
    """Return the years below which so many trials without any skill give a best annualised ratio of `sharpe` (MinBTL).

    Bailey et al. (2014), theorem 2, before its upper bound is taken.

    Raises
    ------
    ValueError
        When `trials` is below 1 or `sharpe` is not positive.
    """
    if not sharpe > 0:
        raise ValueError(f"sharpe: expected a positive ratio, was {sharpe}")
    return (expected_maximum(trials) / sharpe) ** 2


class Deflated(NamedTuple):
    """A Sharpe ratio held against the best that luck would have given.

    Attributes
    ----------
    probability : float
        That the true ratio exceeds the threshold: the deflated Sharpe ratio (DSR).
    threshold : float
        Expected largest ratio among the trials when none has any skill, per period.
    trials : float
        How many were counted.
    convention : {"2012", "2025"}
        Of the error, see `research.statistics.sharpe`.
    """

    probability: float
    threshold: float
    trials: float
    convention: Convention


def deflated_sharpe(
    sharpe: float,
    periods: int,
    trials: float,
    variance: float,
    shape: Shape = NORMAL,
    convention: Convention = "2012",
    *,
    of_maximum: bool = False,
) -> Deflated:
    """Deflate the Sharpe ratio of the best of many trials.

    D. Bailey and M. López de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40(5), 2014, equations
    1 and 2 (convention ``"2012"``).

    Parameters
    ----------
    sharpe : float
        Ratio of the chosen trial, per period.
    periods : int
        Number of its returns.
    trials : float
        Trials made, or an effective number of them.
    variance : float
        Variance of the trials' ratios, per period.
    shape : Shape
        Of the returns of the chosen trial.
    of_maximum : bool
        With convention ``"2025"``: shrink the error to that of a maximum of `trials` (whole) ratios, as that paper does
        for the family-wise error.

    Raises
    ------
    ValueError
        As `probabilistic_sharpe` and `expected_maximum`; when the variance is negative; for `of_maximum` with 2012.
    """
    if not variance >= 0:
        raise ValueError(f"variance: expected 0 or more, was {variance}")
    threshold = math.sqrt(variance) * expected_maximum(trials)
    if not of_maximum:
        found = probabilistic_sharpe(sharpe, threshold, periods, shape, convention)
        return Deflated(found, threshold, trials, convention)
    if convention != "2025" or int(trials) != trials:
        raise ValueError("of_maximum: the error of a maximum is of the convention 2025 and a whole number of trials")
    error = sharpe_error(threshold, periods, shape) * math.sqrt(maximum_of(int(trials)).variance)
    return Deflated(probability(sharpe - threshold, error), threshold, trials, convention)


class EffectiveTrials(NamedTuple):
    """How many independent trials the correlated ones are worth.

    Attributes
    ----------
    rank : float
        Effective rank of their correlation matrix: the exponential of the entropy of its eigenvalues (O. Roy and
        M. Vetterli, *The Effective Rank*, EUSIPCO 2007). At most the number of periods.
    by_correlation : float
        ``r + (1 - r) * trials`` with the mean correlation r, not below 0 (Bailey and López de Prado 2014, appendix 3).
    varying : int
        Trials that have returns that vary; only those count.
    """

    rank: float
    by_correlation: float
    varying: int


def effective_trials(returns: ArrayLike) -> EffectiveTrials:
    """Count the independent trials in a matrix.

    Parameters
    ----------
    returns : array_like, shape (periods, trials)
        Returns of each trial per period.

    Raises
    ------
    ValueError
        As `checked_matrix`, and when no trial varies.
    """
    values = checked_matrix(returns)
    apart = values - values.mean(axis=0)
    power = np.sqrt((apart**2).sum(axis=0))
    varies = power > 1e-12 * np.sqrt((values**2).sum(axis=0))
    if not varies.any():
        raise ValueError("returns: no trial varies")
    scaled = apart[:, varies] / power[varies]
    periods, trials = scaled.shape
    # Both products have the same eigenvalues besides zeros: the smaller one is enough.
    product = scaled.T @ scaled if trials <= periods else scaled @ scaled.T
    shares = np.linalg.eigvalsh(product) / trials
    shares = shares[shares > 1e-15]
    together = scaled.sum(axis=1)  # its square is the sum of all correlations
    mean = (float(together @ together) - trials) / (trials * (trials - 1)) if trials > 1 else 0.0
    mean = min(max(mean, 0.0), 1.0)
    return EffectiveTrials(
        rank=math.exp(-float(shares @ np.log(shares))),
        by_correlation=mean + (1 - mean) * trials,
        varying=trials,
    )


def sharpe_ratios(returns: ArrayLike) -> Floats:
    """Return the Sharpe ratio of each column, per period; 0 for one that does not vary. Raises as `checked_matrix`."""
    values = checked_matrix(returns)
    return ratios_of(values.sum(axis=0), (values**2).sum(axis=0), len(values))


def ratios_of(sums: Floats, squares: Floats, count: float | Floats) -> Floats:
    """Return Sharpe ratios from the sums of returns and of their squares, which are overwritten.

    Returns whose deviation is less than a millionth of their mean count as constant, and have a ratio of 0: what is
    left of the difference is rounding. NaN where squares overflowed: nothing is known of such returns.
    """
    sums /= count
    constant = squares * 1e-12
    squares -= sums * sums * count
    still = squares <= constant
    squares /= count - 1
    # Divided everywhere and mended: a mask in the division would take three times as long.
    with np.errstate(divide="ignore", invalid="ignore"):
        sums /= np.sqrt(squares, out=squares)
    if still.any():
        sums[still] = 0.0
    return sums


def deflate(
    returns: ArrayLike, trials: float | None = None, chosen: int | None = None, convention: Convention = "2012"
) -> Deflated:
    """Deflate one trial of a matrix, with variance and shape taken from it.

    Parameters
    ----------
    returns : array_like, shape (periods, trials)
        Returns of each trial per period (such as the daily profit of each combination).
    trials : float, optional
        How many count; without it, all columns. Say more when some were tried and are not in the matrix, or the
        effective number to see what remains then.
    chosen : int, optional
        Column; without it, the one with the highest ratio.

    Raises
    ------
    ValueError
        As `checked_matrix` and `deflated_sharpe`.
    """
    values = checked_matrix(returns)
    ratios = sharpe_ratios(values)
    best = int(ratios.argmax()) if chosen is None else chosen
    spread = float(ratios.var(ddof=1)) if len(ratios) > 1 else 0.0
    counted = float(len(ratios)) if trials is None else trials
    sample = sample_of(values[:, best])
    return deflated_sharpe(float(ratios[best]), sample.periods, counted, spread, sample.shape, convention)


def checked_matrix(returns: ArrayLike, fewest: int = 2) -> Floats:
    """Return returns as a float64 matrix.

    Raises
    ------
    ValueError
        When it has another form, fewer than `fewest` periods, no trial, or a value that is not finite.
    """
    values = np.asarray(returns, np.float64)
    if values.ndim != 2:
        raise ValueError(f"returns: expected periods x trials, was an array of shape {values.shape}")
    if len(values) < fewest or not values.shape[1]:
        raise ValueError(f"returns: expected {fewest} or more periods of 1 or more trials, was {values.shape}")
    if not np.isfinite(values).all():
        period, trial = np.argwhere(~np.isfinite(values))[0].tolist()
        raise ValueError(f"returns: period {period} of trial {trial} is {values[period, trial]}, expected a number")
    return values
