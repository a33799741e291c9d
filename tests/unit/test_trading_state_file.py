"""The kill switch as a file."""

import errno
import os
import resource
from pathlib import Path

import pytest

from atrader import trading_state_file
from atrader.errors import StoreError
from atrader.runtime.whole_file import overwrite
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


def fill_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trading_state_file, "write_whole", refuse)


@pytest.mark.parametrize("state", [S.ACTIVE, S.FLATTENING])
def test_a_full_disk_keeps_nobody_from_changing_the_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: TradingState
) -> None:
    path = tmp_path / "states.json"
    before = TradingStates().with_state("account:a", S.HALTED)
    before.save(path)
    stamp = path.stat()
    fill_disk(monkeypatch)
    after = TradingStates().with_state("fleet", state)
    after.save(path)
    assert TradingStates.load(path) == after
    assert path.stat().st_ino == stamp.st_ino
    assert path.stat().st_mtime_ns > stamp.st_mtime_ns  # or nobody would look


def test_what_finds_no_room_on_a_full_disk_is_refused_and_leaves_the_old_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "states.json"
    before = TradingStates().with_state("account:a", S.HALTED)
    before.save(path)
    longer = TradingStates(instances={f"instance-{number}": S.FLATTENING for number in range(100)})
    fill_disk(monkeypatch)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200, limits[1]))  # some of it, as on a full disk
    try:
        with pytest.raises(StoreError, match=r"states\.json cannot be written"):
            longer.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert TradingStates.load(path) == before


def test_a_death_while_the_file_is_written_over_leaves_nothing_laxer_than_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "states.json"
    before = TradingStates(instances={"aa": S.HALTED, "ab": S.HALTED})
    after = before.with_state("instance:aa", S.FLATTENING)
    write, left = os.pwrite, 0

    def die(descriptor: int, content: bytes, at: int) -> int:
        nonlocal left
        written, left = min(left, len(content)), left - len(content)
        write(descriptor, content[:written], at)
        if left < 0:
            raise OSError(errno.EIO, "no power")
        return written

    after.save(path)
    length = path.stat().st_size
    before.save(path)
    content = path.read_bytes()
    fill_disk(monkeypatch)
    monkeypatch.setattr(os, "pwrite", die)
    for survived in range(length + 1):  # one byte is written twice
        left = survived
        path.write_bytes(content)
        with pytest.raises(StoreError):
            after.save(path)
        found = TradingStates.load(path)
        assert found == before or found.damage
        assert found.effective("a", "aa") is S.HALTED


def test_whoever_looks_at_the_time_stamp_sees_each_of_two_changes_within_a_tick_of_the_clock(tmp_path: Path) -> None:
    path = tmp_path / "states.json"
    path.write_text("old")
    future_ns = path.stat().st_mtime_ns + 60 * 10**9  # as if the kernel's clock stood still
    os.utime(path, ns=(future_ns, future_ns))
    overwrite(path, "one")
    first_ns = path.stat().st_mtime_ns
    overwrite(path, "two")
    assert future_ns < first_ns < path.stat().st_mtime_ns
    assert path.read_text() == "two"


def test_a_full_disk_without_a_file_is_told_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_disk(monkeypatch)
    with pytest.raises(StoreError, match=r"states\.json cannot be written: .*No space left"):
        TradingStates().save(tmp_path / "states.json")


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
