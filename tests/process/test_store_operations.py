"""Operations on the stores, through a running data layer and without one."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import iso_from_ns
from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.errors import ConfigError, Rejected, StoreError
from atrader.market import Bar, Bars
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from atrader.messages.operations import OperationName, StartOperation
from data_layer.client import DataClient
from data_layer.disk_guard import DiskGuard
from data_layer.offline import open_market
from data_layer.operations import Options
from data_layer.operations.access import StoredAccess
from data_layer.operations.backup import verify_store
from data_layer.operations.commands import run_operation
from data_layer.operations.compact import compact
from data_layer.sizes import bytes_of, files_of
from data_layer.store.history_sqlite import SqliteHistoryReader, SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketReader
from data_layer.store.places import EmbeddedPlace
from data_layer.store.schema import HISTORY, MARKET
from tests.support.data_layer import DataLayerProcess, wait_until
from tests.support.market_files import CHUNK, MINUTE, START, made, same, some_bars, spoil_chunk, without_chunk

pytestmark = pytest.mark.usefixtures("closed_context")


def done(home: Home, name: OperationName, **options: Any) -> dict[str, Any]:
    return run_operation(home, name, Options(**options), lambda *_: None)


def events(first: int, count: int) -> list[OutboxRow]:
    return [
        OutboxRow(seq=seq, table="events", time_ns=seq, body={"process": "x", "kind": "k", "text": str(seq)})
        for seq in range(first, first + count)
    ]


def installed(root: Path, data: str = "") -> Home:
    home = Home(root)
    for directory in (home.etc, home.data):
        directory.mkdir(parents=True, exist_ok=True)
    (home.etc / "atrader.toml").write_text(f"[data]\n{data}\n")
    return home


def test_a_backup_of_a_busy_data_layer_is_one_moment_and_can_be_restored(tmp_path: Path) -> None:
    made(installed(tmp_path / "a").market_store)
    stop = threading.Event()

    def write() -> None:
        with DataClient(Home(tmp_path / "a")) as client:
            first = 1
            while not stop.is_set():
                client.append_history("manager", events(first, 10))
                first += 10

    with DataLayerProcess(tmp_path / "a") as layer:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            with DataClient(layer.home) as client:
                wait_until(lambda: client.last_seq("manager") > 50, "rows")
            for number in range(3):
                found = done(layer.home, "backup", directory=str(tmp_path / f"backup{number}"))
        finally:
            stop.set()
            writer.join()
    assert set(found["files"]) == {"market.db", "history.db"}
    assert json.loads((tmp_path / "backup2" / "backup.json").read_text())["files"] == found["files"]
    restored = installed(tmp_path / "b")
    for name in found["files"]:
        shutil.copy(tmp_path / "backup2" / name, restored.data / name)
    with DataLayerProcess(restored.root) as layer, DataClient(layer.home) as client:
        rows = [int(str(row["text"])) for row in client.history(QueryHistory(table="events"))]
        assert rows == list(range(1, client.last_seq("manager") + 1))
        assert len(rows) % 10 == 0
        assert same(client.bars("EUR/USD", "1m")[0], some_bars(4 * CHUNK))


def test_a_backup_never_overwrites_and_leaves_nothing_half_done_under_its_name(tmp_path: Path) -> None:
    home = installed(tmp_path / "a")
    made(home.market_store)
    (tmp_path / "b.partial").mkdir()
    (tmp_path / "b.partial" / "market.db").write_text("of a crash")
    done(home, "backup", directory=str(tmp_path / "b"))
    assert not (tmp_path / "b.partial").exists()
    verify_store(tmp_path / "b" / "market.db", MARKET)
    with pytest.raises(ConfigError, match="exists already"):
        done(home, "backup", directory=str(tmp_path / "b"))


def test_a_backup_of_a_damaged_store_is_refused_with_what_is_damaged(tmp_path: Path) -> None:
    home = installed(tmp_path / "a")
    made(home.market_store)
    spoil_chunk(home.market_store, 2)
    with pytest.raises(StoreError, match="1 chunks of EUR/USD 1m"):
        done(home, "backup", directory=str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_a_check_of_a_running_data_layer_names_a_corrupt_chunk_and_repairs_it(tmp_path: Path) -> None:
    home = installed(tmp_path)
    made(home.market_store)
    spoil_chunk(home.market_store, 2)
    with DataLayerProcess(tmp_path) as layer, DataClient(home) as client:
        found = done(home, "check", full=True)
        (damage,) = found["damaged"]
        assert (found["sound"], damage["instrument"], damage["timeframe"], damage["rows"]) == (
            False,
            "EUR/USD",
            "1m",
            CHUNK,
        )
        assert damage["first"] == iso_from_ns(START + CHUNK * MINUTE)
        assert not damage["repaired"]
        assert same(client.bars("EUR/USD", "1m")[0], without_chunk(some_bars(4 * CHUNK), 1))
        alert = wait_until(lambda: client.history(QueryHistory(table="alerts")), "the alert")[0]
        assert alert["kind"] == "chunk-damaged"
        assert "EUR/USD 1m" in str(alert["text"])
        assert "cannot be fetched again" in str(alert["text"])
        assert done(home, "check", repair=True)["damaged"][0]["repaired"]
        assert done(home, "check")["sound"]
        client.import_bars("EUR/USD", "1m", "again", some_bars(CHUNK, CHUNK))
        assert same(client.bars("EUR/USD", "1m")[0], some_bars(4 * CHUNK))
        assert layer.stop() == 0


def test_a_check_without_a_data_layer_reports_unreadable_files_and_archives(tmp_path: Path) -> None:
    home = installed(tmp_path)
    made(home.market_store)
    home.market_store.write_bytes(home.market_store.read_bytes()[:100_000])
    SqliteHistoryStore(home.history_store, "test").close()
    found = done(home, "check")
    assert not found["sound"]
    assert [bool(file["problems"]) for file in found["files"]] == [True, False]
    assert "put a backup in" in found["files"][0]["problems"][0]


def test_compacting_gives_room_back_while_prices_and_bars_go_on(tmp_path: Path) -> None:
    home = installed(tmp_path, 'min_free_disk = "1MB"')
    made(home.market_store, chunks=20)
    with sqlite3.connect(home.market_store) as db:
        db.execute("DELETE FROM bar_chunk WHERE id > 5")
    db.close()
    with DataLayerProcess(tmp_path, {"data": {"min_free_disk": "1MB"}}) as layer, DataClient(home) as client:
        found = done(home, "compact")["files"]
        assert len(client.bars("EUR/USD", "1m")[0]) == 5 * CHUNK
        assert found[0]["bytes_after"] < 0.5 * found[0]["bytes_before"]
        client.append_history("manager", events(1, 3))
        assert layer.stop() == 0
    assert done(home, "check", full=True)["sound"]


def test_compacting_without_room_changes_nothing_and_says_how_much_is_needed(tmp_path: Path) -> None:
    home = installed(tmp_path)
    made(home.market_store)
    before = home.market_store.read_bytes()
    config = DataConfig.model_validate({"min_free_disk": f"{shutil.disk_usage(tmp_path).free // 10**9 + 2}GB"})
    with pytest.raises(StoreError, match=r"needs \d+ MB free"):
        compact(StoredAccess(home, config, EmbeddedPlace(home)), lambda *_: None)
    assert home.market_store.read_bytes() == before


@pytest.mark.parametrize("running", [False, True], ids=["no data layer", "through the data layer"])
def test_an_import_leaves_the_rest_of_a_disk_to_the_journals(tmp_path: Path, *, running: bool) -> None:
    limit = f"{shutil.disk_usage(tmp_path).free // 10**9 + 2}GB"
    home = installed(tmp_path, f'min_free_disk = "{limit}"')
    bars = Bars.from_rows([Bar._make((1_700_000_040_000_000_000, *[1.0] * 9))])
    layer = DataLayerProcess(tmp_path, {"data": {"min_free_disk": limit}})
    with layer if running else nullcontext(), open_market(home) as market:
        with pytest.raises(StoreError, match=r"below data\.min_free_disk .*: an import is not written") as caught:
            market.import_bars("EUR/USD", "1m", "a file", bars)
        assert caught.value.details["read_only"]
        assert list(market.series()) == []


def test_a_backup_never_takes_the_room_that_the_data_layer_needs_to_go_on_writing(tmp_path: Path) -> None:
    free_gb = shutil.disk_usage(tmp_path).free // 10**9
    home = installed(tmp_path, f'min_free_disk = "{free_gb + 2}GB"')
    made(home.market_store)
    with pytest.raises(StoreError, match=r"a backup needs \d+ MB, and \d+000 MB have to stay free"):
        done(home, "backup", directory=str(tmp_path / "copy"))
    assert not list(tmp_path.glob("copy*"))


def test_one_operation_at_a_time_and_each_is_known_until_the_next(tmp_path: Path) -> None:
    installed(tmp_path)
    with DataLayerProcess(tmp_path) as layer, DataClient(layer.home) as client:
        first = client.start_operation(StartOperation(name="check"))
        wait_until(lambda: client.operation(first.id).is_done, "the check")
        second = client.start_operation(StartOperation(name="check"))
        with pytest.raises(Rejected, match="not known"):
            client.operation(first.id)
        wait_until(lambda: client.operation(second.id).is_done, "the check")
        with pytest.raises(ConfigError, match="nothing is ever old"):
            done(layer.home, "archive")


def test_the_data_layer_archives_by_schedule_and_answers_with_what_it_archived(tmp_path: Path) -> None:
    installed(tmp_path)
    fleet = {"data": {"keep_events": "1d", "archive_every": "60s"}}
    with DataLayerProcess(tmp_path) as layer, DataClient(layer.home) as client:
        client.append_history("manager", events(1, 500))
        layer.stop()
    with DataLayerProcess(tmp_path, fleet) as layer, DataClient(layer.home) as client:
        wait_until(lambda: not client.history(QueryHistory(table="events")), "the archive")
        found = client.history(QueryHistory(table="events", archived=True))
        assert [int(str(row["text"])) for row in found] == list(range(1, 501))
        backup = done(layer.home, "backup", directory=str(tmp_path / "backup"))
        assert any(name.startswith("archive/events/") for name in backup["files"])
        assert layer.stop() == 0


def test_sizes_are_those_of_the_values_and_of_the_files(tmp_path: Path) -> None:
    home = installed(tmp_path)
    made(home.market_store)
    reader = SqliteMarketReader(home.market_store)
    sizes = {info.instrument: bytes_of(info) for info in reader.series()}
    reader.close()
    assert sizes == {"EUR/USD": 4 * CHUNK * 80, "USD/JPY": 100 * 80}
    file = files_of(home)[0]
    assert file["file"] == str(home.market_store)
    assert sum(sizes.values()) < file["bytes"] < 2 * sum(sizes.values())


def test_a_nearly_full_disk_holds_writing_back_until_there_is_clearly_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, free = list[str](), [0]

    def statvfs(_: object) -> os.statvfs_result:
        return os.statvfs_result((1, 1, 0, 0, free[0], 0, 0, 0, 0, 0))

    monkeypatch.setattr(os, "statvfs", statvfs)
    guard = DiskGuard(tmp_path, DataConfig.model_validate({"min_free_disk": "1MB", "free_margin_frac": 0.25}))
    for free[0] in (2_000_000, 999_999, 1_000_001, 1_249_999, 1_250_000, 1_000_001, 999_999):
        try:
            guard.check("history")
            course.append("writes")
        except StoreError as error:
            course.append("holds" if error.details["read_only"] else "fails")
    assert course == ["writes", "holds", "holds", "holds", "writes", "writes", "holds"]


def test_a_backup_can_be_verified_by_anybody(tmp_path: Path) -> None:
    home = installed(tmp_path / "a")
    store = SqliteHistoryStore(home.history_store, "test")
    store.append([("manager", events(1, 20))])
    store.close()
    done(home, "backup", directory=str(tmp_path / "b"))
    verify_store(tmp_path / "b" / "history.db", HISTORY)
    reader = SqliteHistoryReader(tmp_path / "b" / "history.db")
    assert len(reader.query(QueryHistory(table="events"))) == 20
    reader.close()
