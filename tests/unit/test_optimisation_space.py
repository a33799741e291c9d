"""What a search may try: values and ranges as texts, conditions, and what the strategy itself refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from atrader.errors import ConfigError
from atrader.strategy import Parameters
from research.optimisation.axes import Choices, Span, axis_of
from research.optimisation.constraints import Constraint
from research.optimisation.reading import read_space
from research.optimisation.searching import every_combination, random_combinations
from worker.strategies.bracket import BracketParameters
from worker.strategies.sma_cross import SmaCrossParameters


class Session(Parameters):
    begin: str = "09:30"
    direction: Literal["both", "long", "short"] = "both"
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] | None = Decimal("0.01")
    free: int = 3


def axis(model: type[Parameters], name: str, text: str) -> Any:
    return read_space(model, {}, {name: text}, []).axes[0]


def test_the_search_of_the_issue_has_every_pair_in_which_fast_is_below_slow() -> None:
    texts = {"fast": "5,10,15,50", "slow": "50,100,150,200", "atr-period": "10,14,20", "stop-atr": "1.5,2.0,2.5"}
    space = read_space(SmaCrossParameters, {}, texts, [])
    found = every_combination(space)
    assert space.size == 4 * 4 * 3 * 3
    assert len(found) == (4 * 4 - 1) * 3 * 3  # the strategy's own validator refuses 50 and 50
    assert all(one["fast"] < one["slow"] for one in found)
    assert list(found[0]) == ["fast", "slow", "atr_period", "stop_atr"]
    assert [one["stop_atr"] for one in found[:4]] == [1.5, 2.0, 2.5, 1.5]


@pytest.mark.parametrize(
    ("model", "name", "text", "values"),
    [
        (SmaCrossParameters, "fast", "15,5,10", (5, 10, 15)),
        (SmaCrossParameters, "slow", "50:60:5", (50, 55, 60)),
        (SmaCrossParameters, "slow", "50:52", (50, 51, 52)),
        (SmaCrossParameters, "slow", "7,20:40:10", (7, 20, 30, 40)),
        (SmaCrossParameters, "stop_atr", "1.5:2.5:0.5", (1.5, 2, 2.5)),
        (SmaCrossParameters, "stop_atr", "0.1:0.5:0.1", (0.1, 0.2, 0.3, 0.4, 0.5)),
        (SmaCrossParameters, "risk_frac", "0.02,0.01", (0.01, 0.02)),
        (SmaCrossParameters, "direction", "long,both", ("long", "both")),
        (BracketParameters, "targets_r", "[1.0, 2.0],[1.0,3.0]", ([1.0, 2.0], [1.0, 3.0])),
        (Session, "begin", "09:30,10:00", ("09:30", "10:00")),
        (Session, "direction", "auto", ("both", "long", "short")),
        (SmaCrossParameters, "atr_period", "auto", tuple(range(2, 201))),
    ],
)
def test_texts_become_values(model: type[Parameters], name: str, text: str, values: tuple[Any, ...]) -> None:
    assert axis(model, name, text) == Choices(name, values)


def test_a_range_without_steps_is_drawn_from_and_its_open_ends_are_inside() -> None:
    assert axis(SmaCrossParameters, "stop_atr", "1.5:3") == Span("stop_atr", 1.5, 3.0)
    found = axis(Session, "share", "auto")
    assert 0 < found.low < 0.01
    assert 0.99 < found.high < 1
    assert axis(Session, "risk_frac", "auto").high == 1.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("fats", "1", "did you mean 'fast'"),
        ("fast", "5,,7", "expected values"),
        ("fast", "0", "greater than or equal to 1"),
        ("fast", "x", "valid integer"),
        ("fast", "9:3", "goes up"),
        ("fast", "1:9:-1", "goes up"),
        ("stop_atr", "1:2,5", "stands alone"),
        ("stop_atr", "0.1:40:0.0001", "100,000 at most"),
        ("stop_atr", "1:99", "less than or equal to 50"),
        ("fast", "5,10,5", "--fast 5,10,5: 5 is given twice"),
        ("fast", "5:20:5,20:40:10", "20 is given twice"),
    ],
)
def test_values_that_mean_nothing_are_refused_by_name(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        axis(SmaCrossParameters, name, text)


def test_a_parameter_without_a_declared_range_needs_values() -> None:
    with pytest.raises(ConfigError, match="declares no range"):
        axis(Session, "free", "auto")


def test_a_search_of_nothing_names_what_may_be_varied() -> None:
    with pytest.raises(ConfigError, match="--fast, --slow"):
        read_space(SmaCrossParameters, {}, {}, [])


def test_a_parameter_given_in_two_spellings_is_given_twice() -> None:
    with pytest.raises(ConfigError, match="twice"):
        read_space(SmaCrossParameters, {}, {"stop-atr": "1", "stop_atr": "2"}, [])


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"fats": 3}, "parameter fats: no such parameter - did you mean 'fast'"),
        ({"stop_atr": -1}, "stop_atr: -1: input"),
        ({"filters": [{"kind": "regime", "frame": 1}]}, "filters: .*: 0: regime: frame: extra inputs"),
    ],
)
def test_a_wrong_parameter_that_stays_is_named_and_not_taken_for_wrong_values(
    fixed: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_space(SmaCrossParameters, fixed, {"slow": "20,40"}, [])


def test_constraints_see_fixed_and_usual_parameters_and_money_as_numbers() -> None:
    conditions = ["slow >= 4 * fast and not slow == 40", "risk_frac * 1.5 < 0.05", "atr_period == 14"]
    space = read_space(SmaCrossParameters, {"risk_frac": "0.02"}, {"fast": "5,10", "slow": "20,40"}, conditions)
    assert every_combination(space) == [{"fast": 5, "slow": 20}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fast", "expected a condition"),
        ("fast <", "expected a condition"),
        ("__import__('os').system('true') == 0", "expected a condition"),
        ("fast.real < 3", "expected a condition"),
        ("(lambda: 1)() < 2", "expected a condition"),
        ("fats < slow", "did you mean 'fast'"),
    ],
)
def test_what_is_no_condition_is_refused_before_anything_is_tried(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Constraint(text, ["fast", "slow"])


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("fast < slow", True),
        ("slow < fast", False),
        ("2 < fast < slow", True),
        ("2 < fast < 3", False),  # all of a chain
        ("4 < fast < slow", False),
        ("fast > 5 or slow > 5", True),
        ("fast > 5 and slow > 5", False),
        ("fast > 5 or slow > 50", False),
        ("-fast < 0", True),
        ("not -fast < 0", False),
        ("slow - fast == 5", True),
        ("slow / 2 + 1 == fast + 2 and slow // fast == 2 and slow % fast == 2", True),
    ],
)
def test_conditions_mean_what_they_say(text: str, *, holds: bool) -> None:
    assert Constraint(text, ["fast", "slow"]).holds({"fast": 3, "slow": 8}) == holds


@pytest.mark.parametrize("text", ["fast < word", "fast / zero > 1"])
def test_a_condition_that_cannot_be_worked_out_is_an_error_and_no_refusal(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot be worked out"):
        Constraint(text, ["fast", "word", "zero"]).holds({"fast": 3, "word": "long", "zero": 0})


def test_a_space_without_any_allowed_set_says_so() -> None:
    space = read_space(SmaCrossParameters, {}, {"fast": "50,60", "slow": "20,30"}, ["fast > 1"])
    for search in (lambda: every_combination(space), lambda: random_combinations(space, 5, 1)):
        with pytest.raises(ConfigError, match=r"allow no combination of fast, slow.* is refused: fast must be"):
            search()
    space = read_space(SmaCrossParameters, {}, {"fast": "5,6", "slow": "20,30"}, ["fast > slow"])
    with pytest.raises(ConfigError, match="is refused: not fast > slow"):
        every_combination(space)


def test_a_grid_cannot_walk_a_range_without_steps() -> None:
    space = read_space(SmaCrossParameters, {}, {"fast": "5,10", "stop_atr": "1:3"}, [])
    assert space.size is None
    with pytest.raises(ConfigError, match="--method random"):
        every_combination(space)


def test_a_grid_that_would_fill_the_memory_is_refused_before_it_is_walked() -> None:
    space = read_space(SmaCrossParameters, {}, {"fast": "auto", "slow": "auto", "atr_period": "2:10"}, [])
    with pytest.raises(ConfigError, match="8,995,500 combinations is too large"):
        every_combination(space)


def test_random_sets_are_allowed_different_and_the_same_for_the_same_seed() -> None:
    space = read_space(SmaCrossParameters, {}, {"fast": "2:40", "slow": "10:60", "stop_atr": "1:3"}, [])
    found = random_combinations(space, 50, seed=3)
    assert found == random_combinations(space, 50, seed=3) != random_combinations(space, 50, seed=4)
    assert len({str(one) for one in found}) == 50
    assert all(one["fast"] < one["slow"] and 1 <= one["stop_atr"] <= 3 for one in found)


def test_a_small_space_is_drawn_empty_and_no_further() -> None:
    space = read_space(SmaCrossParameters, {}, {"fast": "2,3", "slow": "3,4"}, [])
    assert len(random_combinations(space, 100, seed=0)) == 3


@pytest.mark.parametrize(
    ("values", "kept", "is_ordered"),
    [
        ([3, 1, 2.5, 1], (1, 2.5, 3), True),
        (["b", "a"], ("b", "a"), False),
        ([3, "auto", 1], (3, "auto", 1), False),
        ([True, False], (True, False), False),
    ],
)
def test_numbers_are_put_in_order_and_words_and_truths_have_none(
    values: list[Any], kept: tuple[Any, ...], *, is_ordered: bool
) -> None:
    found = Choices.of("one", values)
    assert (found.values, found.is_ordered) == (kept, is_ordered)


def test_what_is_drawn_from_a_span_has_six_digits_and_lies_within_its_ends() -> None:
    span = Span("one", 1.2345612, 2.3456789)
    assert span.rounded(1.98765432) == 1.98765
    assert span.rounded(1.2345612) == 1.2345612  # 1.23456 lies before it
    assert span.rounded(2.3456788) == 2.3456789  # 2.34568 behind


def test_axes_are_read_back_as_they_were_kept() -> None:
    chance = np.random.default_rng(0)
    for one in (Choices.of("fast", [1, 2]), Span("stop", 0.5, 1.5)):
        kept = {name: getattr(one, name) for name in one.__slots__}
        assert axis_of(kept) == one
        assert one.draw(chance) is not None
