"""What is shown of long work while it runs."""

from __future__ import annotations

import sys

import pytest

from manager.commands.progress import CountColumn, counting


def test_of_work_whose_size_nobody_knows_yet_no_count_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for the library that draws
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with counting("windows", CountColumn(), silent=False):
        pass
    before = capsys.readouterr().err
    with counting("windows", CountColumn(), silent=False) as progress:
        progress(3, 7)
    assert "windows" in before
    assert "/?" not in before
    assert "3/7" in capsys.readouterr().err
