"""How the end of a process is told: its status in words, and its own last words."""

import json
from pathlib import Path

import pytest

from manager.endings import described, last_words


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (0, "ended with exit code 0"),
        (64, "ended with exit code 64"),
        (-9, "ended by signal 9 (SIGKILL)"),
        (-40, "ended by signal 40"),
        (None, "ended, its exit status was lost with the fork server"),
    ],
)
def test_an_exit_status_is_put_into_words(status: int | None, text: str) -> None:
    assert described(status) == text


def write_log(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps({"timestamp": "2026-01-05T00:00:00Z", **line}) + "\n" for line in lines))
    return path


def failed(pid: int, reason: str, **more: object) -> dict[str, object]:
    return {"event": "failed", "pid": pid, "reason": reason, **more}


def test_the_reason_of_the_life_that_ended_is_told_and_not_that_of_an_earlier_one(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", failed(1, "first"), {"event": "started", "pid": 2}, failed(2, "second"))
    assert last_words(log, 2) == "second"
    assert last_words(log, 1) == "first"
    assert last_words(log, 3) == ""


def test_a_reason_behind_a_long_traceback_and_before_a_library_s_farewell_is_found(tmp_path: Path) -> None:
    trace = failed(2, "it\n  broke", exception="x" * 30_000)
    bars: list[dict[str, object]] = [{"event": "bar"}] * 2000
    log = write_log(tmp_path / "a.log", *bars, trace, {"event": "bye"})
    assert last_words(log, 2) == "it broke"


def test_a_long_reason_is_cut_and_a_missing_log_is_silence(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a.log", failed(2, "x" * 1000))
    assert last_words(log, 2) == "x" * 300 + " ..."
    assert last_words(tmp_path / "none.log", 2) == ""
