"""What many trials do to the best of them, against the plain way to compute it."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from research.statistics.normal import maximum_of
from research.statistics.overfitting import probability_of_overfitting
from research.statistics.sample import sample_of
from research.statistics.sharpe import probabilistic_sharpe
from research.statistics.trials import (
    deflate,
    deflated_sharpe,
    effective_trials,
    expected_maximum,
    minimum_backtest_length,
    sharpe_ratios,
)

NAN, INF = math.nan, math.inf


def test_one_trial_is_expected_to_have_nothing_and_two_more_than_that() -> None:
    assert expected_maximum(1) == 0
    assert expected_maximum(1.1) == 0  # the approximation falls below zero there
    assert 0 < expected_maximum(2) < expected_maximum(2.5) < expected_maximum(3)
    for trials in (0.9, 0, -1, NAN, INF):
        with pytest.raises(ValueError, match="trials: expected 1 or more"):
            expected_maximum(trials)
    with pytest.raises(ValueError, match="sharpe: expected a positive ratio, was 0"):
        minimum_backtest_length(10, 0)
    assert minimum_backtest_length(10, 2) == pytest.approx(minimum_backtest_length(10) / 4)


@pytest.mark.parametrize(
    ("count", "mean", "variance"),
    [
        (1, 0.0, 1.0),
        (2, 1 / math.sqrt(math.pi), 1 - 1 / math.pi),
        (3, 3 / (2 * math.sqrt(math.pi)), 0.5594672),  # 1 + sqrt(3) / (2 pi) - 9 / (4 pi)
        (10, 1.5387527, 0.3443438),  # tables of normal order statistics (H. Harter, 1961)
    ],
)
def test_the_largest_of_several_normal_values_has_its_known_moments(count: int, mean: float, variance: float) -> None:
    found = maximum_of(count)
    assert found.mean == pytest.approx(mean, abs=1e-7)
    assert found.variance == pytest.approx(variance, abs=1e-6)
    with pytest.raises(ValueError, match="count: expected 1 or more"):
        maximum_of(0)


@pytest.mark.parametrize("trials", [5, 10, 100, 1000, 12870])
def test_the_approximation_of_the_papers_is_within_three_hundredths_of_the_exact_maximum(trials: int) -> None:
    exact = maximum_of(trials).mean
    assert exact < expected_maximum(trials) < 1.03 * exact


def test_deflating_refuses_what_the_conventions_do_not_have() -> None:
    with pytest.raises(ValueError, match="variance: expected 0 or more, was -1"):
        deflated_sharpe(0.1, 100, 10, -1)
    with pytest.raises(ValueError, match="of the convention 2025 and a whole number"):
        deflated_sharpe(0.1, 100, 10, 0.01, of_maximum=True)
    with pytest.raises(ValueError, match="of the convention 2025 and a whole number"):
        deflated_sharpe(0.1, 100, 10.5, 0.01, convention="2025", of_maximum=True)


def test_one_trial_is_not_deflated_at_all() -> None:
    column = np.random.default_rng(5).normal(0.1, 1, (200, 1))
    found = deflate(column)
    assert (found.threshold, found.trials) == (0, 1)
    sample = sample_of(column[:, 0])
    assert found.probability == pytest.approx(probabilistic_sharpe(sample.sharpe, 0, 200, sample.shape), rel=1e-12)


def test_deflating_a_matrix_takes_variance_and_shape_from_it() -> None:
    values = np.random.default_rng(6).normal(0, 1, (300, 20))
    values[:, 7] += 0.3
    ratios = values.mean(axis=0) / values.std(axis=0, ddof=1)
    np.testing.assert_allclose(sharpe_ratios(values), ratios, rtol=1e-12)
    best, shape, variance = ratios[7], sample_of(values[:, 7]).shape, ratios.var(ddof=1)
    assert deflate(values) == pytest.approx(deflated_sharpe(best, 300, 20, variance, shape))
    # More trials than are in the matrix, and another column than the best
    other = sample_of(values[:, 3]).shape
    assert deflate(values, trials=50, chosen=3) == pytest.approx(deflated_sharpe(ratios[3], 300, 50, variance, other))
    two = abs(ratios[7] - ratios[3]) / math.sqrt(2)  # the deviation of two
    assert deflate(values[:, [3, 7]]).threshold == pytest.approx(two * expected_maximum(2))
    named = deflate(values, convention="2025")
    assert named.convention == "2025"
    assert named == pytest.approx(deflated_sharpe(best, 300, 20, variance, shape, "2025"))


def test_a_combination_that_never_traded_has_a_ratio_of_zero() -> None:
    values = np.random.default_rng(6).normal(0, 1, (300, 3))
    values[:, 1] = 0.0
    values[:, 2] = 0.1  # constant but for rounding
    assert sharpe_ratios(values)[1:].tolist() == [0, 0]
    assert sharpe_ratios(values)[0] != 0


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        ([1.0, 2.0], "expected periods x trials, was an array of shape"),
        ([[1.0, 2.0]], "expected 2 or more periods of 1 or more trials"),
        ([[], []], "expected 2 or more periods of 1 or more trials"),
        ([[1.0, 2.0], [1.0, NAN]], "period 1 of trial 1 is nan"),
        ([[1.0, 2.0], [INF, NAN], [NAN, 2.0]], "period 1 of trial 0 is inf"),
    ],
)
def test_a_matrix_that_is_none_is_refused(returns: Any, message: str) -> None:
    for statistic in (sharpe_ratios, deflate, effective_trials):
        with pytest.raises(ValueError, match=message):
            statistic(returns)


def test_copies_of_a_trial_are_one_trial_and_opposite_ones_are_no_new_ones_by_rank() -> None:
    chance = np.random.default_rng(7)
    base = chance.normal(size=(4000, 3))
    copies = np.repeat(base, 4, axis=1) * np.linspace(1, 3, 12)  # size is no difference
    found = effective_trials(copies)
    assert found.rank == pytest.approx(3, abs=0.02)
    assert found.varying == 12
    # mean correlation: of 11 others 3 are 1, 8 are about 0
    assert found.by_correlation == pytest.approx(3 / 11 + 8 / 11 * 12, abs=0.3)
    apart = effective_trials(base)
    assert apart.rank == pytest.approx(3, abs=0.01)
    assert apart.by_correlation == pytest.approx(3, abs=0.1)
    assert effective_trials(np.column_stack([base[:, 0], -base[:, 0]])).rank == pytest.approx(1)
    assert effective_trials(base[:, :1]) == pytest.approx((1, 1, 1))


def test_two_correlated_trials_have_the_entropy_of_their_two_eigenvalues() -> None:
    one, two = np.random.default_rng(8).normal(size=(2, 500))
    two = 0.8 * one + 0.6 * two
    correlation = np.corrcoef(one, two)[0, 1]
    shares = np.array([1 + correlation, 1 - correlation]) / 2
    found = effective_trials(np.column_stack([one, two]))
    assert found.rank == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-9)
    assert found.by_correlation == pytest.approx(correlation + (1 - correlation) * 2, rel=1e-9)


def test_trials_that_never_traded_count_for_nothing() -> None:
    values = np.zeros((50, 5))
    with pytest.raises(ValueError, match="no trial varies"):
        effective_trials(values)
    values[:, 2] = np.random.default_rng(1).normal(size=50)
    values[:, 3] = 0.1
    values[:, 4] = 7e-9  # its mean is off by rounding
    assert effective_trials(values) == pytest.approx((1, 1, 1))


def test_more_trials_than_periods_are_counted_the_same_way() -> None:
    values = np.random.default_rng(9).normal(size=(30, 80))
    correlations = np.corrcoef(values.T)
    shares = np.linalg.eigvalsh(correlations) / 80
    shares = shares[shares > 1e-12]
    assert effective_trials(values).rank == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-6)


def overfitting_by_hand(values: np.ndarray[Any, Any], blocks: int) -> list[tuple[int, float, float, float]]:
    """Return chosen, ratios and relative rank of every split, computed from the returns themselves."""
    edges = [int(len(values) * number / blocks) for number in range(blocks + 1)]
    parts = [np.arange(edges[number], edges[number + 1]) for number in range(blocks)]
    found = []
    for half in combinations(range(blocks), blocks // 2):
        within = np.concatenate([parts[number] for number in half])
        without = np.setdiff1d(np.arange(len(values)), within)
        before, after = (values[rows].mean(axis=0) / values[rows].std(axis=0, ddof=1) for rows in (within, without))
        best = int(before.argmax())
        rank = ((after < after[best]).sum() + (after <= after[best]).sum() + 1) / 2
        found.append((best, before[best], after[best], rank / (values.shape[1] + 1)))
    return found


@pytest.mark.parametrize(("periods", "trials", "blocks"), [(64, 7, 4), (61, 6, 6), (40, 2, 2), (83, 40, 8)])
def test_overfitting_from_sums_over_blocks_is_that_from_the_returns(periods: int, trials: int, blocks: int) -> None:
    values = np.random.default_rng(periods).normal(0.05, 1, (periods, trials))
    found = probability_of_overfitting(values, blocks, threshold=0.02)
    expected = sorted(overfitting_by_hand(values, blocks))
    logits = np.log([share / (1 - share) for *_, share in expected])
    rows = np.lexsort((found.logits, found.out_of_sample, found.in_sample, found.chosen))
    assert found.chosen[rows].tolist() == [best for best, *_ in expected]
    np.testing.assert_allclose(found.in_sample[rows], [before for _, before, *_ in expected], rtol=1e-9)
    np.testing.assert_allclose(found.out_of_sample[rows], [after for _, _, after, _ in expected], rtol=1e-9)
    np.testing.assert_allclose(found.logits[rows], logits, atol=1e-12)
    assert found.probability == np.mean([share <= 0.5 for *_, share in expected])
    assert found.loss_probability == np.mean([after < 0.02 for _, _, after, _ in expected])
    if blocks > 2:
        line = np.polyfit(found.in_sample, found.out_of_sample, 1)
        assert (found.slope, found.intercept) == pytest.approx(tuple(line))
        fit, splits = np.corrcoef(found.in_sample, found.out_of_sample)[0, 1] ** 2, len(expected)
        assert found.adjusted_r2 == pytest.approx(1 - (1 - fit) * (splits - 1) / (splits - 2))


def test_overfitting_is_the_same_to_the_last_bit_on_any_number_of_threads() -> None:
    values = np.random.default_rng(3).normal(0.05, 1, (90, 6000))  # too many for one go
    with ThreadPoolExecutor(3) as pool:
        alone, together = (probability_of_overfitting(values, 12, pool=one) for one in (None, pool))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sixteen_blocks_are_the_rule_twenty_the_most_and_a_ratio_of_zero_is_no_loss() -> None:
    found = probability_of_overfitting(np.zeros((32, 2)))
    assert len(found.logits) == 12_870
    assert len(probability_of_overfitting(np.zeros((40, 2)), 20).logits) == 184_756
    assert found.loss_probability == 0


def test_a_combination_that_is_always_best_is_not_overfitted() -> None:
    values = np.random.default_rng(3).normal(0, 1, (400, 50))
    values[:, 11] += 1
    found = probability_of_overfitting(values, 8)
    assert (found.probability, found.loss_probability) == (0, 0)
    assert set(found.chosen.tolist()) == {11}
    assert np.all(found.logits == pytest.approx(math.log(50)))  # rank 50 of 50: (50 / 51) / (1 / 51)


def test_combinations_that_never_trade_neither_win_nor_break_anything() -> None:
    values = np.zeros((80, 5))
    values[:, 0] = np.random.default_rng(3).normal(-0.5, 1, 80)
    values[:10, 1] = -1.0  # only lost, long ago
    found = probability_of_overfitting(values, 8)
    assert np.isfinite(found.logits).all()
    assert set(found.chosen.tolist()) <= {2, 1}
    assert found.slope == 0 or math.isfinite(found.slope)
    # Those that never traded share their rank: 2, 3 and 4 tie
    still = probability_of_overfitting(np.zeros((80, 3)), 8)
    assert (still.logits == 0).all()
    assert (still.slope, still.intercept, still.adjusted_r2) == (0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "blocks", "message"),
    [
        ((100, 5), 7, "blocks: expected an even number from 2 to 20, was 7"),
        ((100, 5), 0, "was 0"),
        ((100, 5), 22, "was 22"),
        ((31, 5), 16, "expected 32 or more periods"),
        ((100, 1), 4, "two or more combinations"),
    ],
)
def test_cross_validation_without_enough_to_split_is_refused(shape: Any, blocks: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        probability_of_overfitting(np.random.default_rng(1).normal(size=shape), blocks)
