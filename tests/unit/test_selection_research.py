"""Daily results, ranking, correlation and allocation: worked out by hand, or published."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns, parse_time
from atrader.errors import ConfigError
from research.selection.allocation import allocate, covariance
from research.selection.correlation import alike, correlation
from research.selection.daily import Daily, closed_by_instance, daily_results
from research.selection.ranking import KEYS, rank
from research.statistics.annualisation import periods_per_year

FX = Calendar.get("fx")


def trade(instance: str, closed: str, net: float, risk: float | None = 50.0, **more: Any) -> dict[str, Any]:
    """A row of the history."""
    close_ns = parse_time(closed)
    row = {
        "instance": instance,
        "state": "closed",
        "open_time_ns": close_ns - 3_600_000_000_000,
        "close_time_ns": close_ns,
        "profit": str(net + 2),
        "commission": "-1.5",
        "swap": "-0.5",
        "initial_risk": None if risk is None else str(risk),
    }
    return {**row, **more}


# Days of the fx calendar begin at 17:00 New York, 22:00 UTC in winter: Tuesday the 6th begins on Monday evening.
ROWS = [
    trade("a", "2026-01-06T10:00Z", 100.0),
    trade("a", "2026-01-06T21:00Z", -50.0),
    trade("a", "2026-01-06T22:30Z", 25.0, risk=25.0),
    trade("b", "2026-01-08T09:00Z", -30.0, risk=10.0),
    trade("b", "2026-01-08T09:00Z", 0.0, state="open", close_time_ns=None),
]


def test_results_count_to_the_day_on_which_trades_were_closed() -> None:
    daily = daily_results(closed_by_instance(ROWS), FX, "money")
    assert daily.names == ("a", "b")
    assert [iso_from_ns(day)[:16] for day in daily.open_ns.tolist()] == [
        "2026-01-05T22:00", "2026-01-06T22:00", "2026-01-07T22:00"
    ]  # fmt: skip
    assert daily.results.tolist() == [[50.0, 0.0], [25.0, 0.0], [0.0, -30.0]]


def test_results_in_r_are_over_the_initial_risk_of_each_trade() -> None:
    daily = daily_results(closed_by_instance(ROWS), FX, "r")
    assert daily.results.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, -3.0]]


def test_a_period_has_its_days_without_trades_too() -> None:
    start, end = parse_time("2026-01-05T12:00Z"), parse_time("2026-01-13T12:00Z")
    daily = daily_results(closed_by_instance(ROWS, start, end), FX, "money", start, end)
    # From Sunday evening on: seven days, as nothing begins on the two evenings before a weekend.
    assert len(daily.open_ns) == 7
    assert daily.results.sum(axis=0).tolist() == [75.0, -30.0]


def test_trades_outside_the_period_do_not_count() -> None:
    assert list(closed_by_instance(ROWS, parse_time("2026-01-07T00:00Z"))) == ["b"]
    assert len(closed_by_instance(ROWS, None, parse_time("2026-01-06T20:00Z"))["a"]) == 1


def test_a_trade_closed_at_the_weekend_counts_to_the_day_before() -> None:
    rows = [
        trade("a", "2026-01-09T12:00Z", 1.0),
        trade("a", "2026-01-10T12:00Z", 2.0),
        trade("a", "2026-01-12T12:00Z", 4.0),
    ]
    assert daily_results(closed_by_instance(rows), FX, "money").results.tolist() == [[3.0], [4.0]]


def test_a_trade_without_initial_risk_is_refused_by_name() -> None:
    rows = [*ROWS, trade("b", "2026-01-08T10:00Z", 1.0, risk=None)]
    with pytest.raises(ConfigError, match=r"b: the initial risk of 1 of 2 trades is not known.*--unit money"):
        daily_results(closed_by_instance(rows), FX, "r")


def test_no_trades_are_an_error() -> None:
    with pytest.raises(ConfigError, match="no closed trades"):
        daily_results({}, FX, "money")


# -- ranking


def test_standings_are_worked_out_by_hand() -> None:
    trades = closed_by_instance(ROWS)
    first, second = rank(trades, daily_results(trades, FX, "money"), "sharpe", 252.0)
    assert (first.rank, first.instance, first.trades, first.days, first.net) == (1, "a", 3, 3, 75.0)
    assert (first.expectancy, first.profit_factor) == (25.0, 2.5)
    assert first.win_rate_frac == pytest.approx(2 / 3)
    assert first.average_r == pytest.approx((2 - 1 + 1) / 3)
    assert first.sharpe == pytest.approx(25 / 25 * 252**0.5)  # days 50, 25, 0: mean 25, sample deviation 25
    # Skewness 0, kurtosis 1.5: an error of sqrt((1 + 0.5 / 4) / 2) = 0.75, and 1 / 0.75 normal deviations.
    assert first.probability == pytest.approx(0.90879, abs=1e-5)
    assert (first.drawdown, second.drawdown) == (0.0, 30.0)
    assert second.profit_factor == 0.0


def test_the_smallest_drawdown_is_best_and_what_has_no_meaning_comes_last() -> None:
    rows = [*ROWS, trade("c", "2026-01-07T09:00Z", 10.0)]
    trades = closed_by_instance(rows)
    daily = daily_results(trades, FX, "money")
    order = {by: [one.instance for one in rank(trades, daily, by, 252.0)] for by in KEYS}
    assert order["drawdown"] == ["a", "c", "b"]
    assert order["net"] == ["a", "c", "b"]
    assert order["profit-factor"] == ["a", "b", "c"]  # c has no loss: no factor
    assert [one.rank for one in rank(trades, daily, "net", 252.0)] == [1, 2, 3]
    assert [one.rank for one in rank(trades, daily, "profit-factor", 252.0)] == [1, 2, None]


def test_two_days_have_a_sharpe_ratio() -> None:
    trades = closed_by_instance(ROWS[:3])
    (only,) = rank(trades, daily_results(trades, FX, "money"), "sharpe", 252.0)
    assert only.sharpe == pytest.approx(37.5 / (25 / 2**0.5) * 252**0.5)  # days 50 and 25


def test_one_day_has_no_sharpe_ratio() -> None:
    trades = closed_by_instance(ROWS[:1])
    (only,) = rank(trades, daily_results(trades, FX, "money"), "sharpe", periods_per_year("1d", "fx"))
    assert (only.days, only.sharpe, only.probability) == (1, None, None)


# -- correlation


def test_correlations_of_columns_that_are_known() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0])
    results = np.column_stack((one, 5 - 2 * one, [1.0, -1.0, -1.0, 1.0], [2.0, 2.0, 2.0, 2.0]))
    matrix = correlation(results)
    np.testing.assert_allclose(matrix[:3, :3], [[1, -1, 0], [-1, 1, 0], [0, 0, 1]], atol=1e-15)
    assert np.isnan(matrix[3]).all()
    assert np.isnan(matrix[:, 3]).all()


def test_correlations_are_those_of_numpy() -> None:
    results = np.random.default_rng(1).normal(size=(200, 5))
    np.testing.assert_allclose(correlation(results), np.corrcoef(results.T), atol=1e-14)


def test_two_days_have_correlations() -> None:
    assert correlation(np.array([[1.0, 2.0, 5.0], [2.0, 4.0, 3.0]])) == pytest.approx(
        np.array([[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
    )


@pytest.mark.parametrize("days", [0, 1])
def test_too_few_days_have_no_correlation(days: int) -> None:
    assert np.isnan(correlation(np.ones((days, 2)))).all()


def test_pairs_that_move_together_are_named_the_closest_first() -> None:
    matrix = np.array([[1, 0.7, 0.9], [0.7, 1, -0.9], [0.9, -0.9, 1]])
    assert [pair[:2] for pair in alike(("a", "b", "c"), matrix, 0.7)] == [("a", "c"), ("a", "b")]


# -- allocation

NAMES = ("a", "b", "c", "d")
DEVIATIONS = np.array([0.1, 0.2, 0.3, 0.4])


def matrix_of(correlations: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(correlations, float) * np.outer(DEVIATIONS, DEVIATIONS)


ALIKE = matrix_of(np.full((4, 4), 0.5) + 0.5 * np.eye(4))
PUBLISHED = matrix_of([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])


def test_equal_shares() -> None:
    assert allocate(NAMES, ALIKE, "equal", 0.04).weights.tolist() == [0.01] * 4


def test_shares_by_volatility_are_in_inverse_proportion_to_it() -> None:
    # 1/0.1 : 1/0.2 : 1/0.3 : 1/0.4 = 12 : 6 : 4 : 3, whatever moves with what.
    for matrix in (ALIKE, PUBLISHED):
        np.testing.assert_allclose(allocate(NAMES, matrix, "volatility", 25.0).weights, [12, 6, 4, 3])


def test_risk_parity_with_equal_correlations_is_inverse_volatility() -> None:
    np.testing.assert_allclose(allocate(NAMES, ALIKE, "risk-parity", 25.0).weights, [12, 6, 4, 3], rtol=1e-10)


def test_risk_parity_of_the_published_example() -> None:
    # Maillard, Roncalli and Teiletche 2010, section 4.1: 38.4, 19.2, 24.3 and 18.2 percent.
    found = allocate(NAMES, PUBLISHED, "risk-parity", 100.0)
    assert found.weights.round(1).tolist() == [38.4, 19.2, 24.3, 18.2]
    np.testing.assert_allclose(found.contributions, 0.25, rtol=1e-9)


def test_the_deviation_is_that_of_the_sum() -> None:
    found = allocate(("a", "b"), np.array([[4.0, 0.0], [0.0, 9.0]]), "equal", 2.0)
    assert found.deviation == pytest.approx(13**0.5)
    np.testing.assert_allclose(found.contributions, [4 / 13, 9 / 13])


@pytest.mark.parametrize(
    ("method", "caps", "expected"),
    [
        ("equal", [1, 9, 2.5, 9], [1, 3.25, 2.5, 3.25]),
        # 9 shared 6 : 4 : 3 would be 4.15 for b, above its 4; then 5 is shared 4 : 3.
        ("volatility", [1, 4, 9, 9], [1, 4, 20 / 7, 15 / 7]),
    ],
)
def test_what_a_cap_cuts_off_goes_to_the_others(method: Any, caps: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(allocate(NAMES, ALIKE, method, 10.0, np.array(caps)).weights, expected)


def test_one_cap_alone_cuts_off_of_risk_parity_as_well() -> None:
    # Without correlations the others have equal contributions by inverse volatility: 9 are shared 6 : 4 : 3.
    found = allocate(NAMES, matrix_of(np.eye(4)), "risk-parity", 10.0, np.array([1, np.inf, np.inf, np.inf]))
    np.testing.assert_allclose(found.weights, [1, 54 / 13, 36 / 13, 27 / 13], rtol=1e-9)


def test_equal_shares_of_what_never_varied_have_no_contributions() -> None:
    found = allocate(("a", "b"), np.zeros((2, 2)), "equal", 1.0)
    assert (found.weights.tolist(), found.deviation) == ([0.5, 0.5], 0)
    assert np.isnan(found.contributions).all()


@pytest.mark.parametrize(
    ("budget", "caps"), [(0, [1, 1]), (-1, [1, 1]), (np.inf, [1, 1]), (np.nan, [1, 1]), (1, [1, 0]), (1, [2, -1])]
)
def test_a_budget_or_a_cap_that_is_no_amount_is_refused(budget: float, caps: list[float]) -> None:
    with pytest.raises(ConfigError, match="budget and caps must be positive numbers"):
        allocate(("a", "b"), np.eye(2), "equal", budget, np.array(caps))


def test_caps_that_leave_no_room_are_refused() -> None:
    assert allocate(("a", "b"), np.eye(2), "equal", 3.0, np.array([1.0, 2.0])).weights.tolist() == [1, 2]
    with pytest.raises(ConfigError, match=r"the caps add up to 0\.3, less than the budget of 0\.4"):
        allocate(("a", "b"), np.eye(2), "equal", 0.4, np.array([0.1, 0.2]))


@pytest.mark.parametrize("method", ["volatility", "risk-parity"])
def test_results_that_do_not_vary_are_refused_by_name(method: Any) -> None:
    with pytest.raises(ConfigError, match="results of b do not vary"):
        allocate(("a", "b"), np.diag([1.0, 0.0]), method, 1.0)


def test_instances_that_cancel_each_other_out_have_no_risk_parity_unless_shrunk() -> None:
    one = np.random.default_rng(2).normal(size=50)
    results = np.column_stack((one, -one, one + 0.5))
    with pytest.raises(ConfigError, match="cancel each other out"):
        allocate(("a", "b", "c"), covariance(results), "risk-parity", 1.0)
    found = allocate(("a", "b", "c"), covariance(results, 0.1), "risk-parity", 1.0)
    np.testing.assert_allclose(found.contributions, 1 / 3, rtol=1e-9)


def test_shrinking_leaves_variances_and_scales_the_rest() -> None:
    results = Daily(("a", "b"), np.arange(3), np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])).results
    np.testing.assert_allclose(covariance(results, 0.25), [[1, 1.5], [1.5, 4]])
    with pytest.raises(ConfigError, match="at least 2 days"):
        covariance(results[:1])
