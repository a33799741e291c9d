"""A fleet per test, ended whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Give an installation that is not started; nothing of it survives the test."""
    made = Fleet(tmp_path / "home")
    try:
        yield made
    finally:
        made.end()
