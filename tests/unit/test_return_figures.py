"""Figures of returns and equity curves against their definitions; the arithmetic is beside each."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import ArrayLike

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.statistics.drawdown import falls
from atrader.timeframes import Timeframe
from research.statistics.annualisation import periods_per_year
from research.statistics.periods import checked_curve, period_returns
from research.statistics.returns import account_statistics, against_market, curve_statistics, return_statistics
from research.statistics.sample import sample_of
from research.statistics.sharpe import probabilistic_sharpe, sharpe_interval

NAN, INF = math.nan, math.inf


def test_figures_of_returns_are_those_of_their_definitions() -> None:
    returns = np.array([0.02, -0.01, 0.03, -0.04, 0.05])
    found = return_statistics(returns, 252)
    assert (found.periods, found.periods_per_year) == (5, 252)
    assert found.mean_frac == pytest.approx(0.01 * 252)  # 0.05 / 5
    # deviations 0.01 -0.02 0.02 -0.05 0.04: squares 1 4 4 25 16 = 50 e-4, / 4
    deviation = math.sqrt(50e-4 / 4)
    assert found.volatility_frac == pytest.approx(deviation * math.sqrt(252))
    assert found.sharpe == pytest.approx(0.01 / deviation * math.sqrt(252))
    assert found.sortino == pytest.approx(0.01 / math.sqrt(17e-4 / 5) * math.sqrt(252))  # 1 + 16 over all five
    assert found.omega == pytest.approx(2.0)  # 0.10 / 0.05
    assert found.positive_frac == 0.6
    assert (found.best_frac, found.worst_frac) == (0.05, -0.04)
    assert found.var_95_frac == pytest.approx(0.034)  # a fifth of the way from -0.04 to -0.01
    assert found.cvar_95_frac == pytest.approx(0.04)
    assert found.shape == sample_of(returns).shape
    interval = sharpe_interval(0.01 / deviation, 5, found.shape._replace(autocorrelation=0))
    assert found.sharpe_interval == pytest.approx([value * math.sqrt(252) for value in interval])
    chance = probabilistic_sharpe(0.01 / deviation, 0, 5, found.shape._replace(autocorrelation=0))
    assert found.sharpe_probability == pytest.approx(chance)


def test_a_riskless_return_is_taken_from_each_period() -> None:
    returns = [0.02, -0.01, 0.03, -0.04, 0.05]
    found = return_statistics(returns, 252, rate=0.01)
    assert found.mean_frac == pytest.approx(0, abs=1e-12)
    assert found.sharpe == pytest.approx(0, abs=1e-9)
    assert found.positive_frac == 0.6
    assert found.omega == pytest.approx(0.07 / 0.07)  # 1 2 4 over 2 5
    assert found.worst_frac == pytest.approx(-0.05)


def test_returns_that_never_vary_or_never_lose_have_no_ratio() -> None:
    still = return_statistics([0.0, 0.0, 0.0], 252)
    assert (still.sharpe, still.sharpe_interval, still.sharpe_probability, still.sortino, still.omega) == (None,) * 5
    assert (still.volatility_frac, still.var_95_frac, still.positive_frac) == (0, 0, 0)
    assert return_statistics([0.1, 0.3], 0.5).mean_frac == pytest.approx(0.1)  # one period is two years
    winning = return_statistics([0.1, 0.2], 252)
    assert (winning.sortino, winning.omega) == (None, None)
    assert winning.sharpe is not None
    assert winning.var_95_frac < 0  # the worst was a gain
    for per_year in (0, -1, NAN, INF):
        with pytest.raises(ValueError, match="per_year"):
            return_statistics([0.1, 0.2], per_year)


def test_a_strategy_that_is_twice_the_market_and_a_bit_has_that_beta_and_alpha() -> None:
    market = np.random.default_rng(4).normal(0.001, 0.01, 300)
    found = against_market(2 * market + 0.0005, market, 252)
    assert found is not None
    assert found.beta == pytest.approx(2)
    assert found.alpha_frac == pytest.approx(0.0005 * 252)
    assert found.correlation == pytest.approx(1)
    # With a riskless rate r: own excess = 2 m + a - r = 2 (m - r) + a + r
    riskless = against_market(2 * market + 0.0005, market, 252, rate=0.0001)
    assert riskless is not None
    assert riskless.alpha_frac == pytest.approx(0.0006 * 252)
    other = np.random.default_rng(5).normal(0, 0.01, 300)
    unlike = against_market(other, market, 252)
    assert unlike is not None
    assert unlike.correlation == pytest.approx(np.corrcoef(other, market)[0, 1])
    slope, intercept = np.polyfit(market, other, 1)
    assert (unlike.beta, unlike.alpha_frac) == pytest.approx((slope, intercept * 252))


def test_a_market_that_stands_still_explains_nothing() -> None:
    assert against_market([0.1, 0.2], [0.0, 0.0], 252) is None
    cash = against_market([0.0, 0.0], [0.1, 0.2], 252)
    assert cash == (0, 0, None)
    with pytest.raises(ValueError, match="benchmark: expected 2 returns, was 3"):
        against_market([0.1, 0.2], [0.1, 0.2, 0.3], 252)


# ------------------------------------------------------------------------------------------------ periods a year


@pytest.mark.parametrize(
    ("timeframe", "calendar", "expected"),
    [
        ("1h", "24/7", 8760),
        ("1m", "24/7", 525_600),
        ("5s", "24/7", 6_307_200),
        ("4h", "24/7", 2190),
        ("7h", "24/7", 1460),  # four a day, the last one of three hours
        ("1d", "24/7", 365),
        ("1w", "24/7", 365 / 7),
        ("1M", "24/7", 12),
        ("1d", "fx", 363 * 5 / 7),  # two holidays, which fall on five of seven days
        ("1h", "fx", 363 * 5 / 7 * 24),
        ("1w", "fx", 365 / 7),
        ("1M", "fx", 12),
        ("1d", "Europe/Helsinki@00:00 fx", 363 * 5 / 7),
        ("1h", "Europe/Helsinki@00:00", 8760),
    ],
)
def test_a_year_has_as_many_periods_as_its_market_is_open(timeframe: str, calendar: str, expected: float) -> None:
    assert periods_per_year(timeframe, calendar) == pytest.approx(expected, rel=1e-12)
    assert periods_per_year(Timeframe.parse(timeframe), calendar) == periods_per_year(timeframe, calendar)


@pytest.mark.parametrize(("timeframe", "calendar"), [("1d", "fx"), ("4h", "fx"), ("1d", "24/7")])
def test_what_a_year_has_is_what_the_calendar_counts_over_a_cycle_of_weekdays(timeframe: str, calendar: str) -> None:
    start_ns, end_ns = parse_time("1998-01-01T00:00:00Z"), parse_time("2026-01-01T00:00:00Z")  # 28 years
    bars = Calendar.get(calendar).expected_bars(start_ns, end_ns, Timeframe.parse(timeframe))
    assert periods_per_year(timeframe, calendar) == pytest.approx(len(bars) / 28, rel=1e-3)  # leap days, summer time


@pytest.mark.parametrize(
    ("timeframe", "calendar", "message"),
    [
        ("daily", "fx", "timeframe: expected a count and one of s, m, h, d, w, M"),
        ("", "fx", "timeframe"),
        ("2d", "fx", "days, weeks and months come one at a time"),
        ("1d", "nyse", "calendar: expected one of 'fx', '24/7'"),
    ],
)
def test_an_unknown_timeframe_or_calendar_is_an_error(timeframe: str, calendar: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        periods_per_year(timeframe, calendar)


# -------------------------------------------------------------------------------------------------- equity curves


def at(*texts: str) -> list[int]:
    return [parse_time(f"2024-{text}:00Z") for text in texts]


FX, ALWAYS = Calendar.get("fx"), Calendar.get("24/7")


def test_a_curve_is_measured_at_the_end_of_every_open_day() -> None:
    times = at("03-01T12:00", "03-02T00:00", "03-02T00:01", "03-04T23:00", "03-05T06:00")
    found = period_returns(times, [100, 110, 99, 121, 60.5], ALWAYS)
    # The 2nd at midnight still belongs to the 1st; nothing happened on the 3rd but a point of the 2nd holds.
    assert found.open_ns.tolist() == at("03-01T00:00", "03-02T00:00", "03-03T00:00", "03-04T00:00", "03-05T00:00")
    assert found.end_ns.tolist() == [*found.open_ns[1:].tolist(), times[-1]]
    assert found.equity.tolist() == [110, 99, 99, 121, 60.5]
    assert found.returns == pytest.approx([0.1, -0.1, 0, 2 / 9, -0.5])


def test_what_was_there_before_the_first_step_is_what_the_first_return_is_measured_from() -> None:
    times = at("03-02T00:00", "03-02T12:00")
    found = period_returns(times, [110, 99], ALWAYS, initial=100)
    assert found.open_ns.tolist() == at("03-01T00:00", "03-02T00:00")  # the first step ended with the 1st
    assert found.returns == pytest.approx([0.1, -0.1])
    assert period_returns(times, [110, 99], ALWAYS).returns == pytest.approx([-0.1])
    assert len(period_returns(times[:1], [110], ALWAYS, initial=100).returns) == 1


def test_weekends_are_no_days_and_what_happens_there_counts_to_friday() -> None:
    # FX is open until Friday 17:00 New York (22:00 UTC) and from Sunday 22:00 UTC
    times = at("03-01T12:00", "03-02T12:00", "03-03T23:00", "03-04T23:00")
    found = period_returns(times, [100, 110, 121, 133.1], FX)
    assert found.open_ns.tolist() == at("02-29T22:00", "03-03T22:00", "03-04T22:00")
    assert found.equity.tolist() == [110, 121, 133.1]
    begun = period_returns(at("03-02T12:00", "03-02T13:00", "03-04T01:00"), [100, 120, 60], FX)
    assert begun.returns == pytest.approx([0.2, -0.5])  # it began on a Saturday
    closed = period_returns(at("03-02T12:00", "03-02T13:00"), [100, 120], FX)
    assert closed.returns == pytest.approx([0.2])  # and ended there


def test_months_and_hours_are_periods_too() -> None:
    times = at("01-15T00:00", "01-31T00:00", "03-01T00:00", "03-01T10:00")
    by_month = period_returns(times, [100, 110, 121, 242], ALWAYS, "1M")
    assert by_month.returns == pytest.approx([0.1, 0.1, 1])  # February ends with the 1st of March at midnight
    by_hour = period_returns(at("01-01T00:00", "01-01T02:30"), [100, 110], ALWAYS, Timeframe.parse("1h"))
    assert by_hour.returns == pytest.approx([0, 0, 0.1])


def test_an_account_that_is_worth_nothing_stays_ruined() -> None:
    times = at("01-01T00:00", "01-02T00:00", "01-03T00:00", "01-04T00:00", "01-05T00:00")
    values = [100, 50, -20, 40, 80]
    found = period_returns(times, values, ALWAYS)
    assert found.returns.tolist() == [-0.5, -1, 0, 0]
    assert found.equity.tolist() == [50, -20, 40, 80]  # as it was
    assert period_returns(times[:3], [0.5, 0.25, 0.5], ALWAYS).returns.tolist() == [-0.5, 1]  # little is not


@pytest.mark.parametrize(
    ("values", "days"),
    [
        ([100, 50, -20, 40], [-0.5, -1, 0]),
        ([100, 0, 40], [-1, 0]),
        ([100, -0.5, 40], [-1, 0]),
        ([100, 0.5, -20, 40], [-0.995, -1, 0]),
    ],
)
def test_a_ruined_account_lost_everything_whatever_its_curve_shows_later(
    values: list[float], days: list[float]
) -> None:
    times = at("01-01T00:00", "01-02T00:00", "01-03T00:00", "01-04T00:00")[: len(values)]
    assert period_returns(times, values, ALWAYS).returns.tolist() == pytest.approx(days)
    whole = account_statistics(times, values, ALWAYS).curve
    assert (whole.total_return_frac, whole.cagr_frac, whole.drawdown_deepest_frac) == (-1, -1, 1)


def test_figures_of_a_curve_are_those_of_their_definitions() -> None:
    # 730 days = two years of 365 days
    times = at("01-01T00:00", "01-11T00:00", "01-21T00:00")
    times.append(times[0] + 730 * 86_400 * 10**9)
    found = curve_statistics(*checked_curve(times, [100, 90, 120, 144]), np.array([-0.1, 1 / 3, 0.2]))
    assert found.total_return_frac == pytest.approx(0.44)
    assert found.cagr_frac == pytest.approx(0.2)  # 1.44 ** (1 / 2) - 1
    assert (found.drawdown_deepest, found.drawdown_deepest_frac, found.drawdown_longest_s) == (10, 0.1, 20 * 86_400)
    assert found.calmar == pytest.approx(2)  # 0.2 / 0.1
    assert found.ulcer_frac == pytest.approx(math.sqrt(0.01 / 3))  # 0.1, 0, 0 below
    days = curve_statistics(*checked_curve(times, [100, 90, 120, 144]), np.array([-0.2, 0.1]))
    assert days.ulcer_frac == pytest.approx(math.sqrt((0.04 + 0.12**2) / 2))  # 1, 0.8, 0.88
    rising = account_statistics(times, [100, 110, 120, 144], ALWAYS, initial=96).curve
    assert (rising.calmar, rising.drawdown_deepest, rising.worst_falls, rising.ulcer_frac) == (None, 0, (), 0)
    assert rising.drawdown_deepest_frac == 0
    assert rising.total_return_frac == pytest.approx(0.5)
    hours = account_statistics(times[:1] + at("01-01T23:00"), [100, 99], ALWAYS).curve
    assert (hours.cagr_frac, hours.calmar, hours.drawdown_deepest_frac) == (None, None, 0.01)
    day = times[:1] + at("01-02T00:00")
    assert account_statistics(day, [100, 101], ALWAYS).curve.cagr_frac == pytest.approx(1.01**365 - 1)
    assert account_statistics(day, [1, 1000], ALWAYS).curve.cagr_frac is None  # 1000 to the power of 365


def test_an_account_has_figures_of_its_days_and_of_its_curve() -> None:
    times = at("03-01T00:00", "03-02T00:00", "03-03T00:00", "03-04T00:00")
    values = [101, 99, 105, 103]
    found = account_statistics(times, values, ALWAYS, initial=100, rate=0.0001)
    days = period_returns(times, values, ALWAYS, initial=100).returns
    assert found.returns == return_statistics(days, 365, 0.0001)
    assert found.curve == curve_statistics(*checked_curve(times, values, 100), days)
    assert account_statistics(times[:2], values[:2], ALWAYS).returns is None  # one day is no sample
    two = account_statistics(times[:2], values[:2], ALWAYS, initial=100).returns  # the first step ends with a day
    assert two is not None
    assert (two.periods, two.best_frac, two.worst_frac) == pytest.approx((2, 0.01, 99 / 101 - 1))
    hourly = account_statistics(times, values, ALWAYS, "1h").returns
    assert hourly is not None
    assert (hourly.periods, hourly.periods_per_year) == (72, 8760)


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([1, 2], [1.0], r"as many times as values, was \(2,\) and \(1,\)"),
        ([[1, 2]], [[1.0, 2.0]], r"as many times as values, was \(1, 2\) and \(1, 2\)"),
        ([1], [1.0], "two or more points, was 1"),
        ([1, 3, 3], [1.0, 2.0, 3.0], "times must increase, number 2"),
        ([1, 2], [1.0, NAN], "number 1 is nan"),
        ([1, 2], [0.0, 1.0], "expected a positive value to begin with, was 0.0"),
    ],
)
def test_a_curve_that_is_none_is_refused(times: ArrayLike, values: ArrayLike, message: str) -> None:
    for statistic in (account_statistics, period_returns):
        with pytest.raises(ValueError, match=message):
            statistic(times, values, ALWAYS)


def test_the_deepest_falls_come_first_with_where_they_began_and_ended() -> None:
    times = np.arange(10, dtype=np.int64) * 10**9
    values = np.array([100.0, 90, 100, 95, 80, 110, 100, 105, 120, 60])
    deepest, second, third, fourth = falls(times, values)
    assert deepest == (8 * 10**9, 9 * 10**9, None, 60, 0.5, 1)  # not over
    assert second == (2 * 10**9, 4 * 10**9, 5 * 10**9, 20, 0.2, 3)
    assert third == (0, 10**9, 2 * 10**9, 10, 0.1, 2)
    assert fourth == (5 * 10**9, 6 * 10**9, 8 * 10**9, 10, 10 / 110, 3)
    assert falls(times, values, most=1) == [deepest]
    assert falls(times[:0], values[:0]) == []
    assert falls(times, values.cumsum()) == []
    # From nothing on there are no shares: by money then
    mixed = falls(times[:6], np.array([0.0, -3, 2, 1, 3, -5]))
    assert [(fall.depth, fall.depth_frac) for fall in mixed] == [(8, 8 / 3), (3, None), (1, 0.5)]
    assert len(falls(np.arange(20, dtype=np.int64), np.tile([10.0, 9], 10))) == 5
    below_zero = falls(times[:3], np.array([-1.0, -5, -2]))
    assert below_zero == [(0, 10**9, None, 4, None, 2)]
