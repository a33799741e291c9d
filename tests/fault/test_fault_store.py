"""Files of the embedded store that are damaged: what is lost is named, the rest is served, nothing is overwritten."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from atrader.errors import StoreError
from data_layer.store import Damage, MarketBatch
from data_layer.store.history_sqlite import SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from tests.support.market_files import CHUNK, MINUTE, START, made, same, some_bars, spoil_chunk, without_chunk


def test_a_corrupt_chunk_is_reported_with_its_range_once_and_the_rest_is_served(tmp_path: Path) -> None:
    path = made(tmp_path / "market.db")
    spoil_chunk(path, 2)
    reader, told = SqliteMarketReader(path), list[Damage]()
    reader.on_damage = told.append
    for _ in range(2):
        assert same(reader.bars("EUR/USD", "1m"), without_chunk(some_bars(4 * CHUNK), 1))
    assert same(reader.bars("EUR/USD", "1m", START, START + 5 * MINUTE), some_bars(5))
    (damage,) = told
    assert (damage.instrument, damage.timeframe, damage.rows) == ("EUR/USD", "1m", CHUNK)
    assert (damage.first_ns, damage.last_ns) == (START + CHUNK * MINUTE, START + (2 * CHUNK - 1) * MINUTE)
    assert "checksum" in damage.reason
    assert [(info.instrument, len(found)) for info, found in reader.damages()] == [("EUR/USD", 1), ("USD/JPY", 0)]
    reader.close()


def test_mending_makes_a_gap_that_can_be_filled_again(tmp_path: Path) -> None:
    path = made(tmp_path / "market.db")
    spoil_chunk(path, 2)
    store = SqliteMarketStore(path, "test")
    assert [damage.rows for damage in store.mend("EUR/USD", "1m")] == [CHUNK]
    assert store.mend("EUR/USD", "1m") == []
    end_ns = START + 4 * CHUNK * MINUTE
    answered = [(one.start_ns, one.end_ns) for one in store.answered("EUR/USD", "1m")]
    assert answered == [
        (START, START + CHUNK * MINUTE),
        (START + (2 * CHUNK - 1) * MINUTE + 1, end_ns),
    ]
    store.put_bars("EUR/USD", "1m", "again", some_bars(CHUNK, CHUNK))
    assert same(store.bars("EUR/USD", "1m"), some_bars(4 * CHUNK))
    store.close()


def test_an_import_over_a_corrupt_chunk_takes_its_place(tmp_path: Path) -> None:
    path = made(tmp_path / "market.db")
    spoil_chunk(path, 3)
    store, told = SqliteMarketStore(path, "test"), list[Damage]()
    store.on_damage = told.append
    store.put_bars("EUR/USD", "1m", "again", some_bars(CHUNK, 2 * CHUNK))
    assert same(store.bars("EUR/USD", "1m"), some_bars(4 * CHUNK))
    assert len(told) == 1
    store.close()


def test_bytes_changed_anywhere_never_give_a_wrong_bar(tmp_path: Path) -> None:
    path = made(tmp_path / "market.db")
    whole = path.read_bytes()
    seeded, good, partly, refused = random.Random(7), 0, 0, 0
    stored = {int(time_ns): number for number, time_ns in enumerate(some_bars(4 * CHUNK).open_time_ns)}
    for _ in range(150):
        contents = bytearray(whole)
        place = seeded.randrange(len(contents))
        for offset in range(place, min(place + seeded.choice([1, 8, 700]), len(contents))):
            contents[offset] ^= seeded.randrange(1, 256)
        path.write_bytes(contents)
        try:
            reader = SqliteMarketReader(path)
        except StoreError:
            refused += 1
            continue
        reader.on_damage = lambda damage: None
        try:
            found = reader.bars("EUR/USD", "1m")
            assert all(
                found.row(index).close == some_bars(1, stored[int(found.open_time_ns[index])]).row(0).close
                for index in range(0, len(found), 997)
            )
            if len(found) == 4 * CHUNK:
                good += 1
            else:
                partly += 1
        except StoreError as error:
            refused += bool(error.details.get("damaged"))
        finally:
            reader.close()
    assert good + partly + refused == 150
    assert partly > 100, (good, partly, refused)  # nearly all of the file is chunks, and one is lost at a time


@pytest.mark.parametrize("kept_frac", [0.001, 0.02, 0.3, 0.75, 0.999])
def test_a_truncated_file_is_named_with_the_remedy_and_not_touched(tmp_path: Path, kept_frac: float) -> None:
    path = made(tmp_path / "market.db")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept_frac)])
    before = path.read_bytes()
    for opener in (lambda: SqliteMarketStore(path, "test"), lambda: SqliteMarketReader(path)):
        with pytest.raises(StoreError, match="put a backup in") as refusal:
            opener()
        assert refusal.value.details["damaged"]
        assert path.read_bytes() == before


def test_a_damaged_history_is_named_with_the_remedy_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    SqliteHistoryStore(path, "test").close()
    path.write_bytes(path.read_bytes()[:20_000])
    before = path.read_bytes()
    with pytest.raises(StoreError, match="put a backup in"):
        SqliteHistoryStore(path, "test")
    assert path.read_bytes() == before
    SqliteHistoryStore(tmp_path / "other.db", "test").close()


SUPPORT = Path(__file__).parents[1] / "support"


def test_kill_9_of_a_writer_at_random_moments_loses_and_tears_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-P", str(SUPPORT / "store_killing.py"), str(tmp_path), "70", "11"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["grew"] > 35, found  # else it was always killed before it wrote


def test_a_writer_that_dies_at_any_byte_of_an_append_leaves_a_whole_number_of_appends(tmp_path: Path) -> None:
    """A log cut at a byte is what a writer leaves that was killed when it had written so far."""
    path = tmp_path / "market.db"
    store = SqliteMarketStore(path, "test")
    store.put_bars("EUR/USD", "1m", "a", some_bars(CHUNK - 20))
    store.tidy()
    sizes = []  # of the log after each append of one bar; the twentieth makes a chunk of the tail
    log = path.with_name("market.db-wal")
    for number in range(CHUNK - 20, CHUNK + 20):
        store.write(MarketBatch("1m", "feed", [("EUR/USD", some_bars(1, number).row(0))], [], {}))
        sizes.append(log.stat().st_size)
    whole_log, whole_file = log.read_bytes(), path.read_bytes()
    store.close()
    seeded, copy = random.Random(3), tmp_path / "copy.db"
    begun = min(sizes[0], len(whole_log)) - 1
    for _ in range(800):
        cut = seeded.randrange(begun, len(whole_log))
        copy.write_bytes(whole_file)
        copy.with_name("copy.db-wal").write_bytes(whole_log[:cut])
        copy.with_name("copy.db-shm").unlink(missing_ok=True)
        reader = SqliteMarketReader(copy)
        reader.on_damage = _no_damage
        found = reader.bars("EUR/USD", "1m")
        reader.close()
        appended = sum(size <= cut for size in sizes)
        assert len(found) == CHUNK - 20 + appended, cut
        assert found.row(-1).close == some_bars(1, len(found) - 1).row(0).close


def _no_damage(damage: Damage) -> None:
    raise AssertionError(damage)


def test_a_full_disk_holds_appends_back_and_takes_them_all_afterwards(tmp_path: Path) -> None:
    command = [sys.executable, "-P", str(SUPPORT / "full_store.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["read-only", "readable", "whole", "written", "sound"]
