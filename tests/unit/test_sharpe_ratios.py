"""How far a Sharpe ratio can be trusted, against cases worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from research.statistics.discovery import critical_sharpe, observed_false_discovery, planned_false_discovery
from research.statistics.normal import STANDARD, probability
from research.statistics.returns import return_statistics
from research.statistics.sample import Shape, sample_of
from research.statistics.sharpe import (
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_error,
    sharpe_interval,
)

NAN, INF = math.nan, math.inf


def test_a_sample_is_described_by_its_moments() -> None:
    # mean 2; deviations -1 -1 -1 3: squares 12, sample variance 4; m3 = (-3 + 27) / 4 = 6, m4 = 84 / 4 = 21, m2 = 3
    found = sample_of([1, 1, 1, 5])
    assert (found.periods, found.mean, found.deviation) == (4, 2, 2)
    assert found.sharpe == 1
    assert found.shape.skew == pytest.approx(6 / 3**1.5)
    assert found.shape.kurtosis == pytest.approx(21 / 9)
    assert found.shape.autocorrelation == pytest.approx((1 + 1 - 3) / 12)  # neighbours: 1, 1, -3
    assert sample_of([0.1] * 7)[2:] == (0.0, Shape())
    assert sample_of([0.1] * 7).sharpe == 0
    assert sample_of([1, 1 + 1e-9]).deviation == pytest.approx(1e-9 / math.sqrt(2), rel=1e-6)  # little is not nothing


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ([1.0], "expected 2 or more, was 1"),
        ([], "expected 2 or more, was 0"),
        ([1.0, NAN, INF], r"number 1 \(of 2\) is nan"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
    ],
)
def test_returns_that_are_none_are_refused(returns: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample_of(returns)
    with pytest.raises(ValueError, match=message):
        return_statistics(returns, 252)


def test_a_negative_skew_and_fat_tails_make_a_good_ratio_less_certain() -> None:
    plain = sharpe_error(0.5, 100)
    assert plain == pytest.approx(math.sqrt(1.125 / 100))  # 1 + 0.5^2 / 2
    assert sharpe_error(0.5, 100, Shape(skew=-1)) == pytest.approx(math.sqrt(1.625 / 100))  # + 1 * 0.5
    assert sharpe_error(0.5, 100, Shape(kurtosis=7)) == pytest.approx(math.sqrt(1.375 / 100))  # 6 / 4 * 0.25
    # rho 0.5: mean (1.5 / 0.5 = 3), both (1.75 / 0.75), deviation (1.25 / 0.75)
    both = sharpe_error(0.5, 100, Shape(skew=-1, kurtosis=7, autocorrelation=0.5))
    assert both == pytest.approx(math.sqrt((3 + 7 / 3 * 0.5 + 5 / 3 * 1.5 * 0.25) / 100))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, 0), "periods: expected a positive number of returns, was 0"),
        ((0.5, 9, Shape(autocorrelation=1.0)), "autocorrelation: expected a value between -1 and 1, was 1.0"),
        ((0.5, 9, Shape(autocorrelation=-1.0)), "autocorrelation"),
        ((0.5, 9, Shape(skew=2, kurtosis=4.9)), "no distribution with skewness 2 has less than 5, was 4.9"),
    ],
)
def test_what_no_returns_can_look_like_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sharpe_error(*arguments)


def test_the_two_conventions_differ_and_another_is_refused() -> None:
    # 2012: (0.5 - 0.1) / sqrt(1.125 / 24); 2025: (0.5 - 0.1) / sqrt(1.005 / 25)
    assert probabilistic_sharpe(0.5, 0.1, 25) == STANDARD.cdf(0.4 / math.sqrt(1.125 / 24))
    assert probabilistic_sharpe(0.5, 0.1, 25, convention="2025") == STANDARD.cdf(0.4 / math.sqrt(1.005 / 25))
    quantile = STANDARD.inv_cdf(0.99)
    assert minimum_track_record(0.5, 0.1, confidence=0.99) == pytest.approx(1 + 1.125 * (quantile / 0.4) ** 2)
    length = minimum_track_record(0.5, 0.1, confidence=0.99, convention="2025")
    assert length == pytest.approx(1.005 * (quantile / 0.4) ** 2)
    with pytest.raises(ValueError, match="convention: expected one of 2012, 2025, was '2014'"):
        probabilistic_sharpe(0.5, 0.1, 25, convention="2014")  # type: ignore[arg-type]


def test_a_track_record_that_does_not_beat_its_benchmark_is_never_long_enough() -> None:
    assert minimum_track_record(0.1, 0.1) == INF
    assert minimum_track_record(-0.1, 0.1) == INF
    assert minimum_track_record(0.2, 0.1, confidence=0.501) < 2
    for confidence in (0.5, 1.0):
        with pytest.raises(ValueError, match="confidence"):
            minimum_track_record(0.2, 0.1, confidence=confidence)


def test_the_interval_of_a_ratio_is_as_wide_as_its_error_says() -> None:
    low, high = sharpe_interval(0.5, 100)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 1.959964 * math.sqrt(1.125 / 100), rel=1e-6)
    assert sharpe_interval(0.5, 100, confidence=0.5).high == pytest.approx(0.5 + 0.67449 * math.sqrt(1.125 / 100), 1e-5)
    for confidence in (0, 1):
        with pytest.raises(ValueError, match="confidence"):
            sharpe_interval(0.5, 100, confidence=confidence)


def test_shapes_at_the_edge_of_what_a_distribution_can_have_are_taken() -> None:
    # two values, one twice as likely as the other: skewness 1 / sqrt(2), kurtosis 1.5
    edge = sample_of([1, 1, -2] * 5).shape
    assert (edge.skew, edge.kurtosis) == pytest.approx((-1 / math.sqrt(2), 1.5))
    expected = math.sqrt((1 + 0.3 / math.sqrt(2) + 0.5 / 4 * 0.09) / 10)
    assert sharpe_error(0.3, 10, edge._replace(autocorrelation=0)) == pytest.approx(expected)
    assert sharpe_error(2, 10, Shape(1, 2)) == pytest.approx(0, abs=1e-9)  # (1 - 2 / 2) ** 2


def test_without_an_error_there_is_no_doubt() -> None:
    assert [probability(distance, 0) for distance in (-1, 0, 1)] == [0, 0.5, 1]


def test_the_tests_of_a_ratio_refuse_shares_that_are_none() -> None:
    for share in (0, 1, -0.1, NAN):
        with pytest.raises(ValueError, match="prior"):
            planned_false_discovery(share, 0.05, 0.8)
        with pytest.raises(ValueError, match="significance"):
            planned_false_discovery(0.1, share, 0.8)
        with pytest.raises(ValueError, match="power"):
            planned_false_discovery(0.1, 0.05, share)
        with pytest.raises(ValueError, match="significance"):
            critical_sharpe(0, 24, significance=share)
        with pytest.raises(ValueError, match="prior"):
            observed_false_discovery(0.5, 0, 0.5, 24, share)
    assert critical_sharpe(0, 25, significance=0.05) == pytest.approx(1.644854 / 5, rel=1e-6)
    assert observed_false_discovery(90, 0, 0.5, 24, 0.1) == 0  # neither hypothesis gives such a ratio


@pytest.mark.parametrize("prior", [0.5, 0.2])
def test_nothing_is_learnt_from_a_ratio_where_the_alternative_is_the_null_hypothesis(prior: float) -> None:
    assert observed_false_discovery(0.3, 0.5, 0.5, 24, prior) == pytest.approx(1 - prior)
