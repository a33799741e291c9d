"""Beats of a process whose manager does not listen: they delay its main loop once, not in every turn."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.bus import close_context
from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import ProcessLimits
from atrader.runtime.beats import Beats
from atrader.runtime.spec import ProcessSpec


def test_a_new_phase_waits_for_the_manager_once_and_is_tried_again_without_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    Home(tmp_path).sockets.mkdir(parents=True, exist_ok=True)
    installation = Installation.model_validate({"home": str(tmp_path), "fleet": {}, "accounts": {}, "instances": {}})
    beats = Beats(
        ProcessSpec("data-layer", "data-layer", "data-layer", installation, ProcessLimits(), "test"), SystemClock()
    )
    waits: list[float] = []
    monkeypatch.setattr("atrader.runtime.beats.time.sleep", waits.append)
    beats.beat("ready", 1, {})
    assert waits
    tried = beats._sender.counters["dropped"]
    waits.clear()
    beats.beat("ready", 2, {})
    assert not waits
    assert beats._sender.counters["dropped"] == tried + 1
    beats.beat("draining", 3, {})
    assert waits, "another phase"
    beats.close()
    close_context()
