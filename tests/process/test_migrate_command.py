"""``atrader data migrate`` as people run it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from data_layer.store.places import place_at
from data_layer.store.transfer import transfer
from tests.fixtures import make_stores as made
from tests.support.fleet import Fleet
from tests.support.forks import run_forked

TOOLS = "manager.commands.tools"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    fleet = Fleet(tmp_path / "home")
    fleet.write_fleet()
    return fleet


def test_a_migration_killed_in_the_middle_is_run_again_and_is_whole(fleet: Fleet, postgresql_url: str) -> None:
    here, there = place_at(fleet.home, "embedded"), place_at(fleet.home, postgresql_url)
    bars = made.bars(200_000)
    store = here.market("test", 2.0)
    store.put_bars("EUR/USD", "1m", "file.csv", bars)
    store.close()

    def die_after_first(what: str, done: int, total: int) -> None:
        if what == "copying bar_chunk" and 0 < done < total:
            os.kill(os.getpid(), signal.SIGKILL)

    assert run_forked(lambda: transfer(here, there, die_after_first)) == -signal.SIGKILL
    refused = fleet.command("data", "migrate", "--from", postgresql_url, "--to", "sqlite", program=TOOLS)
    assert refused.returncode != 0
    rows = fleet.json("data", "migrate", "--from", "sqlite", "--to", postgresql_url, program=TOOLS)
    assert {row["table"]: row["rows"] for row in rows}["bar_chunk"] == -(-len(bars) // 4096)
    reader = there.market_reader("test")
    found = reader.bars("EUR/USD", "1m")
    reader.close()
    assert all(np.array_equal(a, b) for a, b in zip(found.columns, bars.columns, strict=True))


def test_a_password_in_an_address_a_wrong_place_and_one_place_twice_are_refused(fleet: Fleet) -> None:
    for source, target, text in (
        ("sqlite", "postgresql://me:hunter2@host/db", "write no password into the address"),
        ("sqlite", "mysql://host/db", "--to: expected 'sqlite' or"),
        ("sqlite", "embedded", "are both"),
    ):
        done = fleet.command("data", "migrate", "--from", source, "--to", target, program=TOOLS)
        assert done.returncode == 64
        assert text in done.stderr
        assert "hunter2" not in done.stderr


def test_a_configuration_with_a_password_in_the_address_is_refused_without_showing_it(fleet: Fleet) -> None:
    fleet.store_url = "postgresql://me:hunter2@host/db"
    fleet.write_fleet()
    done = fleet.command("check")
    assert done.returncode == 64
    assert "data.store: write no password into the address" in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_server_that_is_not_there_is_named_at_the_start(fleet: Fleet) -> None:
    fleet.store_url = f"postgresql://me@/db?host={fleet.home.root}"
    fleet.write_fleet()
    done = fleet.command("data", "list", program=TOOLS)
    assert done.returncode == 71
    assert "cannot be reached" in done.stderr
    assert "is the server running" in done.stderr
