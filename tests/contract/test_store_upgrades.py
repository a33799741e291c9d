"""Stores of every released schema open, lose nothing, and are brought to the schema of today."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from atrader.errors import StoreError
from atrader.messages.history import QueryHistory
from data_layer.store import MarketBatch
from data_layer.store.history_sqlite import SqliteHistoryReader, SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from data_layer.store.schema import HISTORY, MARKET
from tests.fixtures import make_stores as made
from tests.support.market_files import ticks_of

FIXTURES = Path(made.__file__).parent
RELEASED = sorted(path.name for path in FIXTURES.glob("stores-schema-*"))


def unpacked(release: str, name: str, directory: Path) -> Path:
    path = directory / name
    path.write_bytes(gzip.decompress((FIXTURES / release / f"{name}.gz").read_bytes()))
    return path


def schema_of(path: Path) -> tuple[int, list[tuple[str, str]]]:
    db = sqlite3.connect(path)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        columns = [
            (table, column[1])
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for column in db.execute(f"PRAGMA table_info({table})").fetchall()
        ]
    finally:
        db.close()
    return version, sorted(columns)


@pytest.mark.parametrize("release", RELEASED)
def test_a_market_store_of_an_earlier_release_keeps_its_contents_and_is_written_on(
    release: str, tmp_path: Path
) -> None:
    path = unpacked(release, "market.db", tmp_path)
    store = SqliteMarketStore(path, "test")
    expected = made.bars(made.CHUNKED + made.TAIL)
    found = store.bars("EUR/USD", "1m")
    assert all(np.array_equal(a, b) for a, b in zip(found.columns, expected.columns, strict=True))
    assert ticks_of(store, "EUR/USD") == made.ticks()
    assert store.forming("1m") == {"EUR/USD": made.bars(1, made.CHUNKED + made.TAIL).row(0)}
    fresh = made.bars(1, made.CHUNKED + made.TAIL).row(0)
    store.write(MarketBatch("1m", "feed", [("EUR/USD", fresh)], made.ticks(), {}, "batch"))
    assert len(store.bars("EUR/USD", "1m")) == made.CHUNKED + made.TAIL + 1
    store.put_bars("EUR/USD", "1m", "revision.csv", made.bars(3, first=10)[1:])
    store.close()
    SqliteMarketStore(tmp_path / "fresh.db", "test").close()
    assert schema_of(path) == schema_of(tmp_path / "fresh.db")
    assert schema_of(path)[0] == MARKET.version


@pytest.mark.parametrize("release", RELEASED)
def test_a_history_of_an_earlier_release_keeps_its_rows_and_is_written_on(release: str, tmp_path: Path) -> None:
    path = unpacked(release, "history.db", tmp_path)
    store = SqliteHistoryStore(path, "test")
    assert store.last_seq("gateway:paper") == 3
    store.append([("gateway:paper", made.rows())])
    (fill,) = store.query(QueryHistory(table="fills"))
    assert (fill["units"], fill["price"]) == ("1000.50", "1.10010")
    (signal,) = store.query(QueryHistory(table="signals"))
    assert signal["indicators"] == {"fast": 1.1}
    assert len(store.query(QueryHistory(table="events"))) == 1
    store.close()
    SqliteHistoryStore(tmp_path / "fresh.db", "test").close()
    assert schema_of(path) == schema_of(tmp_path / "fresh.db")
    assert schema_of(path)[0] == HISTORY.version


def test_there_is_a_store_of_every_released_schema_but_the_newest() -> None:
    assert [f"stores-schema-{number}" for number in range(1, len(RELEASED) + 1)] == RELEASED
    assert sorted(MARKET.tables().steps) == list(range(2, MARKET.version + 1))
    assert sorted(HISTORY.tables().steps) == list(range(2, HISTORY.version + 1))


def test_a_reader_leaves_an_older_file_as_it_is_and_says_what_to_do(tmp_path: Path) -> None:
    path = unpacked("stores-schema-1", "market.db", tmp_path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="older atrader") as refusal:
        SqliteMarketReader(path)
    assert refusal.value.details["old"]
    assert path.read_bytes() == before
    SqliteMarketStore(path, "test").close()
    SqliteMarketReader(path).close()


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = unpacked("stores-schema-1", "market.db", tmp_path)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE facts (something TEXT)")  # in the way of the step to 2, after its first statements
    db.close()
    before = schema_of(path)
    with pytest.raises(StoreError, match="facts already exists"):
        SqliteMarketStore(path, "test")
    assert schema_of(path) == before


def test_history_readers_of_a_current_file_need_no_writer(tmp_path: Path) -> None:
    SqliteHistoryStore(tmp_path / "history.db", "test").close()
    reader = SqliteHistoryReader(tmp_path / "history.db")
    assert reader.query(QueryHistory(table="orders")) == []
    reader.close()
