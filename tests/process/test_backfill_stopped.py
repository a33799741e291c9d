"""History from a service while the fleet is stopped: the command fetches it itself, under the store's lock."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from atrader.calendars import Calendar
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.exit_codes import ExitCode
from atrader.market import Bars
from data_layer.backfill.offline import OfflineBackfill
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from data_layer.store.places import place_of
from tests.support.bar_sources import market_bars, same
from tests.support.candle_server import CandleServer
from tests.support.data_layer import wait_until
from tests.support.typed import SCRIPTS, type_command

PAIR, KEY = "BTC/USDT", "BTC-USDT"
PERIOD = ("--start", "2024-01-01", "--end", "2024-01-03")


@pytest.fixture
def server() -> Iterator[CandleServer]:
    with CandleServer() as server:
        bars = market_bars(Calendar.get("24/7"), "2024-01-01T00:00Z", "2024-01-04T00:00Z")
        server.bars[KEY, "1m"] = Bars(*bars.columns[:5], *bars.columns[1:5], bars.columns[9])
        yield server


def installed(root: Path, server: CandleServer | None) -> Home:
    home = Home(root)
    home.etc.mkdir(parents=True)
    sources = {} if server is None else {"sources": {"backend": server.configuration()}}
    (home.etc / "atrader.toml").write_text(tomlkit.dumps({"data": {"base_timeframe": "1m"}, **sources}))
    return home


def stored(home: Home) -> Bars:
    reader = SqliteMarketReader(home.market_store)
    try:
        return reader.bars(PAIR, "1m")
    finally:
        reader.close()


def test_history_is_fetched_while_the_fleet_is_stopped(tmp_path: Path, server: CandleServer) -> None:
    home = installed(tmp_path, server)
    job = type_command("atrader -C", tmp_path, "data", "backfill", PAIR, *PERIOD, "--json").json
    assert (job["state"], job["bars"], job["source"]) == ("done", 2 * 1440, "backend")
    assert same(stored(home), server.bars[KEY, "1m"][: 2 * 1440])
    asked = len(server.seen)
    again = type_command("atrader -C", tmp_path, "data", "backfill", PAIR, *PERIOD)
    assert again.out == "0 bars of BTC/USDT 1m came or changed\n"
    assert len(server.seen) == asked, "only gaps are asked for"
    gaps = type_command("atrader -C", tmp_path, "data", "gaps", PAIR, "1m", "--json").json
    assert gaps == []


def test_an_interrupted_fetch_keeps_what_came_and_frees_the_store(tmp_path: Path, server: CandleServer) -> None:
    home = installed(tmp_path, server)
    server.faults += ["", ""] + ["500"] * 1000
    command = [str(SCRIPTS / "atrader"), "-C", str(tmp_path), "data", "backfill", PAIR, *PERIOD]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as begun:
        try:
            assert begun.stderr is not None
            assert "waits: " in begun.stderr.readline()
            held = type_command("atrader -C", tmp_path, "data", "backfill", PAIR, *PERIOD)
        finally:
            begun.send_signal(signal.SIGINT)
    assert begun.returncode == 1
    assert held.code == ExitCode.STORE
    assert "a backfill" in held.err
    came = stored(home)
    assert 0 < len(came) < 2 * 1440
    store = SqliteMarketStore(home.market_store, "the test")  # the lock is free
    [request] = store.backfills()
    store.close()
    assert request.left_ns == int(came.open_time_ns[0])
    server.faults.clear()
    assert type_command("atrader -C", tmp_path, "data", "backfill", PAIR, *PERIOD).code == ExitCode.OK
    assert len(stored(home)) == 2 * 1440


def test_the_work_has_ended_when_a_fetch_is_closed(tmp_path: Path, server: CandleServer) -> None:
    home = installed(tmp_path, server)
    fleet = load_fleet(home.root)
    backfill = OfflineBackfill(place_of(home, fleet.data), fleet)
    loop = backfill._loop
    wait_until(lambda: len(asyncio.all_tasks(loop)) > 1, "the work to begin")
    backfill.close()
    assert not asyncio.all_tasks(loop)  # what is left would complain on the terminal when it is collected


def test_what_cannot_be_fetched_is_said_with_what_to_type(tmp_path: Path, server: CandleServer) -> None:
    installed(tmp_path / "none", None)
    none = type_command("atrader -C", tmp_path / "none", "data", "backfill", PAIR, *PERIOD)
    assert none.code == ExitCode.CONFIG
    assert "atrader-manager start" in none.err
    assert "data import" in none.err
    installed(tmp_path / "one", server)
    one = type_command("atrader -C", tmp_path / "one", "data", "backfill", PAIR, *PERIOD, "--no-wait")
    assert one.code == ExitCode.CONFIG
    assert "leave it out" in one.err
    unknown = type_command("atrader -C", tmp_path / "one", "data", "backfill", PAIR, *PERIOD, "--source", "other")
    assert unknown.code != 0
    assert "known: backend" in unknown.err
    wait_until(lambda: not (tmp_path / "none" / "data" / "market.db").exists(), "nothing to be made")
