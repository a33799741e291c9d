"""What every market store must do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atrader.errors import StoreError
from atrader.market import BAR_COLUMNS, Bar, Bars, Quotes, Tick
from data_layer.store import BackfillRequest, MarketBatch, MarketReader, MarketStore, TimeRange
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from data_layer.store.places import StorePlace
from tests.support.market_files import ticks_of

MINUTE = 60_000_000_000
START = 1_370_044_800_000_000_000


def make_bars(count: int, first: int = 0, price: float = 100.0, step: int = MINUTE) -> Bars:
    times = START + (np.arange(count, dtype=np.int64) + first) * step
    columns = [price + np.arange(count, dtype=np.float64) * 0.01 + number for number in range(len(BAR_COLUMNS) - 1)]
    return Bars(times, *columns)


def same(left: Bars, right: Bars) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left.columns, right.columns, strict=True))


@pytest.fixture
def store(store_place: StorePlace) -> Iterator[MarketStore]:
    store = store_place.market("test", 0.0)
    yield store
    store.close()


@pytest.fixture
def reader(store_place: StorePlace, store: MarketStore) -> Iterator[MarketReader]:
    reader = store_place.market_reader("reader")
    yield reader
    reader.close()


def live(*bars: Bar, timeframe: str = "1m", forming: dict[str, Bar] | None = None, ticks: list[Tick] | None = None):
    return MarketBatch(timeframe, "feed", [("EUR/USD", bar) for bar in bars], ticks or [], forming or {})


def test_values_that_are_replaced_are_kept_as_a_revision(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(5000)
    store.put_bars("EUR/USD", "1m", "a", bars)
    assert reader.revisions("EUR/USD", "1m") == []
    again = make_bars(10, first=100, price=50.0)
    stored = store.put_bars("EUR/USD", "1m", "b", bars[90:100].append(again))
    assert (stored.rows, stored.new, stored.revised) == (20, 0, 10)
    assert stored.changed == (START + 100 * MINUTE, START + 110 * MINUTE)
    [revision] = reader.revisions("EUR/USD", "1m", START + 95 * MINUTE, START + 105 * MINUTE)
    assert revision.source == "b"
    assert same(revision.replaced, bars[100:105])
    assert store.put_bars("EUR/USD", "1m", "b", again).changed is None
    assert len(reader.revisions("EUR/USD", "1m")) == 1


def test_a_late_bar_of_a_live_market_is_a_revision_too(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(3)
    store.write(live(*map(bars.row, range(3))))
    other = bars.row(1)._replace(close=7.0)
    store.write(live(other, bars.row(2)))
    assert reader.bars("EUR/USD", "1m").row(1) == other
    [revision] = reader.revisions("EUR/USD", "1m")
    assert same(revision.replaced, bars[1:2])


def test_filling_gaps_keeps_what_is_stored(store: MarketStore, reader: MarketReader) -> None:
    old = make_bars(2, first=3)
    store.put_bars("EUR/USD", "1m", "live", old)
    came = make_bars(10, price=50.0)
    stored = store.put_bars("EUR/USD", "1m", "broker", came, keep=True)
    assert (stored.rows, stored.new, stored.revised) == (10, 8, 0)
    assert same(reader.bars("EUR/USD", "1m"), came[:3].append(old).append(came[5:]))
    assert reader.revisions("EUR/USD", "1m") == []


def test_each_bar_has_the_source_that_brought_it(store: MarketStore, reader: MarketReader) -> None:
    def at(minute: int) -> int:
        return START + minute * MINUTE

    store.put_bars("EUR/USD", "1m", "live", make_bars(2, first=3))
    store.write(live(*map(make_bars(2, first=20).row, range(2))))
    store.put_bars("EUR/USD", "1m", "broker", make_bars(10, price=50.0), keep=True)
    assert reader.origins("EUR/USD", "1m") == [
        TimeRange(at(0), at(3), "broker"),
        TimeRange(at(3), at(5), "live"),
        TimeRange(at(5), at(10), "broker"),
        TimeRange(at(20), at(22), "feed"),
    ]
    store.write(live(make_bars(1, first=30).row(0)))
    assert reader.origins("EUR/USD", "1m", at(25)) == [TimeRange(at(20), at(31), "feed")], "a hole splits nothing"
    assert reader.origins("GBP/USD", "1m") == []


def test_the_origin_of_live_bars_ends_with_the_last_of_them(store: MarketStore, reader: MarketReader) -> None:
    def at(minute: int) -> int:
        return START + minute * MINUTE

    def feed(source: str, *minutes: int) -> None:
        bars = [("EUR/USD", make_bars(1, first=minute).row(0)) for minute in minutes]
        store.write(MarketBatch("1m", source, bars, [], {}))

    feed("a", 0)
    feed("a", 1)
    feed("a", 4)
    assert reader.origins("EUR/USD", "1m") == [TimeRange(at(0), at(5), "a")]
    assert reader.origins("EUR/USD", "1m", at(5)) == []
    feed("b", 6, 7)
    feed("b", 8)
    assert reader.origins("EUR/USD", "1m") == [TimeRange(at(0), at(5), "a"), TimeRange(at(6), at(9), "b")]
    feed("a", 2)  # late: in the middle of what there is
    feed("b", 9)
    store.put_bars("EUR/USD", "1m", "c", make_bars(2, first=12))
    assert reader.origins("EUR/USD", "1m", at(5)) == [TimeRange(at(6), at(10), "b"), TimeRange(at(12), at(14), "c")]
    feed("b", 14)
    assert reader.origins("EUR/USD", "1m", at(12)) == [TimeRange(at(12), at(14), "c"), TimeRange(at(14), at(15), "b")]
    store.put_bars("EUR/USD", "1m", "b", make_bars(1, first=14, price=7.0))
    store.put_bars("EUR/USD", "1m", "c", make_bars(4, first=14, price=9.0))
    assert reader.origins("EUR/USD", "1m", at(10)) == [TimeRange(at(12), at(18), "c")]


def test_one_more_live_bar_writes_one_page(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    log = path.with_name("market.db-wal")
    store = SqliteMarketStore(path, "test")
    try:
        store.write(live(make_bars(1).row(0)))
        sizes = []
        for minute in range(1, 4):
            store.write(live(make_bars(1, first=minute).row(0)))
            sizes.append(log.stat().st_size)
        page_bytes = int.from_bytes(log.read_bytes()[8:12], "big")
        assert np.diff(sizes).tolist() == [page_bytes + 24] * 2
    finally:
        store.close()


def test_what_a_source_answered_completely_is_remembered(store: MarketStore, reader: MarketReader) -> None:
    store.put_bars("EUR/USD", "1m", "a", Bars.empty(), answered=(START, START + MINUTE))
    store.put_bars("EUR/USD", "1m", "a", make_bars(1, first=1), answered=(START + MINUTE, START + 2 * MINUTE))
    store.put_bars("EUR/USD", "1m", "a", Bars.empty(), answered=(START + 5 * MINUTE, START + 6 * MINUTE))
    assert reader.answered("EUR/USD", "1m") == [
        TimeRange(START, START + 2 * MINUTE, "a"),
        TimeRange(START + 5 * MINUTE, START + 6 * MINUTE, "a"),
    ]
    assert reader.answered("EUR/USD", "1m", START + 2 * MINUTE, START + 5 * MINUTE) == []


def test_a_request_for_history_is_kept_with_the_bars_until_it_is_done(store: MarketStore, reader: MarketReader) -> None:
    end_ns = START + 10 * MINUTE
    request = BackfillRequest("one", "EUR/USD", "1m", START, end_ns, end_ns, True, 5)
    store.save_backfill(request)
    assert reader.backfills() == [request]
    half = request._replace(left_ns=START + 5 * MINUTE)
    store.put_bars("EUR/USD", "1m", "a", make_bars(5, first=5), progress=half)
    assert reader.backfills() == [half]
    store.save_backfill(half._replace(left_ns=START))
    assert reader.backfills() == []


def test_bars_come_back_as_they_were_stored(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(10_000)
    stored = store.put_bars("EUR/USD", "1m", "file.csv", bars)
    assert (stored.rows, stored.new) == (10_000, 10_000)
    assert same(reader.bars("EUR/USD", "1m"), bars)
    assert same(reader.bars("EUR/USD", "1m", START + 5 * MINUTE, START + 9000 * MINUTE), bars[5:9000])


def test_importing_twice_changes_nothing(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(5000)
    store.put_bars("EUR/USD", "1m", "file.csv", bars)
    assert store.put_bars("EUR/USD", "1m", "file.csv", bars).new == 0
    assert same(reader.bars("EUR/USD", "1m"), bars)
    assert [(one.count, one.source) for one in reader.series()] == [(5000, "file.csv")]


def test_an_import_over_live_bars_replaces_equal_times_and_keeps_the_others(
    store: MarketStore, reader: MarketReader
) -> None:
    old = make_bars(100)
    for index in range(100):
        store.write(live(old.row(index)))
    new = make_bars(5, first=0, price=500.0, step=2 * MINUTE)
    assert store.put_bars("EUR/USD", "1m", "revision.csv", new).new == 0
    found = reader.bars("EUR/USD", "1m")
    assert len(found) == 100
    assert found.row(4) == new.row(2)
    assert found.row(5) == old.row(5)
    assert reader.series()[0].source == "feed, revision.csv"


def test_older_history_may_be_imported_after_newer(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(9000)
    store.put_bars("EUR/USD", "1m", "b", bars[6000:])
    store.put_bars("EUR/USD", "1m", "a", bars[:6000])
    assert same(reader.bars("EUR/USD", "1m"), bars)


def test_single_bars_become_chunks_without_a_seam(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(9000)
    for start in range(0, 9000, 100):
        store.write(live(*[bars.row(index) for index in range(start, start + 100)]))
    assert same(reader.bars("EUR/USD", "1m"), bars)
    last = reader.last_bar("EUR/USD", "1m")
    assert last == bars.row(-1)


def test_a_revised_bar_inside_the_chunks_replaces_the_old_one(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(5000)
    store.put_bars("EUR/USD", "1m", "a", bars)
    revised = bars.row(17)._replace(close=1.0)
    store.write(live(revised))
    found = reader.bars("EUR/USD", "1m")
    assert len(found) == 5000
    assert found.row(17) == revised


def test_open_times_that_do_not_increase_are_refused(store: MarketStore) -> None:
    bars = make_bars(2)
    with pytest.raises(ValueError, match="increase"):
        store.put_bars("EUR/USD", "1m", "a", bars.append(bars))
    assert store.series() == []


def test_series_do_not_mix(store: MarketStore, reader: MarketReader) -> None:
    store.put_bars("EUR/USD", "1m", "a", make_bars(3))
    store.put_bars("EUR/USD", "1h", "a", make_bars(2, step=60 * MINUTE))
    store.put_bars("GBP/USD", "1m", "a", make_bars(4))
    assert [(one.instrument, one.timeframe, one.count) for one in reader.series()] == [
        ("EUR/USD", "1m", 3),
        ("EUR/USD", "1h", 2),
        ("GBP/USD", "1m", 4),
    ]
    assert len(reader.bars("USD/JPY", "1m")) == 0


def test_quotes_keep_their_order_even_within_one_instant(store: MarketStore, reader: MarketReader) -> None:
    ticks = [Tick("EUR/USD", START + index // 3, START, 1.0 + index, 2.0 + index) for index in range(10_000)]
    for start in range(0, len(ticks), 500):
        store.write(live(ticks=ticks[start : start + 500]))
    assert ticks_of(reader, "EUR/USD") == ticks
    assert ticks_of(reader, "EUR/USD", START + 1, START + 2) == ticks[3:6]


def test_quotes_of_a_batch_that_is_written_again_are_stored_once(store: MarketStore, reader: MarketReader) -> None:
    ticks = [Tick("EUR/USD", START + index, START, 1.0, 2.0) for index in range(10)]
    first, second = (live(ticks=part)._replace(id=f"run {n}") for n, part in enumerate((ticks[:5], ticks[5:])))
    for batch in (first, first, second, second):
        store.write(batch)
    assert ticks_of(reader, "EUR/USD") == ticks
    store.write(live(ticks=ticks[:1]))  # nobody says which batch it is
    assert len(ticks_of(reader, "EUR/USD")) == 11


def test_imported_quotes_replace_those_of_their_period(store: MarketStore, reader: MarketReader) -> None:
    ticks = [Tick("EUR/USD", START + index, START, 1.0, 2.0) for index in range(6000)]
    assert store.put_quotes("EUR/USD", "t.csv", Quotes.of(ticks)).new == 6000
    assert store.put_quotes("EUR/USD", "t.csv", Quotes.of(ticks)).new == 0
    assert len(ticks_of(reader, "EUR/USD")) == 6000


def test_quotes_come_in_pages_that_never_divide_those_of_one_time(store: MarketStore, reader: MarketReader) -> None:
    times = [START + index // 3 for index in range(40_000)]
    times[8_000:8_600] = [times[8_000]] * 600  # across the end of a chunk of 4096
    ticks = [Tick("EUR/USD", time, START, 1.0 + index, 2.0 + index) for index, time in enumerate(times)]
    store.put_quotes("EUR/USD", "t.csv", Quotes.of(ticks))
    store.write(live(ticks=[Tick("EUR/USD", START + 50_000, START, 1.0, 2.0)]))  # a row of the tail
    sizes, found, at_ns = [], [], None
    while True:
        quotes, next_ns = reader.tick_page("EUR/USD", at_ns, rows=8_192)
        sizes.append(len(quotes.time_ns))
        found += quotes.ticks("EUR/USD")
        if next_ns is None:
            break
        assert quotes.time_ns[-1] < next_ns
        at_ns = next_ns
    assert found[:-1] == ticks
    assert found[-1].time_ns == START + 50_000
    assert len(sizes) == 5
    assert max(sizes) <= 8_192 + 600
    assert reader.tick_page("EUR/USD", START + 3, START + 5, rows=1).quotes.ticks("EUR/USD") == ticks[9:15]
    assert reader.tick_page("USD/JPY").next_ns is None


def test_the_forming_bar_survives(store_place: StorePlace) -> None:
    bar = make_bars(1).row(0)
    store = store_place.market("test", 0.0)
    store.write(live(forming={"EUR/USD": bar}))
    store.close()
    again = store_place.market("test", 0.0)
    assert again.forming("1m") == {"EUR/USD": bar}
    assert again.forming("5m") == {}
    again.close()


def test_readers_see_each_commit_and_tidying_loses_nothing(store: MarketStore, reader: MarketReader) -> None:
    bars = make_bars(300)
    for index in range(300):
        store.write(live(bars.row(index)))
        if index % 50 == 0:
            store.tidy()
            assert len(reader.bars("EUR/USD", "1m")) == index + 1


def test_a_second_writer_is_refused_and_told_who_holds_the_store(store_place: StorePlace, store: MarketStore) -> None:
    with pytest.raises(StoreError, match=r"in use by test \(pid \d+, since 20") as refusal:
        store_place.market("test", 0.0)
    assert refusal.value.details["exit_code"] == "LOCKED"


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    SqliteMarketStore(tmp_path / "market.db", "test").close()
    with sqlite3.connect(tmp_path / "market.db") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    for opener in (lambda path: SqliteMarketStore(path, "test"), SqliteMarketReader):
        with pytest.raises(StoreError, match="newer atrader"):
            opener(tmp_path / "market.db")


def test_a_file_that_is_no_database_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "market.db").write_bytes(b"garbage " * 4096)
    with pytest.raises(StoreError, match=r"market\.db is damaged .* move the file"):
        SqliteMarketStore(tmp_path / "market.db", "test")
    SqliteMarketStore(tmp_path / "other.db", "test").close()


def test_a_reader_works_while_nobody_writes(store_place: StorePlace) -> None:
    store = store_place.market("test", 0.0)
    store.put_bars("EUR/USD", "1m", "a", make_bars(10))
    store.close()
    reader = store_place.market_reader("reader")
    assert len(reader.bars("EUR/USD", "1m")) == 10
    reader.close()


LIMITED_WRITER = """
import resource, sys
from pathlib import Path
sys.path.append(sys.argv[2])
from atrader.errors import StoreError
from data_layer.store.market_sqlite import SqliteMarketStore
import numpy as np
from atrader.market import Bars
def bars(first, count):
    return Bars(np.arange(first, first + count, dtype=np.int64), *(np.ones(count) for _ in range(9)))
store = SqliteMarketStore(Path(sys.argv[1]), "test")
store.put_bars("EUR/USD", "1m", "a", bars(0, 10_000))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_100_000, resource.RLIM_INFINITY))
try:
    store.put_bars("EUR/USD", "1m", "a", bars(10_000, 20_000))
except StoreError as error:
    assert error.details["read_only"], error
else:
    raise SystemExit("the disk was not full")
assert len(store.bars("EUR/USD", "1m")) == 10_000
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.put_bars("EUR/USD", "1m", "a", bars(10_000, 20_000))
assert len(store.bars("EUR/USD", "1m")) == 30_000
store.close()
"""


def test_a_full_disk_refuses_a_write_whole_and_writing_goes_on_afterwards(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    command: list[str] = [sys.executable, "-c", LIMITED_WRITER, str(tmp_path / "market.db"), root]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
