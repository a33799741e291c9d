"""The embedded market store: market.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from atrader.clock import NS_PER_S, Clock, SystemClock
from atrader.market import BAR_COLUMNS, Bar, Bars, Tick
from atrader.messages.data import SeriesInfo, Stored
from atrader.timeframes import Timeframe
from data_layer.store.bar_merge import merged
from data_layer.store.bar_records import SCHEMA, BarRecords, RangeKind
from data_layer.store.column_table import ColumnTable
from data_layer.store.interface import BackfillRequest, MarketBatch, Revision
from data_layer.store.ranges import TimeRange
from data_layer.store.sqlite_file import checkpoint, errors_of, open_reader, open_writer

MARKET_VERSION: Final = 1
TICK_COLUMNS: Final = ("time_ns", "received_ns", "bid", "ask")
_TICKS: Final = "ticks"  # in place of a timeframe
_FIRST: Final = -(2**63)
_LAST: Final = 2**63 - 1
_SOURCES_SHOWN: Final = 200  # characters


class SqliteMarketReader:
    """Reads market.db. For one thread at a time.

    Raises
    ------
    StoreError
        When the file is missing, damaged or newer than this program.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self._path = path
        self._bars = ColumnTable(path, "bar", BAR_COLUMNS, integers=1)
        self._ticks = ColumnTable(path, "tick", TICK_COLUMNS, integers=2)
        self._records = BarRecords(path)
        self._db = connection or open_reader(path, MARKET_VERSION)

    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        """List the series (of one instrument), by length of the timeframe; quotes have the timeframe ``ticks``."""
        with errors_of(self._path):
            found = []
            for number, symbol, timeframe, source in self._db.execute(
                "SELECT id, instrument, timeframe, source FROM series WHERE instrument=coalesce(?, instrument)",
                (instrument,),
            ).fetchall():
                table = self._ticks if timeframe == _TICKS else self._bars
                count, first_ns, last_ns = table.extent(self._db, number)
                if count:
                    found.append(
                        SeriesInfo(
                            instrument=symbol,
                            timeframe=timeframe,
                            source=source,
                            count=count,
                            first_ns=first_ns,
                            last_ns=last_ns,
                        )
                    )
        return sorted(found, key=lambda one: (one.instrument, _length(one.timeframe)))

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the stored bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        with errors_of(self._path):
            number = self._find(instrument, timeframe)
            if number is None:
                return Bars.empty()
            return Bars(*self._bars.read(self._db, number, *_period(start_ns, end_ns)))

    def last_bar(self, instrument: str, timeframe: str) -> Bar | None:
        """Return the newest stored bar."""
        with errors_of(self._path):
            number = self._find(instrument, timeframe)
            if number is None:
                return None
            _, _, last_ns = self._bars.extent(self._db, number)
            bars = Bars(*self._bars.read(self._db, number, last_ns, _LAST))
        return bars.row(-1) if len(bars) else None

    def forming(self, timeframe: str) -> dict[str, Bar]:
        """Return the bars that were forming at the last commit, by instrument."""
        with errors_of(self._path):
            rows = self._db.execute(
                f"SELECT instrument, {', '.join(BAR_COLUMNS)} FROM forming JOIN series ON series.id = forming.series"
                " WHERE timeframe=?",
                (timeframe,),
            ).fetchall()
        return {row[0]: Bar(*row[1:]) for row in rows}

    def origins(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return who brought the bars, as ranges that overlap ``[start_ns, end_ns)``, oldest first."""
        return self._ranges(instrument, timeframe, "origin", start_ns, end_ns)

    def answered(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return the ranges that a source has told everything about, oldest first: what is missing there is no gap."""
        return self._ranges(instrument, timeframe, "answered", start_ns, end_ns)

    def revisions(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[Revision]:
        """Return what was replaced with open times in ``[start_ns, end_ns)``, in the order it happened."""
        with errors_of(self._path):
            number = self._find(instrument, timeframe)
            return [] if number is None else self._records.revisions(self._db, number, *_period(start_ns, end_ns))

    def backfills(self) -> list[BackfillRequest]:
        """Return the requests for history that are not done, oldest first."""
        with errors_of(self._path):
            return self._records.requests(self._db)

    def ticks(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None, limit: int | None = None
    ) -> list[Tick]:
        """Return the stored quotes with ``start_ns <= time < end_ns``, oldest first; the first `limit` of them."""
        with errors_of(self._path):
            number = self._find(instrument, _TICKS)
            if number is None:
                return []
            columns = self._ticks.read(self._db, number, *_period(start_ns, end_ns))
        values = (column[:limit].tolist() for column in columns)
        return [Tick(instrument, *row) for row in zip(*values, strict=True)]

    def close(self) -> None:
        """Close, and release the lock of a writer; may be called twice."""
        self._db.close()

    def _ranges(
        self, instrument: str, timeframe: str, kind: RangeKind, start_ns: int | None, end_ns: int | None
    ) -> list[TimeRange]:
        with errors_of(self._path):
            number = self._find(instrument, timeframe)
            return [] if number is None else self._records.ranges(self._db, number, kind, *_period(start_ns, end_ns))

    def _find(self, instrument: str, timeframe: str) -> int | None:
        row = self._db.execute(
            "SELECT id FROM series WHERE instrument=? AND timeframe=?", (instrument, timeframe)
        ).fetchone()
        return None if row is None else int(row[0])


class SqliteMarketStore(SqliteMarketReader):
    """Reads and writes market.db; holds its lock. For one thread at a time.

    Parameters
    ----------
    path : Path
        The file; made when missing.
    owner : str
        Who this is, for whoever finds the lock taken.
    wait_s : float
        How long to wait for the lock.
    clock : Clock, optional
        Dates revisions; default: the host's.

    Raises
    ------
    StoreError
        When another process holds it, or the file is damaged, newer than this program or cannot be written.
    """

    def __init__(self, path: Path, owner: str, wait_s: float = 0.0, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        super().__init__(
            path,
            open_writer(path, owner, wait_s, synchronous="NORMAL", schema=_schema(path), version=MARKET_VERSION),
        )
        self._known: dict[tuple[str, str], tuple[int, str]] = {}

    def write(self, batch: MarketBatch) -> None:
        """Store a batch in one transaction."""
        with self._transaction():
            for instrument, bars in _grouped(batch.bars).items():
                self._write_bars(instrument, batch.timeframe, batch.source, bars)
            for instrument, ticks in _grouped((tick.instrument, tick) for tick in batch.ticks).items():
                self._write_ticks(instrument, batch.source, ticks)
            for instrument, bar in batch.forming.items():
                number = self._series(instrument, batch.timeframe, batch.source)
                self._db.execute(
                    f"INSERT OR REPLACE INTO forming VALUES (?, {', '.join('?' * len(BAR_COLUMNS))})", (number, *bar)
                )

    def put_bars(
        self,
        instrument: str,
        timeframe: str,
        source: str,
        bars: Bars,
        *,
        keep: bool = False,
        answered: tuple[int, int] | None = None,
        progress: BackfillRequest | None = None,
    ) -> Stored:
        """Store bars in one transaction; may be repeated. Values that are replaced by others are kept as a revision."""
        times = bars.open_time_ns
        if not np.all(times[1:] > times[:-1]):
            raise ValueError("open times must strictly increase")
        with self._transaction():
            stored = Stored(rows=0, new=0)
            if len(bars) or answered is not None:
                number = self._series(instrument, timeframe, source)
                if len(bars):
                    stored = self._put(number, timeframe, source, bars, keep=keep)
                if answered is not None:
                    self._records.paint(self._db, number, "answered", TimeRange(*answered, source))
            if progress is not None:
                self._records.save_request(self._db, progress)
        return stored

    def save_backfill(self, request: BackfillRequest) -> None:
        """Keep a request for history, or how far it is; one that is done is forgotten."""
        with self._transaction():
            self._records.save_request(self._db, request)

    def put_ticks(self, instrument: str, source: str, ticks: Sequence[Tick]) -> Stored:
        """Store quotes in one transaction, in place of all that are stored between the first and the last."""
        if not ticks:
            return Stored(rows=0, new=0)
        columns = (
            np.array([tick.time_ns for tick in ticks], np.int64),
            np.array([tick.received_ns for tick in ticks], np.int64),
            np.array([tick.bid for tick in ticks], np.float64),
            np.array([tick.ask for tick in ticks], np.float64),
        )
        if not np.all(columns[0][1:] >= columns[0][:-1]):
            raise ValueError("times of quotes must not go backwards")
        first_ns, end_ns = int(columns[0][0]), int(columns[0][-1]) + 1
        with self._transaction():
            number = self._series(instrument, _TICKS, source)
            old = len(self._ticks.read(self._db, number, first_ns, end_ns)[0])
            self._ticks.replace(self._db, number, first_ns, end_ns, columns)
        return Stored(rows=len(ticks), new=max(0, len(ticks) - old))

    def tidy(self) -> None:
        """Move the write-ahead log into the file."""
        with errors_of(self._path):
            checkpoint(self._db, self._path)

    def _put(self, number: int, timeframe: str, source: str, bars: Bars, *, keep: bool) -> Stored:
        """Merge bars into a series, inside a transaction."""
        length_ns = Timeframe.parse(timeframe).seconds * NS_PER_S
        first_ns, end_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1]) + 1
        merge = merged(Bars(*self._bars.read(self._db, number, first_ns, end_ns)), bars, length_ns, keep=keep)
        if merge.stored.changed is not None:
            self._bars.replace(self._db, number, first_ns, end_ns, merge.bars.columns)
        self._records.revise(self._db, number, Revision(self._clock.now_ns(), source, merge.replaced))
        for start_ns, stop_ns in merge.taken:
            self._records.paint(self._db, number, "origin", TimeRange(start_ns, stop_ns, source))
        return merge.stored

    def _write_bars(self, instrument: str, timeframe: str, source: str, bars: list[Bar]) -> None:
        number = self._series(instrument, timeframe, source)
        last_ns = self._bars.last_ns(self._db, number)
        known = sorted((bar for bar in bars if bar.open_time_ns <= last_ns), key=_open_time)
        if known:  # revised bars
            latest = {bar.open_time_ns: bar for bar in known}
            self._put(number, timeframe, source, Bars.from_rows(list(latest.values())), keep=False)
        new = [bar for bar in bars if bar.open_time_ns > last_ns]
        if new:
            self._bars.append(self._db, number, new)
            self._bars.roll(self._db, number)
            times = [bar.open_time_ns for bar in new]
            end_ns = max(times) + Timeframe.parse(timeframe).seconds * NS_PER_S
            self._records.paint(self._db, number, "origin", TimeRange(min(times), end_ns, source))

    def _write_ticks(self, instrument: str, source: str, ticks: list[Tick]) -> None:
        number = self._series(instrument, _TICKS, source)
        last_ns = self._ticks.last_chunk_ns(self._db, number)
        in_order = [tick[1:] for tick in ticks if tick.time_ns >= last_ns]  # the chunks are closed
        self._ticks.append(self._db, number, in_order, self._next_tick(number))
        self._ticks.roll(self._db, number)

    def _next_tick(self, number: int) -> int:
        row = self._db.execute("SELECT max(number) FROM tick_tail WHERE series=?", (number,)).fetchone()
        return 1 if row[0] is None else int(row[0]) + 1

    def _series(self, instrument: str, timeframe: str, source: str) -> int:
        known = self._known.get((instrument, timeframe))
        if known is not None and known[1] == source:
            return known[0]
        row = self._db.execute(
            "SELECT id, source FROM series WHERE instrument=? AND timeframe=?", (instrument, timeframe)
        ).fetchone()
        if row is None:
            self._db.execute(
                "INSERT INTO series (instrument, timeframe, source) VALUES (?, ?, ?)", (instrument, timeframe, source)
            )
            number = int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])
        else:
            number = int(row[0])
            if source not in row[1].split(", "):
                both = f"{row[1]}, {source}"[-_SOURCES_SHOWN:]
                self._db.execute("UPDATE series SET source=? WHERE id=?", (both, number))
        self._known[instrument, timeframe] = (number, source)
        return number

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with errors_of(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._known.clear()
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise


def _schema(path: Path) -> str:
    forming = ", ".join(f"{name} {'INTEGER' if name == 'open_time_ns' else 'REAL'} NOT NULL" for name in BAR_COLUMNS)
    return ";".join(
        (
            "CREATE TABLE series (id INTEGER PRIMARY KEY, instrument TEXT NOT NULL, timeframe TEXT NOT NULL,"
            " source TEXT NOT NULL, UNIQUE (instrument, timeframe))",
            f"CREATE TABLE forming (series INTEGER PRIMARY KEY, {forming})",
            ColumnTable(path, "bar", BAR_COLUMNS, integers=1).schema,
            ColumnTable(path, "tick", TICK_COLUMNS, integers=2).schema,
            SCHEMA,
        )
    )


def _grouped(pairs: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for instrument, item in pairs:
        groups.setdefault(instrument, []).append(item)
    return groups


def _period(start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    return _FIRST if start_ns is None else start_ns, _LAST if end_ns is None else end_ns


def _open_time(bar: Bar) -> int:
    return bar.open_time_ns


def _length(timeframe: str) -> int:
    return 0 if timeframe == _TICKS else Timeframe.parse(timeframe).seconds
