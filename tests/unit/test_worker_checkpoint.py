"""The worker's checkpoint: atomic, checked, never silently wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.errors import StrategyError
from worker.checkpoint import Checkpoint, load, save


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
