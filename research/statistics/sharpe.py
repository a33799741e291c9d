"""How far a Sharpe ratio can be trusted: its error, and the probability that the true one exceeds another.

All ratios here are per period of the returns, never annualised. Two conventions exist for the same question and give
different numbers for the same track record (0.913 and 0.987 for the example that both use); each result names its own:

- ``"2012"``: the variance is taken at the observed ratio and divided by ``periods - 1`` (D. Bailey and M. López de
  Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15(2), 2012; also in their paper of 2014 on deflating).
- ``"2025"``: the variance is that under the null hypothesis, divided by ``periods``, and returns may be autocorrelated
  (M. López de Prado, A. Lipton and V. Zoonekynd, *Sharpe Ratio Inference*, SSRN 5520741, 2025).
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

from research.statistics.normal import STANDARD, probability
from research.statistics.sample import NORMAL, Shape

Convention = Literal["2012", "2025"]
"""Which paper's probabilistic Sharpe ratio."""


def sharpe_error(sharpe: float, periods: float, shape: Shape = NORMAL) -> float:
    """Return the standard error of a Sharpe ratio.

    For independent normal returns it is ``sqrt((1 + sharpe**2 / 2) / periods)`` (A. Lo, *The Statistics of Sharpe
    Ratios*, Financial Analysts Journal 58(4), 2002); skewness and kurtosis enter as E. Mertens (2002) has it, an
    autocorrelation as the paper of 2025.

    Parameters
    ----------
    sharpe : float
        The ratio at which the error is taken, per period.
    periods : float
        Number of returns.

    Raises
    ------
    ValueError
        When `periods` is not positive, the autocorrelation is not between -1 and 1, or no distribution has this shape.
    """
    skew, kurtosis, rho = shape
    if not periods > 0:
        raise ValueError(f"periods: expected a positive number of returns, was {periods}")
    if not -1 < rho < 1:
        raise ValueError(f"autocorrelation: expected a value between -1 and 1, was {rho}")
    if not kurtosis >= (1 + skew**2) * (1 - 1e-9):
        raise ValueError(f"kurtosis: no distribution with skewness {skew} has less than {1 + skew**2}, was {kurtosis}")
    of_mean = (1 + rho) / (1 - rho)
    of_both = (1 + rho + rho**2) / (1 - rho**2)
    of_deviation = (1 + rho**2) / (1 - rho**2)
    scaled = of_mean - of_both * skew * sharpe + of_deviation * (kurtosis - 1) / 4 * sharpe**2
    return math.sqrt(max(scaled, 0.0) / periods)


def probabilistic_sharpe(
    sharpe: float, benchmark: float, periods: int, shape: Shape = NORMAL, convention: Convention = "2012"
) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark (PSR).

    Parameters
    ----------
    sharpe, benchmark : float
        The observed ratio and the one to beat, per period.
    periods : int
        Number of returns, at least 2.
    convention : {"2012", "2025"}
        See the module.

    Raises
    ------
    ValueError
        As `sharpe_error`, and for another convention.
    """
    at, lost = _under(convention, sharpe, benchmark)
    return probability(sharpe - benchmark, sharpe_error(at, periods - lost, shape))


def minimum_track_record(
    sharpe: float,
    benchmark: float,
    shape: Shape = NORMAL,
    *,
    confidence: float = 0.95,
    convention: Convention = "2012",
) -> float:
    """Return how many returns it takes until a ratio exceeds a benchmark with some confidence (MinTRL).

    Returns
    -------
    float
        Number of returns; infinity when the ratio does not exceed the benchmark at all.

    Raises
    ------
    ValueError
        As `probabilistic_sharpe`, and when the confidence is not above one half and below 1.
    """
    at, lost = _under(convention, sharpe, benchmark)
    if not 0.5 < confidence < 1:
        raise ValueError(f"confidence: expected a value above 0.5 and below 1, was {confidence}")
    error = sharpe_error(at, 1, shape)
    if sharpe <= benchmark:
        return math.inf
    return lost + (error * STANDARD.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def _under(convention: Convention, sharpe: float, benchmark: float) -> tuple[float, int]:
    """Return the ratio at which the error is taken, and how many returns are lost to the estimate."""
    if convention == "2012":
        return sharpe, 1
    if convention == "2025":
        return benchmark, 0
    raise ValueError(f"convention: expected one of {', '.join(get_args(Convention))}, was {convention!r}")


class Interval(NamedTuple):
    """Where a value lies with some confidence."""

    low: float
    high: float


def sharpe_interval(sharpe: float, periods: int, shape: Shape = NORMAL, confidence: float = 0.95) -> Interval:
    """Return the two-sided interval of a Sharpe ratio, by the error at the observed ratio.

    Raises
    ------
    ValueError
        As `sharpe_error`, and when the confidence is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a value between 0 and 1, was {confidence}")
    reach = STANDARD.inv_cdf((1 + confidence) / 2) * sharpe_error(sharpe, periods, shape)
    return Interval(sharpe - reach, sharpe + reach)
