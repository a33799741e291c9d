"""Old rows of the history go to Parquet files and stay findable; a crash at any step loses and doubles none."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from atrader.configuration.fleet import DataConfig
from atrader.errors import ConfigError, Rejected, StoreError
from atrader.messages.history import GetStatistics, QueryHistory
from data_layer.archive import Archiver, HistoryView, limits_of
from data_layer.archive.archiver import Commit
from data_layer.store import ArchiveFile
from data_layer.store.history_sqlite import SqliteHistoryStore
from tests.support.history_rows import DAY, closed_trade, order, rows, still_open

TRADES = 10
TABLES = ("signals", "intents", "orders", "fills", "trades", "equity", "events")
LIMITS = limits_of(
    DataConfig.model_validate(dict.fromkeys(("keep_trades", "keep_signals", "keep_equity", "keep_events"), "60s")),
    DAY + 60 * 10**9,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteHistoryStore]:
    store = SqliteHistoryStore(tmp_path / "history.db", "test")
    items = [item for number in range(1, TRADES + 1) for item in closed_trade(number, number + 1)]
    items += still_open(TRADES + 1)
    items += [("equity", {"account": "paper", "balance": "1000", "equity": str(1000 + n)}) for n in range(5)]
    items += [("events", {"process": "manager", "kind": "exit", "text": "one", "details": {"code": 1}})]
    store.append([("gateway:paper", rows(*items))])
    yield store
    store.close()


def everything(view: HistoryView, *, archived: bool = True) -> dict[str, list[dict[str, Any]]]:
    return {name: view.query(QueryHistory(table=name, archived=archived)) for name in TABLES}  # type: ignore[arg-type]


def archive(store: SqliteHistoryStore, directory: Path, commit: Commit | None = None, size: int = 4) -> dict[str, int]:
    return Archiver(store, commit or store.archive, directory, size).run(LIMITS, lambda *_: None)


def test_what_is_old_moves_and_is_found_again_with_every_value(store: SqliteHistoryStore, tmp_path: Path) -> None:
    view = HistoryView(store, tmp_path / "archive")
    before = everything(view)
    moved = archive(store, tmp_path / "archive")
    assert (moved["trades"], moved["fills"], moved["order_events"], moved["equity"]) == (TRADES, TRADES, TRADES, 5)
    assert everything(view) == before
    left = everything(view, archived=False)
    assert [row["trade_id"] for row in left["trades"]] == [f"t{TRADES + 1}"]
    assert {name: len(found) for name, found in left.items()} == dict.fromkeys(TABLES, 1) | {"equity": 0, "events": 0}
    assert archive(store, tmp_path / "archive") == dict.fromkeys(moved, 0)


def test_filters_limits_and_statistics_reach_into_the_archive(store: SqliteHistoryStore, tmp_path: Path) -> None:
    view = HistoryView(store, tmp_path / "archive")
    wanted = [
        QueryHistory(table="trades", start_ns=4, end_ns=9),
        QueryHistory(table="trades", limit=3),
        QueryHistory(table="trades", state="closed", magic=7, limit=5),
        QueryHistory(table="orders", state="FILLED", start_ns=6),
        QueryHistory(table="signals", instrument="USD/JPY"),
    ]
    before = [view.query(query) for query in wanted]
    statistics = view.statistics(GetStatistics(by="account"), DAY)
    archive(store, tmp_path / "archive")
    assert [view.query(query.model_copy(update={"archived": True})) for query in wanted] == before
    assert view.statistics(GetStatistics(by="account", archived=True), DAY) == statistics
    with pytest.raises(Rejected, match="equity have no magic"):
        view.query(QueryHistory(table="equity", magic=1, archived=True))


def test_rows_that_move_while_somebody_asks_for_them_are_in_the_answer_once(
    store: SqliteHistoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = HistoryView(store, tmp_path / "archive")
    before = everything(view)
    for moves_after_query in (True, False):
        todo = [moves_after_query]

        def query(wanted: QueryHistory, todo: list[bool] = todo) -> list[dict[str, object]]:
            after = todo.pop() if todo else None
            if after is False:
                archive(store, tmp_path / "archive")
            found = SqliteHistoryStore.query(store, wanted)
            if after is True:
                Archiver(store, store.archive, tmp_path / "archive", 4).run({"fills": LIMITS["fills"]}, lambda *_: None)
            return found

        monkeypatch.setattr(store, "query", query)
        assert view.query(QueryHistory(table="fills", archived=True)) == before["fills"]
    assert everything(view) == before


class Crash(Exception):
    """Stands for the death of the process."""


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("file_number", [0, 1, 5, 9])
def test_a_crash_before_or_after_any_commit_loses_and_doubles_nothing(
    store: SqliteHistoryStore, tmp_path: Path, file_number: int, after_commit: bool
) -> None:
    view = HistoryView(store, tmp_path / "archive")
    before = everything(view)
    count = 0

    def commit(file: ArchiveFile, gone: Sequence[Mapping[str, Any]]) -> None:
        nonlocal count
        count += 1
        if count > file_number and not after_commit:
            raise Crash
        store.archive(file, gone)
        if count > file_number:
            raise Crash

    with pytest.raises(Crash):
        archive(store, tmp_path / "archive", commit)
    assert everything(view) == before
    archive(store, tmp_path / "archive")
    assert everything(view) == before
    aside = list((tmp_path / "archive").glob("*/*.unlisted"))
    assert len(aside) == (0 if after_commit else 1)


def test_a_commit_that_is_repeated_changes_nothing(store: SqliteHistoryStore, tmp_path: Path) -> None:
    def twice(file: ArchiveFile, gone: Sequence[Mapping[str, Any]]) -> None:
        store.archive(file, gone)
        store.archive(file, gone)

    before = everything(HistoryView(store, tmp_path / "archive"))
    archive(store, tmp_path / "archive", twice)
    assert everything(HistoryView(store, tmp_path / "archive")) == before


def test_half_a_file_of_a_crash_is_removed(store: SqliteHistoryStore, tmp_path: Path) -> None:
    draft = tmp_path / "archive" / "trades" / ".20200101.parquet"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"PAR1 half")
    archive(store, tmp_path / "archive")
    assert not draft.exists()


def test_without_pyarrow_nothing_is_touched_and_the_error_names_the_extra(
    store: SqliteHistoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    before = everything(HistoryView(store, tmp_path / "archive"))
    with pytest.raises(ConfigError, match=r"pip install 'atrader-platform\[arrow\]'"):
        archive(store, tmp_path / "archive")
    assert everything(HistoryView(store, tmp_path / "archive")) == before
    assert not (tmp_path / "archive").exists()


def test_a_file_that_does_not_read_back_deletes_nothing(
    store: SqliteHistoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = pq.write_table

    def forget_a_row(table: Any, *args: Any, **kwargs: Any) -> None:
        write(table.slice(1), *args, **kwargs)

    monkeypatch.setattr(pq, "write_table", forget_a_row)
    before = everything(HistoryView(store, tmp_path / "archive"))
    with pytest.raises(StoreError, match="does not read back"):
        archive(store, tmp_path / "archive")
    assert everything(HistoryView(store, tmp_path / "archive")) == before


def test_a_directory_that_cannot_be_written_deletes_nothing(store: SqliteHistoryStore, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("in the way")
    before = everything(HistoryView(store, tmp_path / "archive"), archived=False)
    with pytest.raises(StoreError, match="nothing was deleted"):
        archive(store, tmp_path / "archive")
    assert everything(HistoryView(store, tmp_path / "archive"), archived=False) == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_archive_is_named_and_the_store_is_read_without_it(
    store: SqliteHistoryStore, tmp_path: Path, damage: str
) -> None:
    archive(store, tmp_path / "archive", size=100)
    (path,) = (tmp_path / "archive" / "trades").glob("*.parquet")
    contents = bytearray(path.read_bytes())
    if damage == "flipped":
        contents[len(contents) // 2] ^= 1
    path.unlink()
    if damage != "missing":
        path.write_bytes(contents if damage == "flipped" else contents[:-9])
    view = HistoryView(store, tmp_path / "archive")
    with pytest.raises(StoreError, match=path.name):
        view.query(QueryHistory(table="trades", archived=True))
    assert len(view.query(QueryHistory(table="trades"))) == 1
    assert len(view.query(QueryHistory(table="fills", archived=True))) == TRADES + 1


def test_a_version_that_comes_after_its_order_was_archived_is_shown_once(
    store: SqliteHistoryStore, tmp_path: Path
) -> None:
    archive(store, tmp_path / "archive")
    late = order(1, 3)
    store.append([("gateway:paper", rows(("orders", late), first=1000))])
    view = HistoryView(store, tmp_path / "archive")
    found = [row["version"] for row in view.query(QueryHistory(table="orders", archived=True, end_ns=2))]
    assert found == [3]


def test_what_has_no_limit_is_kept_for_ever() -> None:
    assert limits_of(DataConfig(), 5) == {}
    assert limits_of(DataConfig.model_validate({"keep_events": "1s"}), 5 * 10**9) == {
        "alerts": 4 * 10**9,
        "events": 4 * 10**9,
    }
