"""Fixtures around the stand-in library: strategies over it in this process, whole fleets with it, and a time server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.asirikuy_fleet import AsirikuyFleet, time_server
from tests.support.asirikuy_stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[MakeStage]:
    """Make strategies over the library; what they hold is given back after the test."""
    made: list[Stage] = []

    def make(text: str, server: str | None = None, **parameters: Any) -> Stage:
        made.append(Stage(tmp_path, text, server, **parameters))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ntp_server() -> Iterator[str]:
    """Give the address of a time server that is right."""
    with time_server() as address:
        yield address


@pytest.fixture
def asirikuy_fleet(tmp_path: Path, ntp_server: str) -> Iterator[AsirikuyFleet]:
    """Give an installation that is not started and knows the time; nothing of it survives the test."""
    made = AsirikuyFleet(tmp_path / "home")
    made.servers = f"ntp_servers = ['{ntp_server}']"
    try:
        yield made
    finally:
        made.end()
