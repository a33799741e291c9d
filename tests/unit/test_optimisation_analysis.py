"""A planted edge is found, noise is called noise, and a set that loses out of sample comes behind one that wins."""

from __future__ import annotations

import numpy as np
import pytest

from atrader.errors import ConfigError
from research.optimisation.analysis import LEAST_SURE
from research.optimisation.figures import annual_sharpes, in_windows
from research.optimisation.figures import test_days as judged_days
from research.optimisation.ranking import ranked, score
from research.optimisation.trials import Trial, Trials
from research.optimisation.windows import DAY_NS, Split, Window
from research.statistics.sample import sample_of
from research.statistics.sharpe import probabilistic_sharpe
from research.statistics.trials import effective_trials, expected_maximum, minimum_backtest_length
from tests.support.planted import AXES, DAYS, PEAK, SETS, WINDOWS, edge_of, judged, returns_of, trials_of


@pytest.mark.parametrize("seed", range(2))
def test_a_planted_edge_is_found_where_it_was_planted(seed: int) -> None:
    found = judged(trials_of(returns_of(seed, edge=0.003)))
    assert found.verdict == "edge", found.reasons
    assert found.recommended is not None
    parameters = found.recommended.parameters
    assert abs(parameters["fast"] - PEAK[0]) <= 1
    assert abs(parameters["slow"] - PEAK[1]) <= 1
    assert found.walk_forward["sharpe_oos"] > 3
    assert found.overfitting["pbo"] < 0.05
    assert found.recommended.neighbours_frac is not None
    assert 0.3 < found.recommended.neighbours_frac <= 1.2


@pytest.mark.parametrize("seed", range(4))
def test_pure_noise_is_called_noise_however_good_its_best_set_looks(seed: int) -> None:
    found = judged(trials_of(returns_of(seed, edge=0.0)))
    assert found.verdict == "noise"
    assert found.reasons
    assert found.top[0].sharpe_is > 0
    assert found.overfitting["beyond_luck"] < 0.95
    assert found.overfitting["beyond_luck"] == pytest.approx(found.overfitting["deflated_sharpe"], abs=0.1)


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_an_edge_that_all_sets_share_is_found_though_choosing_among_them_is_worth_nothing(seed: int) -> None:
    found = judged(trials_of(returns_of(seed, edge_of(4), "everywhere", alike=True)))
    assert found.overfitting["pbo"] > 0.2
    assert found.overfitting["pbo_loss_probability"] < 0.05
    assert found.verdict == "edge", found.reasons


def test_a_choice_that_loses_as_often_as_not_speaks_against_an_edge_with_both_its_figures() -> None:
    found = judged(trials_of(returns_of(0, edge=0.0)))
    assert any("PBO" in reason and "and loses in" in reason for reason in found.reasons)


def test_the_walk_forward_chooses_without_a_look_at_the_days_it_is_judged_on() -> None:
    returns = returns_of(1, edge=0.0)
    days_ns = DAY_NS * np.arange(1, DAYS + 1)
    windows = WINDOWS.windows(days_ns)
    found = judged(trials_of(returns))
    changed = returns.copy()
    changed[:, windows[-1].test] = returns[::-1, windows[-1].test]
    again = judged(trials_of(changed))
    assert [one.parameters for one in again.steps] == [one.parameters for one in found.steps]
    assert again.steps[-1].sharpe_oos != found.steps[-1].sharpe_oos
    joined = np.concatenate([returns[step.number, part.test] for step, part in zip(found.steps, windows, strict=True)])
    assert found.walk_forward["return_oos_frac"] == pytest.approx(np.prod(1 + joined) - 1)


def test_the_walk_forward_tells_of_its_windows_one_by_one_and_together() -> None:
    returns = returns_of(1, edge=0.003)
    found = judged(trials_of(returns))
    first, last = found.steps[0], found.steps[-1]
    # Days end from 1970-01-02 on: 180 to choose on, 30 to judge on, ten times.
    assert (first.train_start, first.train_end) == ("1970-01-02T00:00:00Z", "1970-06-30T00:00:00Z")
    assert (first.test_start, first.test_end) == ("1970-07-01T00:00:00Z", "1970-07-30T00:00:00Z")
    assert last.test_end == "1971-04-26T00:00:00Z"
    assert first.return_oos_frac == pytest.approx(np.prod(1 + returns[first.number, 180:210]) - 1)
    walked = found.walk_forward
    assert (found.windows, walked["days_oos"]) == (10, 300)
    assert walked["sharpe_is"] == pytest.approx(np.mean([one.sharpe_is for one in found.steps]))
    factors = [one.sharpe_oos * abs(one.sharpe_oos) / one.sharpe_is for one in found.steps]
    assert walked["robustness"]["windows"] == 10
    assert walked["robustness"]["undefined"] == 0
    assert walked["robustness"]["mean"] == pytest.approx(np.mean(factors))
    assert walked["robustness"]["worst"] == pytest.approx(min(factors))
    worth = np.cumprod(
        1 + np.concatenate([returns[one.number, 180 + 30 * at :][:30] for at, one in enumerate(found.steps)])
    )
    peaks = np.maximum.accumulate(np.append(1.0, worth))[1:]
    assert walked["drawdown_oos_frac"] == pytest.approx((1 - worth / peaks).max())
    assert found.overfitting["years"] == pytest.approx(500 / 365)
    assert found.overfitting["needed_years"] == pytest.approx(minimum_backtest_length(36))
    assert found.overfitting["effective_trials"] == pytest.approx(effective_trials(returns.T).rank)


def test_a_probability_just_below_what_an_edge_needs_is_written_as_such() -> None:
    returns = returns_of(3, edge=0.0)
    low, high = 0.0, 0.01
    for _ in range(30):  # as much drift as it takes to come close, from below
        drift = (low + high) / 2
        sure = judged(trials_of(returns + drift)).overfitting["beyond_luck"]
        low, high = (drift, high) if sure < LEAST_SURE else (low, drift)
        if 0.946 < sure < LEAST_SURE:
            break
    assert 0.946 < sure < LEAST_SURE
    (reason,) = (one for one in judged(trials_of(returns + drift)).reasons if one.startswith("luck"))
    told = reason.removeprefix("luck finds as much in as many tries: more than that by ").removesuffix(", below 0.95")
    assert 0.946 < float(told) < LEAST_SURE


def test_windows_in_which_nothing_was_worth_choosing_have_no_factor() -> None:
    returns = returns_of(1, edge=0.003)
    returns[:, :180] -= 0.02
    found = judged(trials_of(returns), Split(share=180 / DAYS))
    assert found.steps[0].robustness_factor is None
    assert found.walk_forward["robustness"] == {
        "windows": 1,
        "undefined": 1,
        "positive_frac": 0.0,
        "mean": None,
        "median": None,
        "worst": None,
    }


def test_ranking_by_what_is_left_puts_losses_last_but_for_what_is_undefined() -> None:
    chance = np.random.default_rng(2)
    days = chance.normal(0, 0.01, 200)
    days -= days[:100].mean()
    days[100:] -= days[100:].mean()
    up, down = np.full(100, 0.003), np.full(100, -0.003)
    half = (up / 2, down / 2)
    rows = [
        np.append(up, down),  # lost out of sample: taken literally its factor would be the best
        np.append(down, up),  # lost in sample: no factor
        np.append(up, half[0]),
        np.append(up, up),
        np.append(0.6 * up, half[1]),
    ]
    trials = trials_of(np.array([days + row for row in rows]))
    days_ns = DAY_NS * np.arange(1, 201)
    windows = Split(share=0.5).windows(days_ns)
    scores = score(trials, AXES, windows, 365.0)
    assert scores.order.tolist() == [3, 2, 4, 0, 1]
    first, second, *_, last = ranked(trials, scores, windows, 5, 365.0)
    assert first.degradation_frac == pytest.approx(0, abs=0.05)
    assert second.degradation_frac == pytest.approx(0.5, abs=0.05)
    assert second.robustness_factor == pytest.approx(second.sharpe_oos**2 / second.sharpe_is)
    assert (last.robustness_factor, last.degradation_frac) == (None, None)


def test_a_set_that_nobody_would_have_chosen_comes_behind_those_that_were_worth_it() -> None:
    chance = np.random.default_rng(4)
    days = chance.normal(0, 0.01, 200)
    days -= np.repeat([days[:100].mean(), days[100:].mean()], 100)
    means = [(0.002, 0.001), (0.0002, 0.003), (-0.001, 0.003)]
    trials = trials_of(np.array([days + np.repeat(pair, 100) for pair in means]))
    scores = score(trials, AXES, Split(share=0.5).windows(DAY_NS * np.arange(1, 201)), 365.0)
    assert scores.factor[1] > 10 * scores.factor[0]
    assert scores.order.tolist() == [0, 1, 2]


def test_nothing_is_recommended_when_everything_lost_out_of_sample() -> None:
    returns = returns_of(3, edge=0.0)
    returns[:, 300:] -= 0.02
    found = judged(trials_of(returns), Split(share=0.5))
    assert found.recommended is None
    assert found.verdict == "noise"


@pytest.mark.parametrize(("mean", "has_lost"), [(-0.0003, True), (None, True), (0.0003, False)])
def test_a_walk_forward_that_lost_or_earned_nothing_speaks_against_an_edge(
    mean: float | None, *, has_lost: bool
) -> None:
    turns = np.tile([0.01, -0.01], 50)
    later = np.zeros(100) if mean is None else turns + mean  # an annual ratio of 0.6, or the loss of as much
    chosen, better = np.append(turns + 0.0031, later), np.append(turns + 0.003, turns + 0.003)
    found = judged(trials_of(np.array([chosen, better])), Split(share=0.5))
    assert found.steps[0].number == 0
    assert found.recommended is not None
    assert found.recommended.number == 1
    assert any("the walk forward lost" in reason for reason in found.reasons) == has_lost


def test_what_luck_finds_as_well_is_no_edge_though_nothing_else_speaks_against_it() -> None:
    found = judged(trials_of(returns_of(2, edge_of(2))))
    assert found.overfitting["beyond_luck"] == pytest.approx(0.71, abs=0.005)
    assert found.overfitting["pbo"] < 0.2 < 4 * found.overfitting["pbo_loss_probability"]  # above 0.05, which alone may
    assert found.reasons == ["luck finds as much in as many tries: more than that by 0.71, below 0.95"]
    assert found.verdict == "noise"


@pytest.mark.parametrize(("trades", "reasons"), [(29, ["too few trades: 29, 30 at least"]), (30, [])])
def test_few_trades_are_no_edge(trades: int, reasons: list[str]) -> None:
    found = judged(trials_of(returns_of(0, edge=0.003), trades=trades))
    assert found.reasons == reasons
    assert found.verdict == ("noise" if reasons else "edge")


def test_sets_that_never_trade_come_last_and_break_nothing() -> None:
    returns = returns_of(0, edge=0.003)
    returns[::2] = 0.0
    found = judged(trials_of(returns))
    assert all(one.number % 2 for one in found.top)
    assert found.verdict == "edge", found.reasons
    nothing = judged(trials_of(np.zeros((4, DAYS))))
    assert (nothing.recommended, nothing.verdict) == (None, "noise")
    assert nothing.reasons == ["no set of parameters traded: there is nothing to judge"]
    assert nothing.overfitting["pbo_missing"] == "no set traded"


def test_a_search_that_learned_has_no_probability_of_overfitting() -> None:
    found = judged(trials_of(returns_of(0, edge=0.003)), Split(share=0.7), is_adaptive=True).overfitting
    assert found["pbo"] is None
    assert "no fair sample" in found["pbo_missing"]


def test_why_there_is_no_probability_of_overfitting_is_said() -> None:
    returns = returns_of(0, edge=0.003)
    assert judged(trials_of(returns)).overfitting["pbo_missing"] is None
    alone = judged(trials_of(returns[:1]))
    assert alone.overfitting["pbo_missing"] == "only one set has figures"
    assert judged(trials_of(returns[:, :32]), Split(share=0.7)).overfitting["pbo_missing"] is None
    short = judged(trials_of(returns[:, :31]), Split(share=0.7))
    assert (short.overfitting["pbo"], short.overfitting["pbo_missing"]) == (None, "31 days are too few: 32 at least")


def test_failed_sets_count_as_tried_and_deflate() -> None:
    trials = trials_of(returns_of(5, edge=0.0016))
    failed = [Trial(1000 + at, SETS[0], 0, np.empty(0), "division by zero") for at in range(900)]
    few, many = judged(trials), judged(trials._replace(failed=failed))
    assert (many.tried, many.failed) == (936, 900)
    assert (few.failures, many.failures) == ({}, {"division by zero": 900})
    assert many.overfitting["deflated_sharpe"] < few.overfitting["deflated_sharpe"]


@pytest.mark.parametrize(("edge", "sets"), [(0.0, 36), (0.0016, 36), (0.0016, 2)])
def test_luck_is_as_much_as_the_tries_are_spread_and_beyond_it_no_more_than_chance_spreads_them(
    edge: float, sets: int
) -> None:
    returns = returns_of(5, edge)[-sets:]
    found = judged(trials_of(returns))
    ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    spread, tries = ratios.var(ddof=1), expected_maximum(sets)
    assert (spread > 1 / DAYS) == (edge > 0)
    assert found.overfitting["pbo"] is not None
    assert found.overfitting["luck_sharpe"] == pytest.approx(np.sqrt(spread) * tries)
    best, shape = found.top[0].number, sample_of(returns[found.top[0].number]).shape
    for figure, variance in (("deflated_sharpe", spread), ("beyond_luck", min(spread, 1 / DAYS))):
        expected = probabilistic_sharpe(ratios[best], np.sqrt(variance) * tries, DAYS, shape)
        assert found.overfitting[figure] == pytest.approx(expected)
        assert 0.01 < expected < 0.9999


def test_the_only_set_that_did_not_fail_is_deflated_by_all_that_were_tried() -> None:
    returns = returns_of(5, edge=0.0016)[14:15]
    failed = [Trial(1000 + at, SETS[0], 0, np.empty(0), "division by zero") for at in range(99)]
    found = judged(trials_of(returns)._replace(failed=failed)).overfitting
    # Ratios of days without skill have a variance of 1 / days.
    assert found["luck_sharpe"] == pytest.approx(expected_maximum(100) / np.sqrt(DAYS))
    assert found["beyond_luck"] == found["deflated_sharpe"]
    assert found["pbo_missing"] == "only one set has figures"
    alone = judged(trials_of(returns)).overfitting
    assert (alone["luck_sharpe"], alone["needed_years"]) == (0, 0)
    assert alone["beyond_luck"] > found["beyond_luck"]


def test_a_search_in_which_every_set_failed_names_the_first_error() -> None:
    failed = [Trial(0, SETS[0], 0, np.empty(0), "division by zero")]
    with pytest.raises(ConfigError, match="division by zero"):
        judged(Trials(np.empty(0, np.int64), np.empty(0, np.int64), [], np.empty((0, DAYS)), failed))


def test_ratios_of_windows_are_those_of_their_days() -> None:
    returns = np.random.default_rng(8).normal(0, 0.01, (20, 400))
    returns[3, 50:] = 0.0  # traded no more
    windows = [*WINDOWS.windows(DAY_NS * np.arange(1, 401)), Window(slice(7, 90), slice(95, 97))]
    found = in_windows(returns, windows, 365.0)
    for at, (train, test) in enumerate(windows):
        np.testing.assert_allclose(found.train[:, at], annual_sharpes(returns[:, train], 365.0), rtol=1e-11)
        np.testing.assert_allclose(found.test[:, at], annual_sharpes(returns[:, test], 365.0), rtol=1e-11)
    judged = annual_sharpes(judged_days(returns, windows), 365.0)
    np.testing.assert_allclose(found.judged, judged, rtol=1e-11)
    assert found.test[3, 0] == 0
    with pytest.raises(ValueError, match="two days or more in each part, was 1"):
        in_windows(returns, [Window(slice(0, 9), slice(9, 10))], 365.0)
    returns[2, 395] = np.nan
    with pytest.raises(ValueError, match="period 395 of trial 2 is nan"):
        in_windows(returns, windows, 365.0)
