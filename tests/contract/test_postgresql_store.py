"""What is special about a store on a server: it goes away, answers get lost, others may come, and it may refuse."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from atrader.configuration.home import Home
from atrader.errors import ConfigError, StoreError, StoreUnavailable
from atrader.market import Quotes, Tick
from atrader.messages.history import QueryHistory
from data_layer.store import MarketBatch
from data_layer.store.interface import Damage
from data_layer.store.places import PostgresPlace, place_at
from data_layer.store.postgresql.address import Address
from data_layer.store.postgresql.history import PostgresHistoryStore
from data_layer.store.postgresql.market import PostgresMarketReader, PostgresMarketStore
from data_layer.store.schema import HISTORY, MARKET
from tests.fixtures import make_stores as made
from tests.support.data_layer import wait_until
from tests.support.market_files import ticks_of
from tests.support.postgresql import database, started
from tests.support.postgresql_proxy import LossyProxy


@pytest.fixture
def proxy(postgresql_url: str, tmp_path: Path) -> Iterator[LossyProxy]:
    with LossyProxy(postgresql_url, tmp_path) as proxy:
        yield proxy


def connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url, autocommit=True, options="-c search_path=atrader")


@pytest.mark.parametrize("server_still_believes", [False, True])
@pytest.mark.parametrize("was_carried_out", [False, True])
def test_a_commit_that_nobody_knows_of_is_done_again_and_what_was_committed_before_changes_nothing(
    proxy: LossyProxy, *, was_carried_out: bool, server_still_believes: bool
) -> None:
    proxy.commits = was_carried_out
    proxy.keeps_session = server_still_believes
    store = PostgresMarketStore(Address(proxy.url), "test")
    history = PostgresHistoryStore(Address(proxy.url), "test")
    bars = made.bars(100)
    batch = MarketBatch("1m", "feed", [("EUR/USD", bars.row(99))], made.ticks(), {"EUR/USD": bars.row(99)}, "run/1")
    proxy.lose_next_commit()
    store.put_bars("EUR/USD", "1m", "file.csv", bars[:99])
    proxy.lose_next_commit()
    store.write(batch)
    proxy.lose_next_commit()
    assert history.append([("gateway:paper", made.rows())]) == [3]
    assert proxy.lost == 3
    assert np.array_equal(store.bars("EUR/USD", "1m").columns, bars.columns)
    assert ticks_of(store, "EUR/USD") == made.ticks()
    assert store.revisions("EUR/USD", "1m") == []
    assert len(history.query(QueryHistory(table="fills"))) == 1
    store.close()
    history.close()


def test_a_session_that_the_server_ended_is_replaced_unnoticed(postgresql_url: str) -> None:
    store = PostgresMarketStore(Address(postgresql_url), "test")
    reader = PostgresMarketReader(Address(postgresql_url), "reader")
    for _ in range(2):
        with connect(postgresql_url) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
        store.put_bars("EUR/USD", "1m", "file.csv", made.bars(10))
        assert len(reader.bars("EUR/USD", "1m")) == 10
    store.close()
    reader.close()


def stored(store: PostgresMarketStore) -> bool:
    try:
        store.put_bars("EUR/USD", "1m", "file.csv", made.bars(10, 5000))
    except StoreUnavailable:
        return False
    return True


def test_a_server_that_is_away_is_told_at_once_and_everything_goes_on_when_it_is_back() -> None:
    server = started(durable=True)
    try:
        with database(server.url()) as url:
            store = PostgresMarketStore(Address(url), "test", wait_s=5.0)
            reader = PostgresMarketReader(Address(url), "reader", patience_s=20.0)
            store.put_bars("EUR/USD", "1m", "file.csv", made.bars(5000))
            server.kill()
            with pytest.raises(StoreUnavailable, match=r"cannot be reached: .* is the server running"):
                store.put_bars("EUR/USD", "1m", "file.csv", made.bars(10, 5000))
            with pytest.raises(StoreUnavailable):
                PostgresMarketStore(Address(url), "other")
            server.start()
            assert len(reader.bars("EUR/USD", "1m")) == 5000  # it waited
            wait_until(lambda: stored(store), "the store to take bars again")
            assert len(reader.bars("EUR/USD", "1m")) == 5010
            store.close()
            reader.close()
    finally:
        server.close()


def test_a_second_writer_on_another_host_is_refused_and_told_who_holds_the_store(
    postgresql_url: str, tmp_path: Path
) -> None:
    here, there = (place_at(Home(tmp_path / name), postgresql_url) for name in ("here", "there"))
    for open_one in (PostgresPlace.market, PostgresPlace.history):
        assert isinstance(here, PostgresPlace)
        assert isinstance(there, PostgresPlace)
        store = open_one(here, "data-layer", 0.0)
        with pytest.raises(
            StoreError, match=rf"in use by data-layer \(pid {os.getpid()} on {socket.gethostname()}\)"
        ) as no:
            open_one(there, "data-layer", 0.2)
        assert no.value.details["exit_code"] == "LOCKED"
        store.close()
        open_one(there, "data-layer", 5.0).close()


def test_a_writer_that_lost_its_lock_to_another_never_writes_again(postgresql_url: str) -> None:
    store = PostgresMarketStore(Address(postgresql_url), "first")
    store.put_bars("EUR/USD", "1m", "file.csv", made.bars(10))
    with connect(postgresql_url) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'first%'")
    second = PostgresMarketStore(Address(postgresql_url), "second", wait_s=5.0)
    with pytest.raises(StoreError, match="in use by second") as no:
        store.put_bars("EUR/USD", "1m", "file.csv", made.bars(20))
    assert no.value.details["exit_code"] == "LOCKED"
    assert len(second.bars("EUR/USD", "1m")) == 10
    store.close()
    second.close()


def test_tables_of_a_newer_program_are_refused_and_those_of_an_older_one_are_brought_up(postgresql_url: str) -> None:
    address = Address(postgresql_url)
    PostgresMarketStore(address, "test").close()
    with connect(postgresql_url) as admin:
        admin.execute("UPDATE versions SET version = 99")
    for opened in (PostgresMarketStore, PostgresMarketReader):
        with pytest.raises(StoreError, match="made by a newer atrader"):
            opened(address, "test")
    with connect(postgresql_url) as admin:  # what schema 1 had, as the embedded store of that time
        admin.execute("DROP TABLE bar_range, bar_revision, backfill, facts")
        admin.execute("UPDATE versions SET version = 1")
    with pytest.raises(StoreError, match="older atrader"):
        PostgresMarketReader(address, "test")
    store = PostgresMarketStore(address, "test")
    store.put_bars("EUR/USD", "1m", "file.csv", made.bars(10))
    reader = PostgresMarketReader(address, "test")
    assert len(reader.bars("EUR/USD", "1m")) == 10
    with connect(postgresql_url) as admin:
        assert admin.execute("SELECT part, version FROM versions").fetchall() == [("market", MARKET.version)]
    store.close()
    reader.close()
    PostgresHistoryStore(address, "test").close()
    with connect(postgresql_url) as admin:
        versions: dict[str, int] = dict(admin.execute("SELECT part, version FROM versions").fetchall())
    assert versions == {"market": MARKET.version, "history": HISTORY.version}


def test_a_reader_of_an_empty_database_says_that_there_is_no_store(postgresql_url: str) -> None:
    with pytest.raises(StoreError, match="holds no store yet") as missing:
        PostgresMarketReader(Address(postgresql_url), "test")
    assert missing.value.details["missing"]


def test_a_user_who_may_not_make_tables_is_told_what_the_administrator_has_to_do(postgresql_url: str) -> None:
    role = f"atrader_poor_{os.getpid()}"
    with connect(postgresql_url) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN".encode())
        try:
            poor = Address(postgresql_url.replace("postgres@", f"{role}@"))
            with pytest.raises(StoreError, match=r"permission denied .* CREATE SCHEMA atrader AUTHORIZATION"):
                PostgresMarketStore(poor, "test")
            admin.execute(f"CREATE SCHEMA atrader AUTHORIZATION {role}".encode())
            PostgresMarketStore(poor, "test").close()
            admin.execute("DROP SCHEMA atrader CASCADE")
        finally:
            admin.execute(f"DROP ROLE {role}".encode())


def test_no_password_is_shown_by_an_address_or_an_error() -> None:
    url = "postgresql://me:hunter2@127.0.0.1:1/db?password=hunter2&connect_timeout=2"
    address = Address(url, lambda: "hunter2")
    assert "hunter2" not in f"{address} {address!r}"
    with pytest.raises(StoreUnavailable) as away:
        PostgresMarketStore(address, "test")
    assert "hunter2" not in f"{away.value} {away.value!r} {away.value.details}"
    with pytest.raises(ConfigError) as wrong:
        PostgresMarketStore(Address("postgresql://me@host/db?nonsense=hunter2"), "test")
    assert "nonsense" in str(wrong.value)


def test_a_damaged_chunk_is_found_by_its_checksum_and_the_rest_is_served(postgresql_url: str) -> None:
    store = PostgresMarketStore(Address(postgresql_url), "test")
    store.put_bars("EUR/USD", "1m", "file.csv", made.bars(9000))
    with connect(postgresql_url) as admin:
        admin.execute("UPDATE bar_chunk SET data = set_byte(data, 1000, 1 + get_byte(data, 1000)) WHERE id = 1")
    found: list[Damage] = []
    store.on_damage = found.append
    assert len(store.bars("EUR/USD", "1m")) == 9000 - 4096
    assert [one.rows for one in found] == [4096]
    store.close()


def test_without_psycopg_the_embedded_store_works_and_a_server_is_refused_with_the_remedy(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path\n"
        "from atrader.configuration.home import Home\n"
        "from atrader.errors import ConfigError\n"
        "from data_layer.store.places import place_at\n"
        "home = Home(Path(sys.argv[1]))\n"
        "place_at(home, 'embedded').market('test', 0.0).close()\n"
        "try:\n    place_at(home, 'postgresql://host/db')\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'atrader-platform[postgresql]'" in done.stdout


def test_chunks_are_stored_as_they_are_and_not_packed_again(postgresql_url: str) -> None:
    PostgresMarketStore(Address(postgresql_url), "test").close()
    with connect(postgresql_url) as admin:
        storage = admin.execute(
            "SELECT relname, attstorage FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE atttypid = 'bytea'::regtype AND relnamespace = 'atrader'::regnamespace ORDER BY 1"
        ).fetchall()
    assert storage == [("bar_chunk", "e"), ("bar_revision", "e"), ("tick_chunk", "e")]


def test_ticks_of_equal_times_keep_their_order(postgresql_url: str) -> None:
    store = PostgresMarketStore(Address(postgresql_url), "test")
    ticks = [Tick("EUR/USD", made.START + index // 3, made.START, 1.0 + index, 2.0) for index in range(10_000)]
    store.put_quotes("EUR/USD", "t.csv", Quotes.of(ticks))
    assert ticks_of(store, "EUR/USD") == ticks
    store.close()
