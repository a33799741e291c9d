"""The kill switch as a file."""

from pathlib import Path

import pytest

from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates

S = TradingState


def test_a_missing_file_means_active(tmp_path: Path) -> None:
    assert TradingStates.load(tmp_path / "none.json").effective("a", "i") is S.ACTIVE


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"fleet": "PAUSED"}',
        '{"accounts": [1]}',
        '{"flet": "ACTIVE"}',
        '{"stopping": 1}',
        "\xff",
    ],
)
def test_a_damaged_file_counts_as_halted_for_everybody(tmp_path: Path, content: str) -> None:
    path = tmp_path / "states.json"
    path.write_text(content, encoding="latin-1")
    states = TradingStates.load(path)
    assert states.effective("a", "i") is S.HALTED
    assert str(path) in states.damage


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "states.json"
    states = (
        TradingStates()
        .with_state("fleet", S.REDUCING)
        .with_state("account:a", S.HALTED)
        .with_state("instance:i", S.FLATTENING)
    )
    states.save(path)
    assert TradingStates.load(path) == states
    assert [entry.name for entry in path.parent.iterdir()] == ["states.json"]


@pytest.mark.parametrize(
    ("fleet", "account", "instance", "expected"),
    [
        (S.ACTIVE, S.ACTIVE, S.ACTIVE, S.ACTIVE),
        (S.REDUCING, S.ACTIVE, S.ACTIVE, S.REDUCING),
        (S.ACTIVE, S.HALTED, S.REDUCING, S.HALTED),
        (S.REDUCING, S.ACTIVE, S.FLATTENING, S.FLATTENING),
    ],
)
def test_the_strictest_scope_wins(
    fleet: TradingState, account: TradingState, instance: TradingState, expected: TradingState
) -> None:
    states = TradingStates(fleet, {"a": account}, {"i": instance})
    assert states.effective("a", "i") is expected
    assert states.effective("other") is fleet


def test_a_stopping_fleet_opens_nothing_but_stays_as_strict_as_it_was() -> None:
    assert TradingStates(stopping=True).effective("a") is S.REDUCING
    assert TradingStates(S.HALTED, stopping=True).effective("a") is S.HALTED


def test_active_removes_the_entry_of_a_scope() -> None:
    states = TradingStates().with_state("account:a", S.HALTED).with_state("account:a", S.ACTIVE)
    assert states == TradingStates()


@pytest.mark.parametrize("scope", ["", "all", "account:", "worker:x"])
def test_an_unknown_scope_is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="scope"):
        TradingStates().with_state(scope, S.HALTED)
