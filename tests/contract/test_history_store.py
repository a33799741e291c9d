"""What every history store must do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import Rejected, StoreError, WireError
from atrader.messages.history import QueryHistory
from atrader.orders.states import OrderState
from data_layer.store import ArchiveFile, HistoryStore
from data_layer.store.history_sqlite import SqliteEngine, SqliteHistoryReader, SqliteHistoryStore
from data_layer.store.places import StorePlace
from tests.support.history_rows import DAY, closed_trade, fill, order, rows, signal, still_open, trade

SOURCE = "gateway:paper"
OLD_STORES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def store(store_place: StorePlace) -> Iterator[HistoryStore]:
    store = store_place.history("test", 0.0)
    yield store
    store.close()


def query(store: HistoryStore, table: str, **filters: Any) -> list[dict[str, object]]:
    return store.query(QueryHistory(table=table, **filters))  # type: ignore[arg-type]


def test_money_comes_back_as_the_text_that_was_sent(store: HistoryStore) -> None:
    store.append([(SOURCE, rows(("orders", order(1)), ("fills", fill(1)), ("trades", trade(1))))])
    (found,) = query(store, "orders")
    assert (found["units"], found["intent_id"], found["state"]) == ("1000.50", "7:1", "SENT")
    (found,) = query(store, "fills")
    assert (found["price"], found["units"], found["commission"]) == ("1.10010", "1000", "0")
    (found,) = query(store, "trades")
    assert (found["open_price"], found["units"], found["units_open"], found["state"]) == (
        "1.10000",
        "1000",
        "1000",
        "open",
    )


def test_rows_seen_before_are_skipped(store: HistoryStore) -> None:
    batch = rows(("fills", fill(1)), ("fills", fill(2)))
    assert store.append([(SOURCE, batch)]) == [2]
    assert store.append([(SOURCE, batch)]) == [2]
    assert store.append([(SOURCE, rows(("fills", fill(9)), first=2))]) == [2]
    assert store.last_seq(SOURCE) == 2
    assert store.last_seq("gateway:other") == 0
    assert [row["fill_id"] for row in query(store, "fills")] == ["f1", "f2"]


def test_the_same_number_of_two_sources_is_two_rows(store: HistoryStore) -> None:
    body: dict[str, object] = {"kind": "exit", "text": "one"}
    assert store.append([("manager", rows(("events", body))), (SOURCE, rows(("events", body)))]) == [1, 1]
    assert len(query(store, "events")) == 2


def test_an_older_version_never_overwrites_a_newer_one(store: HistoryStore) -> None:
    newer, older = order(1, 3, OrderState.FILLED), order(1, 2, OrderState.WORKING)
    store.append([(SOURCE, rows(("orders", newer), ("trades", trade(1, 2, units="0", close_time_ns=5))))])
    store.append([(SOURCE, rows(("orders", older), ("trades", trade(1, 1)), first=3))])
    assert [row["state"] for row in query(store, "orders")] == ["FILLED"]
    assert [(row["state"], row["units"]) for row in query(store, "trades")] == [("closed", "1000")]


def test_versions_within_one_batch_end_at_the_newest(store: HistoryStore) -> None:
    versions = [("orders", order(1, version)) for version in (1, 2, 3)]
    store.append([(SOURCE, rows(*versions, ("orders", order(1, 4, OrderState.FILLED))))])
    assert [(row["version"], row["state"]) for row in query(store, "orders")] == [(4, "FILLED")]


def test_filters_choose_and_a_limit_takes_the_newest_oldest_first(store: HistoryStore) -> None:
    items = [("orders", order(n, magic=n % 2 + 1, instance=f"i{n % 2 + 1}")) for n in range(1, 11)]
    store.append([(SOURCE, rows(*items))])
    assert [row["created_ns"] for row in query(store, "orders", magic=2)] == [1, 3, 5, 7, 9]
    assert [row["created_ns"] for row in query(store, "orders", instance="i1", start_ns=4, end_ns=8)] == [4, 6]
    assert [row["created_ns"] for row in query(store, "orders", limit=3)] == [8, 9, 10]
    assert query(store, "orders", state="FILLED") == []
    assert query(store, "orders", account="other") == []


def test_a_filter_that_a_table_cannot_have_is_refused(store: HistoryStore) -> None:
    with pytest.raises(Rejected, match="equity have no magic"):
        query(store, "equity", magic=1)


def test_an_incomplete_row_is_refused_and_nothing_of_its_batch_is_kept(store: HistoryStore) -> None:
    with pytest.raises(WireError, match="row 2"):
        store.append([(SOURCE, rows(("fills", fill(1)), ("orders", {"client_id": "x"})))])
    assert store.last_seq(SOURCE) == 0
    assert query(store, "fills") == []


def test_a_bar_that_is_decided_again_after_a_restart_makes_no_second_signal(store: HistoryStore) -> None:
    store.append([("worker:demo", rows(("signals", signal()), ("signals", signal(number=2))))])
    store.append([("worker:demo", rows(("signals", signal()), ("signals", signal(bar="1m|120")), first=3))])
    found = query(store, "signals", instance="demo")
    assert [(one["bar"], one["value"], one["indicators"]) for one in found] == [
        ("1m|60", 1.5, {"fast": 1.1}),
        ("1m|60", 1.5, {"fast": 1.1}),
        ("1m|120", 1.5, {"fast": 1.1}),
    ]


def test_signals_that_no_bar_made_are_told_apart_by_their_number_in_the_outbox(store: HistoryStore) -> None:
    batch = rows(*[("signals", signal(bar=None))] * 3)
    store.append([("worker:demo", batch)])
    store.append([("worker:demo", batch)])
    assert len(query(store, "signals")) == 3


def test_an_intent_is_kept_once_as_it_was_wanted(store: HistoryStore) -> None:
    store.append([(SOURCE, rows(("orders", order(1)), ("orders", order(1, 2, OrderState.FILLED))))])
    (found,) = query(store, "intents", magic=7, instrument="EUR/USD")
    assert (found["client_id"], found["intent_id"], found["units"]) == (order(1)["client_id"], "7:1", "1000.50")
    assert (found["decision"], found["bar"], found["time_ns"]) == ("1m|60:buy:1", "1m|60", 1)


def test_what_no_database_can_hold_is_brought_to_what_it_can(store: HistoryStore) -> None:
    body = {"instance": "demo", "magic": 7, "name": "a\0b", "value": float("nan")}
    body |= {"indicators": {"fast": float("inf"), "x\0": ["\0", 1.5]}}
    store.append([(SOURCE, rows(("signals", body)))])
    (found,) = query(store, "signals")
    assert (found["name"], found["value"]) == ("a\ufffdb", None)
    assert found["indicators"] == {"fast": None, "x\ufffd": ["\ufffd", 1.5]}
    for wrong in ({"magic": 2**40}, {"magic": "seven"}, {"value": "much"}):
        with pytest.raises(WireError):
            store.append([(SOURCE, rows(("signals", body | wrong), first=2))])


def test_text_is_ordered_alike_in_every_store(store: HistoryStore) -> None:
    names = ["b", "A", "a", "Z", "_", "ä", "0"]
    items = [("fills", fill(1) | {"fill_id": name}) for name in names]
    store.append([(SOURCE, rows(*items))])
    assert [row["fill_id"] for row in query(store, "fills")] == sorted(names)


def test_fills_of_a_net_order_that_belong_to_two_trades_are_two_rows(store: HistoryStore) -> None:
    store.append([(SOURCE, rows(("fills", fill(1, "t1")), ("fills", fill(1, "t2")), ("fills", fill(1, None))))])
    assert len(query(store, "fills")) == 3


def test_every_version_of_an_order_is_kept_as_an_event(tmp_path: Path) -> None:
    store = SqliteHistoryStore(tmp_path / "history.db", "test")
    store.append([(SOURCE, rows(("orders", order(1, 1)), ("orders", order(1, 2, OrderState.FILLED))))])
    reader = SqliteHistoryReader(tmp_path / "history.db")
    assert [row["version"] for row in query(reader, "orders")] == [2]  # type: ignore[arg-type]
    reader.close()
    store.close()
    db = sqlite3.connect(tmp_path / "history.db")
    assert db.execute("SELECT version, state FROM order_events ORDER BY version").fetchall() == [
        (1, "SENT"),
        (2, "FILLED"),
    ]
    db.close()


def test_a_second_writer_a_newer_file_and_garbage_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = SqliteHistoryStore(path, "test")
    with pytest.raises(StoreError, match="in use by test"):
        SqliteHistoryStore(path, "other")
    store.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreError, match="newer atrader"):
        SqliteHistoryStore(path, "test")
    path.write_bytes(b"garbage " * 4096)
    path.with_name("history.db-wal").unlink(missing_ok=True)
    with pytest.raises(StoreError, match="is damaged"):
        SqliteHistoryStore(path, "test")


def test_commits_of_the_history_are_synced_to_the_disk(tmp_path: Path) -> None:
    store = SqliteHistoryStore(tmp_path / "history.db", "test")
    engine = store._db
    assert isinstance(engine, SqliteEngine)
    assert engine._db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert engine._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


def test_a_history_of_version_1_opens_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    db = sqlite3.connect(path)
    db.executescript((OLD_STORES / "history-1.sql").read_text())
    db.close()
    with pytest.raises(StoreError, match="older atrader"):
        SqliteHistoryReader(path)
    store = SqliteHistoryStore(path, "test")
    first, second = query(store, "intents")
    assert (first["client_id"], first["decision"], first["bar"], first["units"]) == (
        order(1)["client_id"],
        "1m|60:buy:1",
        "1m|60",
        "1000.50",
    )
    assert (second["intent_id"], second["bar"], second["time_ns"], second["action"]) == ("7:2", None, 2, "open")
    assert [row["state"] for row in query(store, "orders")] == ["FILLED", "SENT"]
    assert [row["initial_risk"] for row in query(store, "trades")] == [None]
    assert [row["value"] for row in query(store, "signals")] == [1.5]
    assert store.last_seq(SOURCE) == 7
    store.append([(SOURCE, rows(("orders", order(3)), ("trades", trade(2, initial_risk=Decimal(5))), first=8))])
    assert [row["initial_risk"] for row in query(store, "trades")] == [None, "5"]
    store.close()
    SqliteHistoryReader(path).close()


TABLES = ("signals", "intents", "orders", "order_events", "fills", "trades", "equity", "alerts", "events")


def old_counts(store: HistoryStore, before_ns: int) -> dict[str, int]:
    return {table: len(store.old_rows(table, before_ns, 100)) for table in TABLES}


def test_what_is_over_may_be_archived_and_open_trades_with_all_that_belongs_to_them_may_not(
    store: HistoryStore,
) -> None:
    over, held, late = closed_trade(1, 50), still_open(2), closed_trade(3, 5 * DAY)
    closing = order(4, 2, OrderState.FILLED)
    closing["intent"] = {**closing["intent"], "action": "close", "trade_id": "t2", "decision": None}  # type: ignore[dict-item]
    working = ("orders", order(5, 2, OrderState.WORKING))
    store.append([(SOURCE, rows(*over, *held, *late, ("orders", closing), working, ("events", {"kind": "x"})))])
    assert old_counts(store, DAY) == {
        "signals": 1,
        "intents": 1,
        "orders": 1,
        "order_events": 1,
        "fills": 1,
        "trades": 1,
        "equity": 0,
        "alerts": 0,
        "events": 1,
    }
    assert [row["trade_id"] for row in store.old_rows("trades", DAY, 9)] == ["t1"]
    assert [row["bar"] for row in store.old_rows("signals", DAY, 9)] == ["1m|1"]
    assert [row["bar"] for row in store.old_rows("intents", DAY, 9)] == ["1m|1"]


def test_archived_rows_are_gone_and_their_file_is_listed_or_nothing_happens(store: HistoryStore) -> None:
    store.append([(SOURCE, rows(*closed_trade(1, 50), *closed_trade(2, 50)))])
    old = store.old_rows("trades", DAY, 1)
    file = ArchiveFile("trades/1.parquet", "trades", 1, 1, 1, 99)
    with pytest.raises(StoreError, match="1 of 1 trades changed"):
        store.archive(file, [{**old[0], "version": 1}])
    assert (len(query(store, "trades")), store.archives()) == (2, [])
    store.archive(file, old)
    assert [row["trade_id"] for row in query(store, "trades")] == ["t2"]
    assert store.archives() == [file]
    for table in ("orders", "intents", "fills", "signals", "order_events"):
        found = store.old_rows(table, DAY, 500)
        store.archive(ArchiveFile(f"{table}/1.parquet", table, len(found), 1, 2, 9), found)
        assert store.old_rows(table, DAY, 500) == []


def test_more_rows_than_a_statement_can_name_are_archived_at_once(store: HistoryStore) -> None:
    store.append([(SOURCE, rows(*(("fills", fill(number, "t1")) for number in range(1, 1202))))])
    old = store.old_rows("fills", DAY, 2000)
    store.archive(ArchiveFile("fills/1.parquet", "fills", len(old), 1, 1201, 9), old)
    assert query(store, "fills") == []
