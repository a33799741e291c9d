"""The worker's checkpoint: atomic, checked, never silently wrong."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.errors import StrategyError
from worker.checkpoint import Checkpoint, CheckpointFile


def save(path: Path, checkpoint: Checkpoint) -> None:
    CheckpointFile(path).save(checkpoint)


def load(path: Path, instance: str, magic: int) -> tuple[Checkpoint, str | None]:
    return CheckpointFile(path).load(instance, magic)


def test_what_was_saved_is_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "eurusd.json"
    kept = Checkpoint("eurusd", 7, bar_open_time_ns=123, n=4, state={"a": [1, 2.5, "x", None]})
    save(path, kept)
    assert load(path, "eurusd", 7) == (kept, None)


def test_a_missing_checkpoint_is_an_empty_one_without_complaint(tmp_path: Path) -> None:
    assert load(tmp_path / "none.json", "eurusd", 7) == (Checkpoint("eurusd", 7), None)


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", b"00000000\n{}", b"\xff\xfe\n{", b"zz\n{}"])
def test_a_damaged_checkpoint_is_kept_aside_and_the_reason_told(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "eurusd.json"
    path.write_bytes(damage)
    found, reason = load(path, "eurusd", 7)
    assert found == Checkpoint("eurusd", 7)
    assert reason is not None
    assert "eurusd.json" in reason
    assert (tmp_path / "eurusd.damaged").read_bytes() == damage


def test_one_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "eurusd.json"
    save(path, Checkpoint("eurusd", 7, 1, 1, {"stage": 1}))
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(bytes(raw))
    assert load(path, "eurusd", 7)[1] is not None


def test_a_checkpoint_of_another_magic_number_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "eurusd.json"
    save(path, Checkpoint("eurusd", 7, 1, 1, {}))
    found, reason = load(path, "eurusd", 8)
    assert found.n == 0
    assert reason is not None


def test_state_that_json_cannot_hold_is_the_strategys_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "eurusd.json"
    save(path, Checkpoint("eurusd", 7, 1, 1, {"good": 1}))
    with pytest.raises(StrategyError, match="eurusd"):
        save(path, Checkpoint("eurusd", 7, 2, 2, {"bad": object()}))
    assert load(path, "eurusd", 7)[0].state == {"good": 1}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CheckpointFile]:
    made = CheckpointFile(tmp_path / "eurusd.json")
    yield made
    made.close()


def test_what_was_noted_after_the_checkpoint_counts(file: CheckpointFile) -> None:
    file.save(Checkpoint("eurusd", 7, 1, 1, {"stage": 0}, number=1))
    noted = Checkpoint("eurusd", 7, 2, 2, {"stage": 1}, [{"n": 2}], number=2)
    file.note(noted)
    assert file.load("eurusd", 7) == (noted, None)


def test_a_checkpoint_outlives_older_notes_that_were_not_removed(file: CheckpointFile, tmp_path: Path) -> None:
    file.note(Checkpoint("eurusd", 7, 1, 1, {}, [{"n": 1}], number=1))
    notes = (tmp_path / "eurusd.notes").read_bytes()
    saved = Checkpoint("eurusd", 7, 1, 1, {}, number=2)
    file.save(saved)
    assert (tmp_path / "eurusd.notes").read_bytes() == b""
    (tmp_path / "eurusd.notes").write_bytes(notes)  # as if killed before they were emptied
    assert file.load("eurusd", 7) == (saved, None)


@pytest.mark.parametrize("cut", [2, 5, 20, 60])
def test_a_note_that_was_cut_off_is_passed_over(file: CheckpointFile, tmp_path: Path, cut: int) -> None:
    whole = Checkpoint("eurusd", 7, 1, 1, {}, [{"n": 1}], number=1)
    file.note(whole)
    file.note(Checkpoint("eurusd", 7, 1, 2, {}, [{"n": 2}], number=2))
    notes = tmp_path / "eurusd.notes"
    notes.write_bytes(notes.read_bytes()[:-cut])
    assert file.load("eurusd", 7) == (whole, None)


@pytest.mark.parametrize("cut", [2, 20])
def test_a_note_behind_one_that_was_cut_off_counts(file: CheckpointFile, tmp_path: Path, cut: int) -> None:
    file.note(Checkpoint("eurusd", 7, 1, 1, {}, [{"n": 1}], number=1))
    notes = tmp_path / "eurusd.notes"
    notes.write_bytes(notes.read_bytes()[:-cut])
    second = CheckpointFile(tmp_path / "eurusd.json")
    noted = Checkpoint("eurusd", 7, 1, 2, {}, [{"n": 2}], number=2)
    second.note(noted)
    second.close()
    assert file.load("eurusd", 7) == (noted, None)


def test_a_note_that_fits_only_in_part_is_an_error_and_hides_no_later_one(
    file: CheckpointFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = (Checkpoint("eurusd", 7, 1, n, {}, [{"n": n}], number=n) for n in (1, 3))
    file.note(first)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    with pytest.raises(OSError, match="20 of"):
        file.note(Checkpoint("eurusd", 7, 1, 2, {}, [{"n": 2}], number=2))
    monkeypatch.undo()
    assert file.load("eurusd", 7) == (first, None)
    file.note(last)
    assert file.load("eurusd", 7) == (last, None)


def test_notes_of_another_magic_number_hide_none_of_ours(file: CheckpointFile, tmp_path: Path) -> None:
    file.note(Checkpoint("eurusd", 6, 1, 1, {}, [{"n": 1}], number=9))
    noted = Checkpoint("eurusd", 7, 1, 2, {}, [{"n": 2}], number=1)
    file.note(noted)
    assert file.load("eurusd", 7) == (noted, None)


def test_notes_of_a_strategy_that_notes_at_every_quote_of_a_long_bar_stay_small(
    file: CheckpointFile, tmp_path: Path
) -> None:
    """A daily bar has a hundred thousand quotes, and a checkpoint comes with the bar."""
    state: dict[str, object] = {"levels": list(range(2000))}
    for number in range(1, 1001):
        noted = Checkpoint("eurusd", 7, 1, number, state, [{"n": number}], number=number)
        file.note(noted)
    assert (tmp_path / "eurusd.notes").stat().st_size < 2_000_000
    assert file.load("eurusd", 7) == (noted, None)


def test_a_checkpoint_of_the_first_version_is_read(file: CheckpointFile, tmp_path: Path) -> None:
    body = b'{"version": 1, "instance": "eurusd", "magic": 7, "bar_open_time_ns": 5, "n": 3, "state": {"a": 1}}'
    (tmp_path / "eurusd.json").write_bytes(b"%08x\n" % zlib.crc32(body) + body)
    assert file.load("eurusd", 7) == (Checkpoint("eurusd", 7, 5, 3, {"a": 1}), None)
