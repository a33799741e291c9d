"""Both kinds of store, for everything that must hold for every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.configuration.home import Home
from data_layer.store.places import EmbeddedPlace, PostgresPlace, place_at


@pytest.fixture(params=["embedded", "postgresql"])
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedPlace | PostgresPlace:
    """Give an empty place for stores."""
    where = "embedded" if request.param == "embedded" else request.getfixturevalue("postgresql_url")
    return place_at(Home(tmp_path), where)
