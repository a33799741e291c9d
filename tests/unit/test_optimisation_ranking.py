"""What a ranking says of each set, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from research.optimisation.axes import Axis, Choices, Span
from research.optimisation.figures import AIMS, drawdowns
from research.optimisation.ranking import Ranked, ranked, score
from research.optimisation.space import Combination
from research.optimisation.trials import Trials
from research.optimisation.windows import Window

PART = 20
TURNS = np.tile([0.01, -0.01], PART // 2)
"""Days of a part that earn nothing: what is added to each is their mean, and the ratio grows with it."""


def ranking_of(
    means: Sequence[Sequence[float | None]], sets: Sequence[Combination], axes: Sequence[Axis]
) -> dict[int, Ranked]:
    """Return all sets by number; each has a mean for every part of its days, None for one without a trade.

    Parameters are chosen on the first part, and judged on all others.
    """
    days = [np.concatenate([np.zeros(PART) if mean is None else TURNS + mean for mean in one]) for one in means]
    count, parts = len(means), len(means[0])
    trials = Trials(np.arange(count), 100 + np.arange(count), list(sets), np.array(days), [])
    windows = [Window(slice(PART * (at - 1), PART * at), slice(PART * at, PART * (at + 1))) for at in range(1, parts)]
    return {one.number: one for one in ranked(trials, score(trials, axes, windows, 365.0), windows, count, 365.0)}


def neighbours_of(means: Sequence[float], sets: Sequence[Combination], axes: Sequence[Axis]) -> list[float | None]:
    found = ranking_of([[0.005, mean] for mean in means], sets, axes)
    return [found[number].neighbours_frac for number in range(len(means))]


def about(values: Sequence[float | None]) -> list[object]:
    return [None if value is None else pytest.approx(value) for value in values]


WAYS = Choices.of("way", ["long", "short"])


def test_on_a_grid_those_one_value_further_are_neighbours_and_those_with_another_word_are_not() -> None:
    sets = [{"fast": fast, "way": way} for way in WAYS.values for fast in (5, 10, 30)]
    found = neighbours_of([0.001, 0.002, 0.003, 0.004, 0.005, 0.006], sets, [Choices.of("fast", [5, 10, 30]), WAYS])
    assert found == about([2 / 1, 2 / 2, 2 / 3, 5 / 4, 5 / 5, 5 / 6])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (24, [None, None, None, None, None, None]),  # four places for each that was tried: nobody next to it
        (25, [3 / 1, 1 / 3, 5 / 4, 4 / 5, None, None]),  # 3 of 20 lie between the first two, 2 between the next ones
    ],
)
def test_on_a_grid_of_which_little_was_tried_those_within_a_share_of_it_are_neighbours(
    values: int, expected: list[float | None]
) -> None:
    sets = [{"fast": fast} for fast in (0, 3, 10, 12, 16, 20)]
    means = [0.001, 0.003, 0.004, 0.005, 0.006, 0.007]
    assert neighbours_of(means, sets, [Choices.of("fast", range(values))]) == about(expected)


def test_between_the_ends_of_a_span_those_within_a_share_of_it_are_neighbours_unless_a_word_differs() -> None:
    sets = [
        {"level": 0.0, "way": "a", "fast": 5, "stop": 0.5},
        {"level": 0.5, "way": "a", "fast": 5, "stop": 0.5},  # 0.5 of 4: an eighth
        {"level": 0.3, "way": "b", "fast": 5, "stop": 0.5},
        {"level": 0.2, "way": "a", "fast": 30, "stop": 0.5},
        {"level": 4.0, "way": "h", "fast": 10, "stop": 0.5},
    ]
    words, fast = Choices.of("way", list("abcdefgh")), Choices.of("fast", [5, 10, 30])
    axes: list[Axis] = [Span("level", 0.0, 4.0), words, fast, Span("stop", 0.0, 1.0)]
    assert neighbours_of([0.001, 0.003, 0.004, 0.005, 0.006], sets, axes) == about([3, 1 / 3, None, None, None])


@pytest.mark.parametrize(("most", "known"), [(2, True), (1, False)])
def test_of_too_many_off_a_grid_no_neighbours_are_looked_for(
    monkeypatch: pytest.MonkeyPatch, most: int, *, known: bool
) -> None:
    monkeypatch.setattr("research.optimisation.ranking._MOST_POINTS", most)
    monkeypatch.setattr("research.optimisation.ranking._NEAR_FRAC", 1.0)
    found = neighbours_of([0.001, 0.002], [{"level": 1.0}, {"level": 2.0}], [Span("level", 0.0, 4.0)])
    assert found == about([2, 0.5] if known else [None, None])


def test_windows_count_as_positive_however_little_was_won_there_and_not_when_nothing_was() -> None:
    axes, sets = [Choices.of("fast", [5, 10])], [{"fast": 5}, {"fast": 10}]
    found = ranking_of([[0.002, 0.0003, -0.0003, None, 0.002, 0.002], [0.003, *[-0.001] * 5]], sets, axes)
    assert [found[number].positive_windows_frac for number in (0, 1)] == [0.6, 0.0]  # 3 of 5
    assert [(found[number].rank, found[number].trades) for number in (0, 1)] == [(1, 100), (2, 101)]


def test_a_set_earned_and_fell_by_what_its_days_out_of_sample_say() -> None:
    returns = np.array([[0.1, 0.2, 0.3, 0.1, -0.2, 0.5, -0.1], [0.1, 0.2, 0.1, 0.1, 0.2, 0.1, 0.2]])
    trials = Trials(np.arange(2), np.full(2, 9), [{"fast": 5}, {"fast": 10}], returns, [])
    windows = [Window(slice(0, 3), slice(3, 5)), Window(slice(0, 5), slice(5, 7))]
    scores = score(trials, [Choices.of("fast", [5, 10])], windows, 365.0)
    found = {one.number: one for one in ranked(trials, scores, windows, 2, 365.0)}
    assert found[0].return_oos_frac == pytest.approx(0.188)  # 1.1 * 0.8 * 1.5 * 0.9
    assert found[0].return_whole_frac == pytest.approx(1.038608)  # and 1.1 * 1.2 * 1.3 before
    assert found[0].drawdown_oos_frac == pytest.approx(0.2)
    assert found[1].drawdown_oos_frac == 0
    assert [one.number for one in ranked(trials, scores, windows, 1, 365.0)] == [1]


def test_a_fall_is_measured_from_the_highest_point_before_it_or_from_where_it_began() -> None:
    returns = np.array([[0.1, -0.2, 0.5, -0.5], [-0.1, 0.0, 0.05, 0.2], [0.1, 0.0, 0.1, 0.1]])
    assert drawdowns(returns) == pytest.approx([0.5, 0.1, 0.0])  # 1.1 0.88 1.32 0.66; 0.9 0.9 0.945 1.134
    assert AIMS["drawdown"](returns, 365.0) == pytest.approx([-0.5, -0.1, 0.0])  # the more the better
