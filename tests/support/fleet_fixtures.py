"""Fixtures: fleets of one test, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Fleet

MakeFleet = Callable[[str], Fleet]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Give an installation that is not started; nothing of it survives the test."""
    made = Fleet(tmp_path / "home")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def make_fleet(tmp_path: Path) -> Iterator[MakeFleet]:
    """Give installations that are not started; nothing of them survives the test."""
    made: list[Fleet] = []

    def make(name: str) -> Fleet:
        made.append(Fleet(tmp_path / name))
        return made[-1]

    yield make
    for fleet in made:
        fleet.end()
