"""What a curve of equity is worth: return, risk, and both together. docs/research-statistics.md has the definitions."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.statistics.drawdown import Fall, drawdown_and_falls
from atrader.statistics.ranked import quantile
from atrader.statistics.trades import Floats, Times
from atrader.timeframes import Timeframe
from research.statistics.annualisation import DAYS_A_YEAR, periods_per_year
from research.statistics.periods import PeriodReturns, checked_curve, returns_of, until_ruin
from research.statistics.sample import Shape, checked, sample_of
from research.statistics.sharpe import Interval, probabilistic_sharpe, sharpe_interval

_YEAR_NS: Final = DAYS_A_YEAR * 86_400 * NS_PER_S


class ReturnStatistics(NamedTuple):
    """Figures of periodic returns; None where one has no meaning, never infinity.

    Ratios and volatility are annualised with the square root of `periods_per_year`. Returns are in excess of `rate`.

    Attributes
    ----------
    periods : int
        How many returns.
    periods_per_year : float
        By which they were annualised.
    mean_frac, volatility_frac : float
        Mean return times `periods_per_year`; sample deviation, annualised.
    sharpe : float or None
        Mean over sample deviation; None when returns do not vary.
    sharpe_interval : Interval or None
        95 % interval of it, for the skewness and kurtosis of the sample.
    sharpe_probability : float or None
        That the true ratio is above zero (PSR, convention 2012).
    sortino : float or None
        Mean over downside deviation ``sqrt(mean(min(r, 0)**2))``, over all periods; None without a loss.
    omega : float or None
        Sum of the positive returns over the sum of the negative ones; None without a loss.
    shape : Shape
        Skewness, kurtosis and first autocorrelation.
    positive_frac : float
        Share of the returns above zero.
    best_frac, worst_frac : float
        Largest and smallest return.
    var_95_frac, cvar_95_frac : float
        Historical: the loss that one period in twenty exceeds (5 % quantile, linear), and the mean of the returns at or
        below it; losses are positive.
    """

    periods: int
    periods_per_year: float
    mean_frac: float
    volatility_frac: float
    sharpe: float | None
    sharpe_interval: Interval | None
    sharpe_probability: float | None
    sortino: float | None
    omega: float | None
    shape: Shape
    positive_frac: float
    best_frac: float
    worst_frac: float
    var_95_frac: float
    cvar_95_frac: float


def return_statistics(returns: ArrayLike, per_year: float, rate: float = 0.0) -> ReturnStatistics:
    """Compute the figures of periodic returns.

    Parameters
    ----------
    returns : array_like, shape (n,)
        Simple returns per period.
    per_year : float
        Periods a year, from `periods_per_year`.
    rate : float
        Riskless return per period, taken from each.

    Raises
    ------
    ValueError
        As `checked`, and when `per_year` is not positive.
    """
    excess = checked(returns) - rate
    if not 0 < per_year < math.inf:
        raise ValueError(f"per_year: expected a positive number of periods, was {per_year}")
    sample, root = sample_of(excess), math.sqrt(per_year)
    losses = np.minimum(excess, 0.0)
    downside = math.sqrt(float((losses**2).mean()))
    lowest = quantile(excess, 0.05)
    varies = sample.deviation > 0
    interval = sharpe_interval(sample.sharpe, sample.periods, sample.shape._replace(autocorrelation=0.0))
    beats_zero = probabilistic_sharpe(sample.sharpe, 0.0, sample.periods, sample.shape._replace(autocorrelation=0.0))
    return ReturnStatistics(
        periods=sample.periods,
        periods_per_year=per_year,
        mean_frac=sample.mean * per_year,
        volatility_frac=sample.deviation * root,
        sharpe=sample.sharpe * root if varies else None,
        sharpe_interval=Interval(interval.low * root, interval.high * root) if varies else None,
        sharpe_probability=beats_zero if varies else None,
        sortino=sample.mean / downside * root if downside else None,
        omega=float(np.maximum(excess, 0.0).sum() / -losses.sum()) if downside else None,
        shape=sample.shape,
        positive_frac=float((excess > 0).mean()),
        best_frac=float(excess.max()),
        worst_frac=float(excess.min()),
        var_95_frac=-lowest,
        cvar_95_frac=-float(excess[excess <= lowest].mean()),
    )


class CurveStatistics(NamedTuple):
    """Figures of an equity curve; those of its drawdowns are of every point of it, not of periods.

    Attributes
    ----------
    total_return_frac : float
        Last over first value, less 1.
    cagr_frac : float or None
        Calendar CAGR: ``(last / first) ** (365 days / elapsed) - 1``, with the time that passed and not a count of
        periods; None for less than a day.
    drawdown_deepest, drawdown_deepest_frac, drawdown_longest_s : float
        Deepest fall below a peak, in money and as a share of its peak, and the longest time below one.
    worst_falls : tuple of Fall
        The five deepest, by their share.
    calmar : float or None
        Calendar CAGR over the deepest fall's share; None without a fall.
    ulcer_frac : float
        Square root of the mean squared share below the highest point, at the ends of the periods (P. Martin and
        B. McCann, *The Investor's Guide to Fidelity Funds*, 1989).
    """

    total_return_frac: float
    cagr_frac: float | None
    drawdown_deepest: float
    drawdown_deepest_frac: float
    drawdown_longest_s: float
    worst_falls: tuple[Fall, ...]
    calmar: float | None
    ulcer_frac: float


def curve_statistics(times: Times, values: Floats, returns: Floats) -> CurveStatistics:
    """Compute the figures of an equity curve that `checked_curve` returned.

    Parameters
    ----------
    returns : ndarray of float64, shape (n,)
        Returns per period, for the ulcer index.
    """
    values = until_ruin(values)
    deepest, worst_falls = drawdown_and_falls(times, values)
    share = deepest.deepest_frac or 0.0
    cagr = calendar_cagr(times, values)
    steps = np.concatenate([[1.0], np.cumprod(1 + returns)])
    below = 1 - steps / np.maximum.accumulate(steps)
    return CurveStatistics(
        total_return_frac=float(values[-1] / values[0] - 1),
        cagr_frac=cagr,
        drawdown_deepest=deepest.deepest,
        drawdown_deepest_frac=share,
        drawdown_longest_s=deepest.longest_s,
        worst_falls=tuple(worst_falls),
        calmar=cagr / share if cagr is not None and share else None,
        ulcer_frac=math.sqrt(float((below[1:] ** 2).mean())),
    )


def calendar_cagr(times: Times, values: Floats) -> float | None:
    """Return growth a year of 365 days by the time that passed; None for less than a day, or past all numbers."""
    elapsed = int(times[-1] - times[0])
    if elapsed < _YEAR_NS / DAYS_A_YEAR:
        return None
    with np.errstate(over="ignore"):
        growth = float((values[-1] / values[0]) ** (_YEAR_NS / elapsed))
    return growth - 1 if math.isfinite(growth) else None


class AccountStatistics(NamedTuple):
    """A curve and its periodic returns together: their figures, and what they were measured from."""

    returns: ReturnStatistics | None
    curve: CurveStatistics
    measured: PeriodReturns


def account_statistics(
    time_ns: ArrayLike,
    equity: ArrayLike,
    calendar: Calendar,
    timeframe: Timeframe | str = "1d",
    initial: float | None = None,
    rate: float = 0.0,
) -> AccountStatistics:
    """Compute all figures of an equity curve.

    Parameters
    ----------
    time_ns, equity, calendar, timeframe, initial
        As in `period_returns`.
    rate : float
        Riskless return per period.

    Returns
    -------
    AccountStatistics
        `returns` is None when the curve has fewer than two periods.

    Raises
    ------
    ValueError
        As `period_returns` and `periods_per_year`.
    """
    return statistics_of(*checked_curve(time_ns, equity, initial), calendar, timeframe, rate)


def statistics_of(
    times: Times, values: Floats, calendar: Calendar, timeframe: Timeframe | str = "1d", rate: float = 0.0
) -> AccountStatistics:
    """Do what `account_statistics` does with what `checked_curve` returned: a long curve is checked once."""
    measured = returns_of(times, values, calendar, timeframe)
    returns, per_year = measured.returns, periods_per_year(timeframe, calendar.name)
    figures = return_statistics(returns, per_year, rate) if len(returns) > 1 else None
    return AccountStatistics(figures, curve_statistics(times, values, returns), measured)


class MarketComparison(NamedTuple):
    """A strategy beside a market or another benchmark (M. Jensen, *The Performance of Mutual Funds*, 1968).

    Attributes
    ----------
    alpha_frac : float
        Annual return that the benchmark does not explain: ``(mean - beta * mean of the benchmark) * per_year``.
    beta : float
        Covariance over the benchmark's variance.
    correlation : float or None
        Between the two; None when the strategy's returns do not vary.
    """

    alpha_frac: float
    beta: float
    correlation: float | None


def against_market(
    returns: ArrayLike, benchmark: ArrayLike, per_year: float, rate: float = 0.0
) -> MarketComparison | None:
    """Regress returns on those of a benchmark in the same periods; None when the benchmark does not vary.

    Raises
    ------
    ValueError
        As `checked`, and when the lengths differ.
    """
    own, other = checked(returns) - rate, checked(benchmark) - rate
    if len(own) != len(other):
        raise ValueError(f"benchmark: expected {len(own)} returns, was {len(other)}")
    mine, theirs = sample_of(own), sample_of(other)
    if not theirs.deviation:
        return None
    together = float((own - mine.mean) @ (other - theirs.mean)) / (len(own) - 1)
    beta = together / theirs.deviation**2
    correlation = together / (mine.deviation * theirs.deviation) if mine.deviation else None
    return MarketComparison((mine.mean - beta * theirs.mean) * per_year, beta, correlation)
