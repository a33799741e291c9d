"""What a human is told of the store, by the beats of the data layer."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from atrader.clock import SystemClock
from atrader.configuration.instance import ProcessLimits
from manager.beats import BeatBody
from manager.liveness import Vitals
from manager.process import Supervised
from manager.surroundings import Launcher, Surroundings

FULL, BACK = "the store cannot be written", "the store is back"


class Told:
    """Notes alerts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def alert(self, process: Supervised, text: str, level: str = "error") -> None:
        self.texts.append(text)

    def transitioned(self, *args: Any) -> None: ...


@pytest.mark.parametrize(
    ("beats", "said"),
    [
        (["starting ok", "ready read-only", "ready read-only", "ready ok"], [FULL, BACK]),
        (["ready read-only", "stopping ok"], [FULL]),
        (["ready ok", "stopping ok"], []),
        (["ready read-only", "stopping ok", "next life", "starting ok", "ready ok"], [FULL, BACK]),
        (["ready read-only", "next life", "starting ok", "ready read-only"], [FULL]),
    ],
)
def test_a_store_is_back_only_when_a_data_layer_that_works_says_so(beats: list[str], said: list[str]) -> None:
    told, clock = Told(), SystemClock()
    around, launcher = cast(Surroundings, told), cast(Launcher, None)
    make: Any = None
    process = Supervised(
        "data-layer", "data-layer", "", (), ProcessLimits(), make, around, launcher, clock, random.Random(1)
    )
    process.vitals = Vitals(started_s=clock.monotonic_s())
    process.handle = cast(Any, SimpleNamespace(pid=1))
    for number, words in enumerate(beats):
        if words == "next life":
            process.last_beat = None
            continue
        phase, store = words.split()
        process.beat(BeatBody(name="data-layer", pid=1, phase=phase, progress=number, rss_bytes=0, store=store))
    assert [text[: len(FULL)] if text.startswith(FULL) else text[: len(BACK)] for text in told.texts] == said
