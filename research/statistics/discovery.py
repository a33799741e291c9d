"""How likely it is that a Sharpe ratio found significant is none.

M. López de Prado, A. Lipton and V. Zoonekynd, *Sharpe Ratio Inference* (SSRN 5520741, 2025): power of the test of a
ratio, and the probability of the null hypothesis after a rejection (planned, pFDR) or after what was observed (oFDR).
All ratios are per period; errors are taken under each hypothesis (the convention of 2025).
"""

from __future__ import annotations

from research.statistics.normal import STANDARD, probability
from research.statistics.sample import NORMAL, Shape
from research.statistics.sharpe import probabilistic_sharpe, sharpe_error


def critical_sharpe(null: float, periods: int, shape: Shape = NORMAL, *, significance: float = 0.05) -> float:
    """Return the observed ratio above which the null hypothesis is rejected.

    Raises
    ------
    ValueError
        As `sharpe_error`, and when the significance is not between 0 and 1.
    """
    _check_share("significance", significance)
    return null + STANDARD.inv_cdf(1 - significance) * sharpe_error(null, periods, shape)


def power_of(
    null: float, alternative: float, periods: int, shape: Shape = NORMAL, *, significance: float = 0.05
) -> float:
    """Return how likely the test rejects the null hypothesis when the alternative is true.

    Raises
    ------
    ValueError
        As `critical_sharpe`.
    """
    critical = critical_sharpe(null, periods, shape, significance=significance)
    return probability(alternative - critical, sharpe_error(alternative, periods, shape))


def planned_false_discovery(prior: float, significance: float, power: float) -> float:
    """Return the probability of the null hypothesis after a rejection (pFDR).

    Parameters
    ----------
    prior : float
        Probability of the alternative before: the share of strategies of this kind that really earn.

    Raises
    ------
    ValueError
        When one of the three is not between 0 and 1.
    """
    for name, value in (("prior", prior), ("significance", significance), ("power", power)):
        _check_share(name, value)
    false = significance * (1 - prior)
    return false / (false + power * prior)


def observed_false_discovery(
    sharpe: float, null: float, alternative: float, periods: int, prior: float, shape: Shape = NORMAL
) -> float:
    """Return the probability of the null hypothesis after a ratio of at least `sharpe` was observed (oFDR).

    Raises
    ------
    ValueError
        As `sharpe_error`, and when the prior is not between 0 and 1.
    """
    _check_share("prior", prior)
    false = (1 - probabilistic_sharpe(sharpe, null, periods, shape, "2025")) * (1 - prior)
    true = (1 - probabilistic_sharpe(sharpe, alternative, periods, shape, "2025")) * prior
    return false / (false + true) if false + true else 0.0


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name}: expected a value between 0 and 1, was {value}")
