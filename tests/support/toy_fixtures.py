"""Fixtures: fleets of toy processes, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.toy_fleet import ToyFleet

MakeToyFleet = Callable[..., ToyFleet]


@pytest.fixture
def make_toy_fleet(tmp_path: Path, closed_context: None) -> Iterator[MakeToyFleet]:
    """Make fleets in one home, the later in place of the earlier; nothing of them survives the test."""
    fleets: list[ToyFleet] = []

    def make(**options: Any) -> ToyFleet:
        (tmp_path / "home").mkdir(exist_ok=True)
        fleets.append(ToyFleet(tmp_path / "home", **options))
        return fleets[-1]

    yield make
    for fleet in fleets:
        fleet.end()
