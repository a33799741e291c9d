"""Other orders and other draws of the same trades, returns and bars."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.market import Bars
from research.statistics.permutation import over_permutations, p_value_of, permuted_bars
from research.statistics.resampling import bootstrap_returns, circular_indices, stationary_indices, trade_orders

NAN = math.nan


def test_orders_of_two_trades_are_both_found_with_their_drawdowns() -> None:
    found = trade_orders([50, -30], 100, draws=200, seed=1)
    assert set(found.final) == {120.0}
    # +50 -30: 150 -> 120; -30 +50: 100 -> 70
    assert set(found.drawdown) == {30.0}
    assert set(np.round(found.drawdown_frac, 9)) == {0.2, 0.3}
    assert 60 < np.count_nonzero(found.drawdown_frac > 0.25) < 140


def test_drawing_with_replacement_varies_the_sum_and_may_ruin() -> None:
    found = trade_orders([50, -80], 100, draws=400, seed=2, replacement=True)
    assert set(found.final) == {200, 70, -60}
    assert 60 < np.count_nonzero(found.final == 200) < 140  # each trade is drawn as often: a quarter won twice
    assert found.drawdown_frac.max() == pytest.approx(1.6)
    assert found.drawdown_frac[found.final == 200].max() == 0


def test_the_same_seed_gives_the_same_numbers_and_another_other_ones() -> None:
    net = np.random.default_rng(1).normal(size=50)
    one, same, other = (trade_orders(net, 100, 50, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.drawdown, same.drawdown)
    assert not np.array_equal(one.drawdown, other.drawdown)
    first, again, third = (bootstrap_returns(net / 100, 50, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.growth, again.growth)
    assert not np.array_equal(first.growth, third.growth)


@pytest.mark.parametrize("at_once", [1_000, 199])  # five series, or less than one
def test_many_draws_are_made_in_portions_of_bounded_size(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("research.statistics.resampling._AT_ONCE", at_once)
    long = np.random.default_rng(1).normal(size=200)
    found = trade_orders(long, 1e6, draws=7)
    assert found.final == pytest.approx([1e6 + long.sum()] * 7)
    assert len(set(found.drawdown.tolist())) == 7
    assert len(bootstrap_returns(long / 1e4, draws=7).growth) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 100), "expected 1 or more, was 0"),
        (([1.0, NAN], 100), "is nan"),
        (([1.0], 0), "initial: expected a positive balance, was 0"),
        (([1.0], 100, 0), "draws: expected 1 or more, was 0"),
    ],
)
def test_orders_of_what_is_no_series_of_trades_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trade_orders(*arguments)


def test_blocks_as_long_as_the_series_only_turn_it() -> None:
    returns = np.array([0.1, -0.2, 0.3, 0.05])
    found = bootstrap_returns(returns, 100, blocks="circular", block_length=4)
    assert set(np.round(found.growth, 12)) == {round(float(np.prod(1 + returns)), 12)}
    falls = {round(turned_drawdown(np.roll(returns, turn)), 12) for turn in range(4)}
    assert set(np.round(found.drawdown_frac, 12)) == falls
    np.testing.assert_allclose(found.sharpe, returns.mean() / returns.std(ddof=1))
    assert found.block_length == 4


def turned_drawdown(returns: np.ndarray[Any, Any]) -> float:
    equity = np.concatenate([[1.0], np.cumprod(1 + returns)])
    return float((1 - equity / np.maximum.accumulate(equity)).max())


def test_a_block_of_two_holds_what_followed_each_other() -> None:
    found = circular_indices(5, 2, 50, np.random.default_rng(1))
    assert ((found[:, 1] - found[:, 0]) % 5 == 1).all()
    assert ((found[:, 3] - found[:, 2]) % 5 == 1).all()
    assert len(set(((found[:, 2] - found[:, 1]) % 5).tolist())) == 5  # the next block begins anywhere
    assert set(found[:, 0].tolist()) == set(range(5))


@pytest.mark.parametrize("indices", [circular_indices, stationary_indices])
def test_a_block_begins_at_each_place_as_often(indices: Callable[..., NDArray[np.intp]]) -> None:
    begins = indices(5, 2, 4_000, np.random.default_rng(3))[:, 0]
    np.testing.assert_allclose(np.bincount(begins) / 4_000, [0.2] * 5, atol=0.03)


def test_blocks_of_one_length_are_of_whole_periods() -> None:
    exact, rounded = (circular_indices(9, length, 20, np.random.default_rng(1)) for length in (2, 2.4))
    np.testing.assert_array_equal(rounded, exact)


def test_a_new_block_begins_as_often_as_its_mean_length_says() -> None:
    found = stationary_indices(200, 5, 200, np.random.default_rng(2))
    goes_on = (np.diff(found, axis=1) % 200 == 1).mean()
    assert float(goes_on) == pytest.approx(0.8, abs=0.01)


def test_a_thousand_draws_with_seed_nought_are_the_rule() -> None:
    net = [0.03, -0.01, 0.02, -0.02]
    np.testing.assert_array_equal(trade_orders(net, 1).drawdown, trade_orders(net, 1, 1000, 0).drawdown)
    np.testing.assert_array_equal(bootstrap_returns(net).growth, bootstrap_returns(net, 1000, 0).growth)
    assert len(trade_orders(net, 1, draws=1).final) == 1


def test_without_a_length_blocks_are_as_long_as_the_cube_root_of_the_series() -> None:
    returns = np.random.default_rng(1).normal(size=64) / 100
    assert bootstrap_returns(returns, 2).block_length == 4
    assert bootstrap_returns([0.1, 0.2], 2).block_length == 1
    drawn = returns[stationary_indices(64, 4, 20, np.random.default_rng(0))]
    np.testing.assert_allclose(bootstrap_returns(returns, 20).growth, np.prod(1 + drawn, axis=1))


def test_a_loss_of_everything_ruins_for_good() -> None:
    found = bootstrap_returns([-1.5, 0.5], 200, blocks="circular", block_length=1)
    assert set(np.round(found.growth, 12)) == {0.0, 2.25}
    assert set(np.round(found.drawdown_frac, 12)) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"block_length": 0.5}, "block_length: expected 1 to 3 periods, was 0.5"),
        ({"block_length": 4}, "was 4"),
        ({"blocks": "moving"}, "blocks: expected one of stationary, circular, was 'moving'"),
        ({"draws": 0}, "draws"),
    ],
)
def test_blocks_that_cannot_be_drawn_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_returns([0.1, 0.2, -0.1], **changes)


def test_a_p_value_is_never_zero() -> None:
    assert p_value_of(5, [1, 2, 3]) == 0.25  # (1 + 0) / 4
    assert p_value_of(2, [1, 2, 3]) == 0.75  # as large counts
    with pytest.raises(ValueError, match="observed: expected a number, was nan"):
        p_value_of(NAN, [1.0])
    with pytest.raises(ValueError, match="is nan"):
        p_value_of(1, [NAN])
    with pytest.raises(ValueError, match="expected 1 or more, was 0"):
        p_value_of(1, [])


# -------------------------------------------------------------------------------------------------- permuted bars


def bars_of(count: int = 40, seed: int = 1) -> Bars:
    chance = np.random.default_rng(seed)
    closes = 0.9 * np.exp(np.cumsum(chance.normal(0, 0.01, count)))
    opens = np.concatenate([[0.9], closes[:-1]]) * np.exp(chance.normal(0, 0.002, count))
    highs = np.maximum(opens, closes) * np.exp(np.abs(chance.normal(0, 0.004, count)))
    lows = np.minimum(opens, closes) * np.exp(-np.abs(chance.normal(0, 0.004, count)))
    spread = 1 + np.abs(chance.normal(0, 1e-4, count))
    bid = (opens, highs, lows, closes)
    return Bars(np.arange(count) * 60 * 10**9, *bid, *(price * spread for price in bid), chance.random(count))


def shapes_of(bars: Bars) -> list[tuple[float, ...]]:
    """Return each bar beside its open, with its volume."""
    columns = [np.log(np.asarray(column, float) / bars.open) for column in bars.columns[2:9]]
    return sorted(zip(*(np.round(column, 9).tolist() for column in columns), bars.volume.tolist(), strict=True))


def test_permuted_bars_have_the_same_bars_and_gaps_in_another_order() -> None:
    bars = bars_of()
    made = permuted_bars(bars, 3, 0)
    assert shapes_of(made) == shapes_of(bars)
    new, old = (np.sort(np.log(one.open[1:] / one.close[:-1])) for one in (made, bars))
    np.testing.assert_allclose(new, old, atol=1e-12)
    assert made.open_time_ns.tolist() == bars.open_time_ns.tolist()
    assert made.open[0] == pytest.approx(bars.open[0])
    assert made.close[-1] == pytest.approx(bars.close[-1])
    assert not np.allclose(made.close, bars.close)
    assert not np.allclose(np.log(made.close / made.open), np.log(bars.close / bars.open))
    assert not np.allclose(np.log(made.open[1:] / made.close[:-1]), np.log(bars.open[1:] / bars.close[:-1]))


def test_a_permutation_has_a_number_and_is_always_the_same() -> None:
    bars = bars_of()
    np.testing.assert_array_equal(permuted_bars(bars, 3, 7).close, permuted_bars(bars, 3, 7).close)
    for other in (permuted_bars(bars, 3, 8), permuted_bars(bars, 4, 7)):
        assert not np.array_equal(other.close, permuted_bars(bars, 3, 7).close)


def test_bars_at_the_beginning_can_be_kept() -> None:
    bars = bars_of()
    made = permuted_bars(bars, 3, 0, keep=10)
    for old, new in zip(bars.columns, made.columns, strict=True):
        np.testing.assert_array_equal(old[:10], new[:10])
    assert made.open[10] == pytest.approx(bars.open[10])
    assert made.close[-1] == pytest.approx(bars.close[-1])
    assert not np.allclose(made.close[10:], bars.close[10:])


def test_permuted_prices_are_multiples_of_the_tick_and_bars_stay_bars() -> None:
    exact, made = (permuted_bars(bars_of(400), 3, 0, tick=tick) for tick in (None, 0.0005))
    np.testing.assert_allclose(made.close, exact.close, atol=0.00025001)
    for column in made.columns[1:9]:
        steps = np.asarray(column) / 0.0005
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)
    assert np.all(made.low <= np.minimum(made.open, made.close))
    assert np.all(made.high >= np.maximum(made.open, made.close))
    assert np.all(made.ask_close >= made.close)


def test_two_bars_are_enough_to_permute() -> None:
    bars = bars_of()
    made = [permuted_bars(bars, 3, number, keep=38) for number in range(20)]
    assert {round(float(one.close[38]), 9) for one in made} >= {round(float(bars.close[38]), 9)}
    assert len({round(float(one.close[38]), 9) for one in made}) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keep": 39}, "keep: expected 0 to 38 of 40 bars, was 39"),
        ({"keep": -1}, "keep"),
        ({"tick": 0.0}, "tick: expected a positive price step"),
    ],
)
def test_bars_that_cannot_be_permuted_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        permuted_bars(bars_of(), 1, 0, **changes)


def test_prices_that_are_not_positive_cannot_be_permuted() -> None:
    bars = bars_of()
    bars.low[5] = 0
    with pytest.raises(ValueError, match="expected positive prices, the lowest is 0"):
        permuted_bars(bars, 1, 0)


def test_permutations_tell_how_often_chance_does_as_well() -> None:
    bars, told = bars_of(), list[int]()
    last, first = over_permutations(
        lambda one: (float(one.close[5]), float(one.open[4])), bars, 30, seed=2, keep=3, tick=0.01, each=told.append
    )
    expected = [permuted_bars(bars, 2, number, keep=3, tick=0.01) for number in range(30)]
    assert last.tolist() == [one.close[5] for one in expected]
    assert first.tolist() == [one.open[4] for one in expected]
    assert p_value_of(bars.close[5], last) == (1 + sum(value >= bars.close[5] for value in last)) / 31
    assert told == list(range(1, 31))
    (plain,) = over_permutations(lambda one: [float(one.close[0])], bars, 1)
    assert plain.tolist() == [permuted_bars(bars, 0, 0).close[0]]
    with pytest.raises(ValueError, match="draws: expected 1 or more, was 0"):
        over_permutations(lambda one: [1.0], bars, 0)
