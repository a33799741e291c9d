"""Every published number that our statistics can be held against, with the place where it was published.

The values of 2012, 2014 and Lo follow from the formulas of the papers. Those of 2025 are what the authors' own program
prints (`functions.py` of zoonek/2025-sharpe-ratio), those of the CRAN package what its vignette shows.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from research.statistics.discovery import observed_false_discovery, planned_false_discovery, power_of
from research.statistics.overfitting import probability_of_overfitting
from research.statistics.sample import Shape
from research.statistics.sharpe import minimum_track_record, probabilistic_sharpe, sharpe_error
from research.statistics.trials import deflated_sharpe, expected_maximum, minimum_backtest_length
from tests.support.r_random import r_normal

MONTHS = Shape(skew=-2.448, kurtosis=10.164)
"""Returns of the example track record of the papers of 2012 and 2025: 24 months, ratio 0.458."""


def rounded_as(text: str) -> object:
    """Return what equals a number that rounds to a printed one."""
    digits = len(text.partition(".")[2])
    return pytest.approx(float(text), abs=0.5000001 * 10**-digits)


def test_the_deflated_sharpe_ratio_of_the_paper_of_2014() -> None:
    """Bailey and López de Prado, *The Deflated Sharpe Ratio*, JPM 40(5), 2014: equations 1 and 2, numerical example.

    An annualised ratio of 2.5 in 1,250 of 250 days a year, best of 100 trials whose annualised ratios have a variance
    of 1/2; skewness -3, kurtosis 10. With 46 trials it would be significant at 95 %; with normal returns, with 88.
    """
    daily, spread, shape = 2.5 / math.sqrt(250), 0.5 / 250, Shape(-3, 10)
    found = deflated_sharpe(daily, 1250, 100, spread, shape)
    assert found.threshold == rounded_as("0.1132")
    assert found.probability == rounded_as("0.9004")
    assert (found.trials, found.convention) == (100, "2012")
    assert deflated_sharpe(daily, 1250, 46, spread, shape).probability == rounded_as("0.9505")
    assert deflated_sharpe(daily, 1250, 88, spread).probability == rounded_as("0.9505")


def test_the_probabilistic_sharpe_ratio_of_the_paper_of_2012() -> None:
    """Bailey and López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15(2), 2012: PSR(0).

    A monthly ratio of 0.458 in 24 months: 0.982 if the returns were normal, 0.913 with their skewness and kurtosis.
    """
    assert probabilistic_sharpe(0.458, 0, 24) == rounded_as("0.982")
    assert probabilistic_sharpe(0.458, 0, 24, MONTHS) == rounded_as("0.913")


@pytest.mark.parametrize(
    ("per_year", "shape", "years"),
    [
        (252, Shape(), "2.73"),
        (52, Shape(), "2.83"),
        (12, Shape(), "3.24"),
        (12, Shape(-0.72, 5.78), "4.99"),
    ],
    ids=["daily", "weekly", "monthly", "monthly-hedge-funds"],
)
def test_the_minimum_track_record_lengths_of_the_paper_of_2012(per_year: int, shape: Shape, years: str) -> None:
    """The same paper, MinTRL: years until an annualised ratio of 2 exceeds 1 with 95 % confidence."""
    root = math.sqrt(per_year)
    assert minimum_track_record(2 / root, 1 / root, shape) / per_year == rounded_as(years)


def test_the_inference_of_the_paper_of_2025() -> None:
    """López de Prado, Lipton and Zoonekynd, *Sharpe Ratio Inference*, SSRN 5520741, 2025: authors' `functions.py`."""
    sharpe = 0.036 / 0.079
    assert sharpe_error(sharpe, 24, MONTHS) == rounded_as("0.329")
    assert sharpe_error(sharpe, 24) == rounded_as("0.214")
    assert minimum_track_record(sharpe, 0, MONTHS, convention="2025") == rounded_as("13.029")
    assert probabilistic_sharpe(sharpe, 0, 24, MONTHS, "2025") == rounded_as("0.987")
    assert probabilistic_sharpe(sharpe, 0.1, 24, MONTHS, "2025") == rounded_as("0.939")
    assert 1 - power_of(0, 0.5, 24, MONTHS) == rounded_as("0.315")
    assert planned_false_discovery(0.05, 0.05, 1 - 0.315) == rounded_as("0.581")
    assert observed_false_discovery(sharpe, 0, 0.5, 24, 0.05, MONTHS) == rounded_as("0.306")


def test_the_inference_of_the_paper_of_2025_for_returns_that_follow_each_other() -> None:
    """The same, its numerical example with an AR(1) of 0.2, significance 10 %, and 10 trials of variance 0.1."""
    sharpe, shape = 0.036 / 0.079, MONTHS._replace(autocorrelation=0.2)
    assert sharpe_error(sharpe, 24, shape) == rounded_as("0.379")
    assert minimum_track_record(sharpe, 0, shape, confidence=0.9, convention="2025") == rounded_as("11.863")
    assert probabilistic_sharpe(sharpe, 0, 24, shape, "2025") == rounded_as("0.966")
    assert probabilistic_sharpe(sharpe, 0.1, 24, shape, "2025") == rounded_as("0.900")
    power = power_of(0, 0.5, 24, shape, significance=0.1)
    assert power == rounded_as("0.676")
    assert planned_false_discovery(0.1, 0.1, power) == rounded_as("0.571")
    single = deflated_sharpe(sharpe, 24, 10, 0.1, shape, "2025")
    assert single.threshold == rounded_as("0.498")
    assert single.probability == rounded_as("0.457")
    family = deflated_sharpe(sharpe, 24, 10, 0.1, shape, "2025", of_maximum=True)
    assert family.threshold == single.threshold
    assert family.probability == rounded_as("0.427")


def test_the_expected_maximum_and_the_minimum_backtest_length_of_the_paper_of_2014() -> None:
    """Bailey, Borwein, López de Prado and Zhu, *Pseudo-Mathematics*, Notices of the AMS 61(5), 2014.

    Proposition 1: of 10 trials without skill the best has an expected ratio of 1.57. Theorem 2: in five years, no more
    than 45 may be tried, or the best is expected to have a ratio of 1.
    """
    assert expected_maximum(10) == rounded_as("1.57")
    assert expected_maximum(10) == rounded_as("1.5746")
    assert minimum_backtest_length(45) == rounded_as("4.998")
    assert minimum_backtest_length(46) == rounded_as("5.036")
    assert max(trials for trials in range(1, 100) if minimum_backtest_length(trials) <= 5) == 45


def test_the_overfitting_probability_of_the_vignette_of_the_package_pbo() -> None:
    """CRAN `pbo` 1.3.5, vignette: 100 trials of 2,400 periods of noise, all scaled and centred to be equally good.

    `set.seed(765)`; Sharpe ratio of returns less 0.03 / 252 a period, 8 blocks. The package prints p_bo 1, "slope"
    -0.0030456, adjusted R2 0.97 and p_loss 1. Its line goes the other way (in sample by out of sample, with the same
    R2), and what it calls slope is the intercept.
    """
    noise = r_normal(765, 2400 * 100).reshape(100, 2400).T
    noise *= (1 / math.sqrt(252)) / noise.std(axis=0, ddof=1)
    noise -= noise.mean(axis=0)
    found = probability_of_overfitting(noise - 0.03 / 252, blocks=8)
    assert len(found.logits) == 70
    assert found.probability == 1.0
    assert found.loss_probability == 1.0
    assert found.adjusted_r2 == rounded_as("0.97")
    slope, intercept = np.polyfit(found.out_of_sample, found.in_sample, 1)
    assert intercept == rounded_as("-0.0030456")
    assert slope == rounded_as("-0.974")
    assert [found.slope, found.intercept] == pytest.approx(np.polyfit(found.in_sample, found.out_of_sample, 1))


@pytest.mark.parametrize(
    ("sharpe", "periods", "error"), [(0.5, 12, "0.306"), (0.5, 24, "0.217"), (0.5, 60, "0.137"), (1.5, 12, "0.421")]
)
def test_the_standard_errors_of_lo(sharpe: float, periods: int, error: str) -> None:
    """Lo, *The Statistics of Sharpe Ratios*, Financial Analysts Journal 58(4), 2002: independent returns, table 1."""
    assert sharpe_error(sharpe, periods) == rounded_as(error)


def test_noise_has_an_overfitting_probability_of_one_half_on_average() -> None:
    """Bailey et al., *The Probability of Backtest Overfitting*, 2017: choosing among equals is worth nothing.

    One matrix may come out anywhere (0.52 with a deviation of 0.16), so this is the mean of many.
    """
    chance = np.random.default_rng(20261121)
    found = [probability_of_overfitting(chance.normal(size=(240, 100)), blocks=8).probability for _ in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * float(np.std(found)) / math.sqrt(len(found)))
    assert 0.4 < np.mean(found) < 0.6
