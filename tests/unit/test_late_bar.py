"""A bar that is drawn only once work has taken its time, and work in a thread beside."""

from __future__ import annotations

import sys
from threading import Event

import pytest

from atrader.errors import StoreError
from atrader.runtime.beside import Beside
from manager.commands import late_bar as late
from manager.commands.late_bar import LateBar, late_bar


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # for the library that draws
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


def test_work_that_is_over_at_once_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    with late_bar("sma-cross", silent=False) as bar:
        bar.show(3, 7)
    assert capsys.readouterr().err == ""


def test_a_bar_begins_with_what_was_told_before_it_was_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    bar = LateBar("sma-cross")
    bar.show(3, 7)
    bar.begin()
    bar.show(5, 7, "rsi")
    bar.gone()
    drawn = capsys.readouterr().err
    assert "3/7" in drawn
    assert "5/7" in drawn
    assert "rsi" in drawn


def test_a_bar_that_is_gone_is_not_drawn_by_its_timer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    bar = LateBar("sma-cross")
    bar.gone()
    bar.begin()
    assert capsys.readouterr().err == ""


def test_work_that_takes_its_time_is_drawn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    on_a_terminal(monkeypatch)
    begun, begin = Event(), LateBar.begin

    def noticed(bar: LateBar) -> None:
        begin(bar)
        begun.set()

    monkeypatch.setattr(LateBar, "begin", noticed)
    monkeypatch.setattr(late, "_PATIENCE_S", 0.01)
    with late_bar("sma-cross", silent=False):
        assert begun.wait(20)
    assert "sma-cross" in capsys.readouterr().err


def test_what_is_worked_out_beside_comes_back_or_is_raised_as_often_as_it_is_asked_for() -> None:
    found = Beside(lambda: 42)
    assert [found.result(), found.result()] == [42, 42]

    def failing() -> int:
        raise StoreError("no such file")

    failed = Beside(failing)
    for _ in range(2):
        with pytest.raises(StoreError, match="no such file"):
            failed.result()
