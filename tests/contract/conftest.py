"""What several contracts are tested on: both kinds of store, both kinds of client and of transport for calls."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from atrader.configuration.home import Home
from data_layer.store.places import EmbeddedPlace, PostgresPlace, place_at
from tests.support.call_stage import Stage


@pytest.fixture(params=["embedded", "postgresql"])
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedPlace | PostgresPlace:
    """Give an empty place for stores."""
    where = "embedded" if request.param == "embedded" else request.getfixturevalue("postgresql_url")
    return place_at(Home(tmp_path), where)


@pytest.fixture(params=product(("ipc", "tcp"), ("async", "sync")), ids="-".join)
def call_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """Give a place for a server of calls, for each transport and kind of client."""
    transport, client = request.param
    return Stage(transport, client, tmp_path)


@pytest.fixture
def local_calls(tmp_path: Path) -> Stage:
    """Give a place for one on this host, with clients of asyncio."""
    return Stage("ipc", "async", tmp_path)
