"""One more bar, on the disk for good when the call returns, beside one fsync and other stores."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

import os
import sqlite3
import time
from collections.abc import Callable

import numpy as np

from atrader.configuration.home import Home
from atrader.market import BAR_COLUMNS, Bar, Bars
from benchmarks._support.floors import ROW
from benchmarks._support.peers import NoPeers, Peers
from benchmarks._support.report import Options, Report, median, percentile, run
from data_layer.store import MarketBatch
from data_layer.store.market_store import SqlMarketStore
from data_layer.store.places import place_at
from data_layer.store.schema import MARKET
from data_layer.store.sqlite_database import SqliteDatabase
from data_layer.store.sqlite_file import open_writer
from tests.support.postgresql import NoServer, PostgresServer

CLAIM = "Append one bar, synced: p50 within 1.5 x one fsync of this disk, measured in turn"
MARK = 1.5
TIDY = 40  # commits of the data layer, at most, from one checkpoint to the next; a log that is emptied is written again
START = 1_370_044_800_000_000_000
MINUTE = 60_000_000_000

ARCTIC = """
import json, os, sys, time
import numpy as np, pandas as pd
from arcticdb import Arctic
place, rounds, stored = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
NAMES = ("open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close", "volume")
def frame(first, count):
    times = 1_370_044_800_000_000_000 + (np.arange(count, dtype=np.int64) + first) * 60_000_000_000
    return pd.DataFrame({name: np.full(count, 1.1) for name in NAMES}, index=pd.DatetimeIndex(times))
library = Arctic("lmdb://" + place + "/arctic").get_library("bars", create_if_missing=True)
library.write("EUR/USD", frame(0, stored))
file = os.open(place + "/floor.dat", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
took, floor = [], []
for number in range(rounds):
    began = time.perf_counter()
    os.write(file, bytes(300))
    os.fdatasync(file)
    floor.append(time.perf_counter() - began)
    one = frame(stored + number, 1)
    began = time.perf_counter()
    library.append("EUR/USD", one, prune_previous_versions=True)
    took.append(time.perf_counter() - began)
print(json.dumps({"took": took, "floor": floor}))
"""


def bars(count: int, first: int = 0) -> Bars:
    times = START + (np.arange(count, dtype=np.int64) + first) * MINUTE
    return Bars(times, *(np.full(count, 1.1) for _ in BAR_COLUMNS[1:]))


def appender(store: SqlMarketStore, stored: int) -> Callable[[int], None]:
    """Give what appends one bar, as the data layer does when a bar completes."""
    store.put_bars("EUR/USD", "1m", "benchmark", bars(stored))
    store.write(batch(Bar(START + stored * MINUTE, *([1.1] * 9))))

    def append(number: int) -> None:
        store.write(batch(Bar(START + (stored + 1 + number) * MINUTE, *([1.1] * 9))))

    return append


def batch(bar: Bar) -> MarketBatch:
    return MarketBatch("1m", "benchmark", [("EUR/USD", bar)], [], {})


def bare_rows(path: Path, stored: int) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Give what inserts one row, and what closes: SQLite as most people use it, synced."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    marks = ", ".join("?" * len(BAR_COLUMNS))
    db.execute(f"CREATE TABLE bars ({', '.join(BAR_COLUMNS)}, PRIMARY KEY (open_time_ns)) WITHOUT ROWID")
    rows = zip(*(column.tolist() for column in bars(stored).columns), strict=True)
    db.execute("BEGIN")
    db.executemany(f"INSERT INTO bars VALUES ({marks})", rows)
    db.execute("COMMIT")

    def insert(number: int) -> None:
        db.execute(f"INSERT INTO bars VALUES ({marks})", (START + (stored + number) * MINUTE, *([1.1] * 9)))

    return insert, db.close


def in_turn(
    directory: Path, work: dict[str, Callable[[int], None]], rounds: int, tidy: Callable[[], None]
) -> dict[str, list[float]]:
    """Time each of them and a bare fsync, one after the other, again and again; not the housekeeping in between."""
    file = os.open(directory / "floor.dat", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def sync(number: int) -> None:
        os.write(file, ROW)
        os.fdatasync(file)

    all_work = {"fsync": sync, **work}
    took: dict[str, list[float]] = {name: [] for name in all_work}
    try:
        for number in range(rounds):
            if number % TIDY == 0:
                tidy()
            for name, one in all_work.items():
                began = time.perf_counter()
                one(number)
                took[name].append(time.perf_counter() - began)
    finally:
        os.close(file)
    return took


def measure(options: Options) -> Report:
    rounds, stored = (300, 20_000) if options.quick else (2000, 200_000)
    place, report = options.directory, Report()
    (place / "data").mkdir()
    closers: list[Callable[[], None]] = []
    work: dict[str, Callable[[int], None]] = {}
    stores: list[SqlMarketStore] = []

    def tidy() -> None:
        for store in stores:
            store.tidy()

    try:
        for name, synchronous in (("embedded, synced", "FULL"), ("embedded, as the data layer runs it", "NORMAL")):
            path = place / f"{synchronous}.db"
            connection = open_writer(path, "benchmark", 0.0, synchronous=synchronous, schema=MARKET)  # type: ignore[arg-type]
            store = SqlMarketStore(SqliteDatabase(path, connection))
            closers.append(store.close)
            stores.append(store)
            work[name] = appender(store, stored)
        work["SQLite, one row"], close = bare_rows(place / "rows.db", stored)
        closers.append(close)
        try:
            server = PostgresServer(durable=True)
        except NoServer as reason:
            report.notes.append(f"PostgreSQL is left out: {reason}")
        else:
            closers.insert(0, server.close)
            server.start()
            remote = place_at(Home(place / "client"), server.url()).market("benchmark", 5.0)
            closers.append(remote.close)
            assert isinstance(remote, SqlMarketStore)
            work["PostgreSQL, synced"] = appender(remote, stored)
        took = in_turn(place, work, rounds, tidy)
    finally:
        for close in reversed(closers):
            close()
    floor = median(took.pop("fsync"))
    for name, times in took.items():
        p50, ours = median(times), name == "embedded, synced"
        mark, holds = (f"<= {MARK:g} x", p50 <= MARK * floor) if ours else ("", None)
        report.add(f"{name} (p50)", p50 * 1e6, "us", "one fsync in turn", floor * 1e6, mark=mark, holds=holds)
        report.add("  (p99)", percentile(times, 0.99) * 1e6, "us", "one fsync in turn", floor * 1e6)
    _add_arctic(report, place, rounds, stored)
    report.notes.append(
        f"{rounds} bars, one commit each, after {stored} that are stored; a checkpoint every {TIDY}, not timed"
    )
    return report


def _add_arctic(report: Report, place: Path, rounds: int, stored: int) -> None:
    try:
        peers = Peers(place, "arcticdb>=6", "pandas<3")
    except NoPeers:
        report.notes.append("ArcticDB is left out: no package index")
        return
    found = peers.run(ARCTIC, place, rounds // 4, stored)
    floor = median(found["floor"]) * 1e6
    report.add("ArcticDB on LMDB (p50)", median(found["took"]) * 1e6, "us", "one fsync in turn", floor)


if __name__ == "__main__":
    run("store_append", CLAIM, measure)
