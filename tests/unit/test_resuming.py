"""Runs of hours go on where they were ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import resuming

_TESTS = """
def test_passed_before():
    raise AssertionError("not run again")

def test_passes():
    pass

def test_fails():
    raise AssertionError("on purpose")
"""
_BARE = [
    word
    for name in ("cacheprovider", "faulthandler", "unraisableexception", "logging")
    for word in ("-p", f"no:{name}")
]


def test_what_passed_is_left_out_and_what_passes_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none.ini").write_text("[pytest]\n")
    (tmp_path / "test_three_long_ones.py").write_text(_TESTS)
    names = [f"test_three_long_ones.py::test_{name}" for name in ("passed_before", "passes")]
    (tmp_path / "passed").write_text(f"{names[0]}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    assert pytest.main(["-q", "-s", "-c", "none.ini", *_BARE, "--resume", "passed"], plugins=[resuming]) == 1

    assert "1 failed, 1 passed, 1 deselected" in capsys.readouterr().out
    assert (tmp_path / "passed").read_text().split() == names
