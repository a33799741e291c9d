"""What must hold for any returns; and planted data: an edge is found, noise is called noise."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from atrader.calendars import Calendar
from atrader.market import Bars
from atrader.statistics.drawdown import drawdown, falls
from research.statistics.neighbourhood import neighbourhood_of_points, neighbourhood_on_grid
from research.statistics.overfitting import probability_of_overfitting
from research.statistics.periods import period_returns
from research.statistics.permutation import over_permutations, p_value_of
from research.statistics.resampling import bootstrap_returns, circular_indices, stationary_indices, trade_orders
from research.statistics.returns import return_statistics
from research.statistics.robustness import ranking, robustness_factors
from research.statistics.sample import Shape, sample_of
from research.statistics.sharpe import minimum_track_record, probabilistic_sharpe, sharpe_error
from research.statistics.trials import deflate, effective_trials

SHARPES = st.floats(-2, 2)
CONVENTIONS = st.sampled_from(["2012", "2025"])


@st.composite
def shapes(draw: Any) -> Shape:
    skew = draw(st.floats(-3, 3))
    return Shape(skew, 1.1 + skew**2 + draw(st.floats(0, 10)), draw(st.floats(-0.5, 0.5)))


@given(SHARPES, SHARPES, st.integers(3, 5000), shapes(), CONVENTIONS)
def test_a_probabilistic_ratio_is_one_half_at_its_benchmark_and_on_the_right_side_of_it(
    sharpe: float, benchmark: float, periods: int, shape: Shape, convention: Any
) -> None:
    shape = shape._replace(autocorrelation=0.0)
    found = probabilistic_sharpe(sharpe, benchmark, periods, shape, convention)
    assert 0 <= found <= 1
    assert (found - 0.5) * (sharpe - benchmark) >= 0
    assert probabilistic_sharpe(sharpe, sharpe, periods, shape, convention) == 0.5


@given(st.floats(0.05, 1.5), st.floats(0.01, 1), shapes(), st.floats(0.6, 0.999), CONVENTIONS)
def test_a_track_record_of_minimum_length_has_just_the_confidence(
    benchmark: float, above: float, shape: Shape, confidence: float, convention: Any
) -> None:
    shape = shape._replace(autocorrelation=0.0)
    length = minimum_track_record(benchmark + above, benchmark, shape, confidence=confidence, convention=convention)
    found = probabilistic_sharpe(benchmark + above, benchmark, length, shape, convention)  # type: ignore[arg-type]
    assert found == pytest.approx(confidence, abs=1e-9)


@given(SHARPES, st.integers(2, 5000), shapes())
def test_four_times_the_returns_halve_the_error(sharpe: float, periods: int, shape: Shape) -> None:
    assert 2 * sharpe_error(sharpe, 4 * periods, shape) == pytest.approx(sharpe_error(sharpe, periods, shape))


def test_the_error_of_a_ratio_is_how_much_it_varies_from_sample_to_sample() -> None:
    chance = np.random.default_rng(17)
    draws = 0.1 + chance.normal(size=(4000, 250))
    skewed = 0.3 + 1 - chance.exponential(size=(4000, 250))  # skewness -2, kurtosis 9
    for values, sharpe, shape in ((draws, 0.1, Shape()), (skewed, 0.3, Shape(-2, 9))):
        ratios = values.mean(axis=1) / values.std(axis=1, ddof=1)
        assert float(ratios.std()) == pytest.approx(sharpe_error(sharpe, 250, shape), rel=0.06)


def test_the_error_of_returns_that_follow_each_other_is_how_much_their_ratio_varies() -> None:
    chance, rho = np.random.default_rng(18), 0.4
    noise = chance.normal(size=(500, 3000))
    for row in range(1, len(noise)):
        noise[row] = rho * noise[row - 1] + math.sqrt(1 - rho**2) * noise[row]
    ratios = (0.2 + noise).mean(axis=0) / noise.std(axis=0, ddof=1)
    assert float(ratios.std()) == pytest.approx(sharpe_error(0.2, 500, Shape(autocorrelation=rho)), rel=0.06)
    assert sample_of(noise[:, 0]).shape.autocorrelation == pytest.approx(rho, abs=0.15)


RATIOS = st.floats(-5, 5).map(lambda ratio: ratio if abs(ratio) > 1e-100 else 0.0)  # squares that floats hold


@given(npst.arrays(np.float64, 20, elements=RATIOS), npst.arrays(np.float64, 20, elements=RATIOS))
def test_a_robustness_factor_never_rewards_a_loss_and_undefined_ones_are_last(before: Any, after: Any) -> None:
    factors = robustness_factors(before, after)
    known = ~np.isnan(factors)
    np.testing.assert_array_equal(known, before > 0.1)
    np.testing.assert_array_equal(np.sign(factors[known]), np.sign(after[known]) * (after[known] ** 2 > 0))
    np.testing.assert_allclose(np.abs(factors[known]) * before[known], after[known] ** 2, rtol=1e-12, atol=1e-300)
    ranked = factors[ranking(factors)]
    assert np.all(np.diff(ranked[: known.sum()]) <= 0)
    assert np.isnan(ranked[known.sum() :]).all()


# ------------------------------------------------------------------------------------------------- planted data


def noise_of(seed: int, periods: int = 504, trials: int = 60) -> Any:
    return np.random.default_rng(seed).normal(0, 0.01, (periods, trials))


def test_a_planted_edge_is_found_and_survives_deflation() -> None:
    values = noise_of(1)
    values[:, 23] += 0.0035  # a ratio of 0.35 a day: more than 5 a year
    assert probability_of_overfitting(values, 10).probability < 0.01
    assert set(probability_of_overfitting(values, 10).chosen.tolist()) == {23}
    found = deflate(values)
    assert found.probability > 0.99
    assert 0.1 < found.threshold < 0.2  # the best of 60 without an edge, and what the edge adds to their spread


def test_the_best_of_pure_noise_is_called_noise() -> None:
    deflated, overfitting = zip(
        *((deflate(values).probability, probability_of_overfitting(values, 8).probability)
          for values in map(noise_of, range(100, 160))),
        strict=True,
    )  # fmt: skip
    assert np.mean(np.array(deflated) > 0.95) <= 0.1  # one in twenty by chance
    assert 0.3 < np.mean(deflated) < 0.7
    assert 0.4 < np.mean(overfitting) < 0.6
    # Undeflated, the same best ones would nearly all pass
    plain = [
        probabilistic_sharpe(float((values.mean(axis=0) / values.std(axis=0, ddof=1)).max()), 0, len(values))
        for values in map(noise_of, range(100, 160))
    ]
    assert np.mean(np.array(plain) > 0.95) > 0.9


def test_what_is_good_by_turns_is_overfitted() -> None:
    # Each trial earns in some blocks what it loses in the others: the best in sample must be bad out of sample.
    chance = np.random.default_rng(5)
    values = noise_of(5, 480, 40)
    for trial in range(40):
        signs = chance.permutation(np.repeat([1.0, -1.0], 4))
        values[:, trial] += 0.005 * np.repeat(signs, 60)
    found = probability_of_overfitting(values, 8)
    assert found.probability > 0.9
    assert found.slope < -0.5
    assert found.loss_probability > 0.9


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 50))
def test_overfitting_knows_neither_the_size_nor_the_order_of_trials(seed: int, size: float) -> None:
    values = noise_of(seed, 80, 9)
    found = probability_of_overfitting(values, 6)
    order = np.random.default_rng(seed).permutation(9)
    other = probability_of_overfitting(values[:, order] * size, 6)
    assert other.probability == found.probability
    np.testing.assert_allclose(np.sort(other.logits), np.sort(found.logits))
    np.testing.assert_array_equal(order[other.chosen], found.chosen)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(3, 40))
def test_there_are_never_more_effective_trials_than_trials_or_periods(seed: int, trials: int, periods: int) -> None:
    found = effective_trials(noise_of(seed, periods, trials))
    assert 1 <= found.rank <= min(trials, periods - 1) + 1e-9
    assert 1 <= found.by_correlation <= trials


def bars_that(follow: float, seed: int, count: int = 600) -> Bars:
    """Return bars whose moves go on as before (or not)."""
    chance = np.random.default_rng(seed)
    moves = chance.normal(0, 0.01, count)
    for place in range(1, count):
        moves[place] += follow * moves[place - 1]
    closes = 100 * np.exp(np.cumsum(moves))
    opens = np.concatenate([[100.0], closes[:-1]])
    prices = (opens, np.maximum(opens, closes), np.minimum(opens, closes), closes)
    return Bars(np.arange(count) * 60 * 10**9, *prices, *prices, np.ones(count))


def momentum(bars: Bars) -> float:
    """Return the ratio of a strategy that holds what rose in the bar before."""
    moves = np.diff(np.log(bars.close))
    return sample_of(np.sign(moves[:-1]) * moves[1:]).sharpe


def test_a_planted_pattern_is_found_by_permuting_bars_and_noise_is_not() -> None:
    def p_value(bars: Bars, draws: int) -> float:
        return p_value_of(momentum(bars), over_permutations(lambda one: [momentum(one)], bars, draws)[0])

    assert p_value(bars_that(0.3, 1), 99) == 0.01
    values = [p_value(bars_that(0.0, seed, 200), 39) for seed in range(40)]
    assert 0.35 < np.mean(values) < 0.65  # uniform
    assert np.mean(np.array(values) <= 0.05) <= 0.15


# --------------------------------------------------------------------------------------------------- resampling


@settings(max_examples=40)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1), st.data())
def test_drawn_blocks_go_on_from_one_place_to_the_next(count: int, seed: int, data: Any) -> None:
    length = data.draw(st.integers(1, count))
    chance = np.random.default_rng(seed)
    fixed = circular_indices(count, length, 5, chance)
    assert fixed.shape == (5, count)
    goes_on = fixed[:, 1:] == (fixed[:, :-1] + 1) % count
    inside = np.arange(1, count) % length != 0
    assert goes_on[:, inside].all()
    drawn = stationary_indices(count, length, 5, chance)
    for found in (fixed, drawn):
        assert found.min() >= 0
        assert found.max() < count


def test_blocks_of_the_stationary_bootstrap_have_their_mean_length_and_begin_anywhere() -> None:
    found = stationary_indices(500, 10, 400, np.random.default_rng(2))
    goes_on = found[:, 1:] == (found[:, :-1] + 1) % 500
    assert float(goes_on.mean()) == pytest.approx(0.9 + 0.1 / 500, abs=0.003)
    counts = np.bincount(found.ravel(), minlength=500) / 400
    assert float(counts.mean()) == 1
    assert 0.75 < counts.min() <= counts.max() < 1.25


def test_blocks_keep_what_single_draws_lose() -> None:
    chance = np.random.default_rng(3)
    returns = chance.normal(0, 0.01, 800)
    for place in range(1, 800):
        returns[place] += 0.6 * returns[place - 1]
    wide, single = (bootstrap_returns(returns, 600, 1, block_length=length) for length in (40, 1))
    assert float(wide.sharpe.std()) > 1.6 * float(single.sharpe.std())  # the true ratio of errors is about 2
    assert float(single.sharpe.std()) == pytest.approx(1 / math.sqrt(800), rel=0.1)


@settings(max_examples=40)
@given(npst.arrays(np.float64, st.integers(1, 30), elements=st.floats(-50, 50)), st.integers(0, 2**32 - 1))
def test_orders_of_trades_keep_their_sum_and_fall_no_deeper_than_all_losses(net: Any, seed: int) -> None:
    found = trade_orders(net, 1000, 20, seed)
    np.testing.assert_allclose(found.final, 1000 + net.sum(), atol=1e-9)
    losses = -net[net < 0].sum()
    assert found.drawdown.max() <= losses + 1e-9
    assert found.drawdown.min() >= -min(net.min(), 0) - 1e-9  # no order hides the worst trade
    assert found.drawdown.min() >= -net.sum() - 1e-9


# ------------------------------------------------------------------------------------------------- curves, grids


@given(npst.arrays(np.float64, st.integers(2, 40), elements=st.floats(1, 1000)))
def test_the_deepest_fall_is_the_drawdown_and_falls_do_not_overlap(values: Any) -> None:
    times = np.arange(len(values), dtype=np.int64) * 10**9
    found, whole = falls(times, values, most=100), drawdown(times, values)
    assert max((fall.depth for fall in found), default=0) == whole.deepest
    assert max((fall.depth_frac or 0 for fall in found), default=0) == whole.deepest_frac
    assert max((fall.lasted_s for fall in found), default=0) == whole.longest_s
    ordered = sorted(found)
    for one, other in pairwise(ordered):
        assert one.recovered_ns is not None
        assert one.peak_ns < one.lowest_ns < one.recovered_ns <= other.peak_ns
    brute = max(float(values[place] - values[place:].min()) for place in range(len(values)))
    assert whole.deepest == pytest.approx(brute)


@given(
    npst.arrays(np.float64, st.integers(2, 60), elements=st.floats(1, 1000)),
    st.integers(1, 5 * 10**13),
    st.sampled_from(["1h", "1d", "1w"]),
    st.sampled_from(["fx", "24/7"]),
)
def test_returns_of_periods_compound_to_the_whole(values: Any, step_ns: int, timeframe: str, name: str) -> None:
    times = 1_700_000_000 * 10**9 + np.arange(1, len(values) + 1, dtype=np.int64) * step_ns
    found = period_returns(times, values, Calendar.get(name), timeframe, initial=50)
    assert float(np.prod(1 + found.returns)) == pytest.approx(values[-1] / 50, rel=1e-9)
    assert found.equity[-1] == values[-1]
    assert np.all(np.diff(found.end_ns) > 0)
    assert np.all(found.open_ns < found.end_ns)
    assert np.all(found.open_ns[1:] == found.end_ns[:-1])


@given(npst.arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5)))
def test_figures_of_any_returns_are_finite_or_none(values: Any) -> None:
    found = return_statistics(values, 252)
    for value in found:
        assert value is None or isinstance(value, tuple) or math.isfinite(value)
    assert found.cvar_95_frac >= found.var_95_frac - 1e-12
    assert found.worst_frac <= -found.var_95_frac
    assert found.shape.kurtosis >= 1 + found.shape.skew**2 - 1e-6
    if found.sharpe is not None and found.sharpe_interval is not None:
        assert found.sharpe_interval.low <= found.sharpe <= found.sharpe_interval.high


@settings(max_examples=40)
@given(npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=4), elements=st.floats(-9, 9, width=16)))
def test_neighbours_on_a_grid_are_those_of_its_points(scores: Any) -> None:
    assume(all(size > 1 for size in scores.shape))
    points = np.array(list(np.ndindex(scores.shape)))
    scaled = points / (np.array(scores.shape) - 1)
    on_grid = neighbourhood_on_grid(scores)
    reach = np.array(scores.shape) - 1
    if len(set(scores.shape)) == 1:  # one share of the range is one step along every axis
        of_points = neighbourhood_of_points(scaled, scores.ravel(), 1 / float(reach[0]))
        for one, other in zip(on_grid, of_points, strict=True):
            np.testing.assert_allclose(one.ravel(), other, rtol=1e-9, atol=1e-12)
    total = math.prod(scores.shape)
    assert on_grid.neighbours.max() <= min(3**scores.ndim, total) - 1
    assert np.all(on_grid.worst <= on_grid.mean + 1e-12)
