"""The market store over any database: what is the same for SQLite files and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import numpy as np

from atrader.clock import NS_PER_S, Clock, SystemClock
from atrader.market import BAR_COLUMNS, Bar, Bars, Tick
from atrader.messages.data import SeriesInfo, Stored
from atrader.timeframes import Timeframe
from data_layer.store.bar_merge import merged
from data_layer.store.bar_records import BarRecords
from data_layer.store.column_table import BadChunk, ColumnTable
from data_layer.store.damage import say_damage
from data_layer.store.database import Database
from data_layer.store.interface import BackfillRequest, Damage, MarketBatch, Revision
from data_layer.store.market_schema import TICK_COLUMNS
from data_layer.store.origins import Origins
from data_layer.store.ranges import TimeRange

_TICKS: Final = "ticks"  # in place of a timeframe
_FIRST: Final = -(2**63)
_LAST: Final = 2**63 - 1
_SOURCES_SHOWN: Final = 200  # characters
_BAR_LIST: Final = ", ".join(BAR_COLUMNS)
_PUT_FORMING: Final = (
    f"INSERT INTO forming (series, {_BAR_LIST}) VALUES (?, {', '.join('?' * len(BAR_COLUMNS))})"
    f" ON CONFLICT (series) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in BAR_COLUMNS)}"
)
_PUT_FACT: Final = "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"
_LAST_TICKS: Final = "ticks"  # the fact that tells which batch of quotes was stored last

P = ParamSpec("P")
T = TypeVar("T")


def _reading(method: Callable[Concatenate[SqlMarketReader, P], T]) -> Callable[Concatenate[SqlMarketReader, P], T]:
    """Make a method see one state of the database."""

    @wraps(method)
    def call(self: SqlMarketReader, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._db.reading(lambda: method(self, *args, **kwargs))

    return call


def _writing(method: Callable[Concatenate[SqlMarketStore, P], T]) -> Callable[Concatenate[SqlMarketStore, P], T]:
    """Make a method one transaction."""

    @wraps(method)
    def call(self: SqlMarketStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        def work() -> T:
            try:
                return method(self, *args, **kwargs)
            except BaseException:
                self._known.clear()
                raise

        try:
            return self._db.writing(work)
        except BaseException:  # a series that it made is gone with it
            self._known.clear()
            raise

    return call


class SqlMarketReader:
    """Reads bars and quotes; a `MarketReader`. For one thread at a time.

    Parameters
    ----------
    database : Database
        Closed together with the reader.
    """

    def __init__(self, database: Database) -> None:
        self._db = database
        self._bars = ColumnTable("bar", BAR_COLUMNS, 1, self._found_damage)
        self._ticks = ColumnTable("tick", TICK_COLUMNS, 2, self._found_damage)
        self._records = BarRecords()
        self._origins = Origins(self._bars, self._records)
        self._told: set[tuple[int, int]] = set()
        self.on_damage: Callable[[Damage], None] = say_damage

    @_reading
    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        """List the series (of one instrument), by length of the timeframe; quotes have the timeframe ``ticks``."""
        where, values = ("", ()) if instrument is None else (" WHERE instrument=?", (instrument,))
        rows = self._db.execute(f"SELECT id, instrument, timeframe, source FROM series{where}", values).fetchall()
        extents = {**self._bars.extents(self._db), **self._ticks.extents(self._db)} if instrument is None else None
        found = []
        for number, symbol, frame, source in rows:
            extent = self._table(frame).extent(self._db, number) if extents is None else extents.get(number)
            if extent is not None and extent[0]:
                shown = dict(zip(("count", "first_ns", "last_ns"), extent, strict=True))
                found.append(SeriesInfo(instrument=symbol, timeframe=frame, source=source, **shown))
        return sorted(found, key=lambda one: (one.instrument, _length_ns(one.timeframe)))

    @_reading
    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the stored bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        number = self._find(instrument, timeframe)
        if number is None:
            return Bars.empty()
        return Bars(*self._bars.read(self._db, number, *_period(start_ns, end_ns)))

    @_reading
    def last_bar(self, instrument: str, timeframe: str) -> Bar | None:
        """Return the newest stored bar."""
        number = self._find(instrument, timeframe)
        if number is None:
            return None
        _, _, last_ns = self._bars.extent(self._db, number)
        bars = Bars(*self._bars.read(self._db, number, last_ns, _LAST))
        return bars.row(-1) if len(bars) else None

    @_reading
    def forming(self, timeframe: str) -> dict[str, Bar]:
        """Return the bars that were forming at the last commit, by instrument."""
        rows = self._db.execute(
            f"SELECT instrument, {_BAR_LIST} FROM forming JOIN series ON series.id = forming.series WHERE timeframe=?",
            (timeframe,),
        ).fetchall()
        return {row[0]: Bar(*row[1:]) for row in rows}

    @_reading
    def origins(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return who brought the bars, as ranges that overlap ``[start_ns, end_ns)``, oldest first."""
        number, length_ns = self._find(instrument, timeframe), _length_ns(timeframe)
        return [] if number is None else self._origins.ranges(self._db, number, length_ns, *_period(start_ns, end_ns))

    @_reading
    def answered(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return the ranges that a source has told everything about, oldest first: what is missing there is no gap."""
        number, period = self._find(instrument, timeframe), _period(start_ns, end_ns)
        return [] if number is None else self._records.ranges(self._db, number, "answered", *period)

    @_reading
    def revisions(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[Revision]:
        """Return what was replaced with open times in ``[start_ns, end_ns)``, in the order it happened."""
        number = self._find(instrument, timeframe)
        return [] if number is None else self._records.revisions(self._db, number, *_period(start_ns, end_ns))

    @_reading
    def backfills(self) -> list[BackfillRequest]:
        """Return the requests for history that are not done, oldest first."""
        return self._records.requests(self._db)

    @_reading
    def ticks(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None, limit: int | None = None
    ) -> list[Tick]:
        """Return the stored quotes with ``start_ns <= time < end_ns``, oldest first; the first `limit` of them."""
        number = self._find(instrument, _TICKS)
        if number is None:
            return []
        columns = self._ticks.read(self._db, number, *_period(start_ns, end_ns))
        values = (column[:limit].tolist() for column in columns)
        return [Tick(instrument, *row) for row in zip(*values, strict=True)]

    def damages(self) -> Iterator[tuple[SeriesInfo, list[Damage]]]:
        """Read everything there is, series by series; yield what is damaged of each, also when nothing is."""
        for info in self.series():
            yield info, self._damages_of(info.instrument, info.timeframe)

    @_reading
    def fact(self, name: str) -> str | None:
        """Return what there is one of in a store, by name; None when it is not there."""
        return self._fact(name)

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._db.close()

    @_reading
    def _damages_of(self, instrument: str, timeframe: str) -> list[Damage]:
        number = self._find(instrument, timeframe)
        return [] if number is None else self._damages(self._table(timeframe).bad_chunks(self._db, number))

    def _damages(self, chunks: Sequence[BadChunk]) -> list[Damage]:
        found = []
        for chunk in chunks:
            row = self._db.execute("SELECT instrument, timeframe FROM series WHERE id=?", (chunk.series,)).fetchone()
            found.append(Damage(row[0], row[1], chunk.first_ns, chunk.last_ns, chunk.rows, chunk.reason))
        return found

    def _found_damage(self, chunks: Sequence[BadChunk]) -> None:
        new = [chunk for chunk in chunks if (chunk.series, chunk.id) not in self._told]
        self._told.update((chunk.series, chunk.id) for chunk in new)
        for damage in self._damages(new):
            self.on_damage(damage)

    def _table(self, timeframe: str) -> ColumnTable:
        return self._ticks if timeframe == _TICKS else self._bars

    def _fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _find(self, instrument: str, timeframe: str) -> int | None:
        row = self._db.execute(
            "SELECT id FROM series WHERE instrument=? AND timeframe=?", (instrument, timeframe)
        ).fetchone()
        return None if row is None else int(row[0])


class SqlMarketStore(SqlMarketReader):
    """Reads and writes bars and quotes; a `MarketStore`. For one thread at a time.

    Parameters
    ----------
    database : Database
        Holds the lock of the one writer; closed together with the store.
    clock : Clock, optional
        Dates revisions; default: the host's.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        super().__init__(database)
        self._clock = clock or SystemClock()
        self._known: dict[tuple[str, str], tuple[int, str]] = {}

    @_writing
    def write(self, batch: MarketBatch) -> None:
        """Store a batch in one transaction."""
        for instrument, bars in _grouped(batch.bars).items():
            self._write_bars(instrument, batch.timeframe, batch.source, bars)
        if batch.ticks and self._is_new(batch.id):
            for instrument, ticks in _grouped((tick.instrument, tick) for tick in batch.ticks).items():
                self._write_ticks(instrument, batch.source, ticks)
        for instrument, bar in batch.forming.items():
            number = self._series(instrument, batch.timeframe, batch.source)
            self._db.execute(_PUT_FORMING, (number, *bar))

    @_writing
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

    @_writing
    def save_backfill(self, request: BackfillRequest) -> None:
        """Keep a request for history, or how far it is; one that is done is forgotten."""
        self._records.save_request(self._db, request)

    @_writing
    def mend(self, instrument: str, timeframe: str) -> list[Damage]:
        """Forget the damaged parts of a series in one transaction, and that their time was answered: they are gaps."""
        number = self._find(instrument, timeframe)
        if number is None:
            return []
        table = self._table(timeframe)
        chunks = table.bad_chunks(self._db, number)
        table.drop(self._db, chunks)
        for chunk in chunks:
            self._records.forget_answers(self._db, number, chunk.first_ns, chunk.last_ns + 1)
        return self._damages(chunks)

    @_writing
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
        number = self._series(instrument, _TICKS, source)
        old = len(self._ticks.read(self._db, number, first_ns, end_ns)[0])
        self._ticks.replace(self._db, number, first_ns, end_ns, columns)
        return Stored(rows=len(ticks), new=max(0, len(ticks) - old))

    def tidy(self) -> None:
        """Do the housekeeping that is due."""
        self._db.tidy()

    def _put(self, number: int, timeframe: str, source: str, bars: Bars, *, keep: bool) -> Stored:
        """Merge bars into a series, inside a transaction."""
        length_ns = _length_ns(timeframe)
        self._origins.close(self._db, number, self._bars.last_ns(self._db, number) + length_ns)
        first_ns, end_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1]) + 1
        merge = merged(Bars(*self._bars.read(self._db, number, first_ns, end_ns)), bars, length_ns, keep=keep)
        if merge.stored.changed is not None:
            self._bars.replace(self._db, number, first_ns, end_ns, merge.bars.columns)
        self._records.revise(self._db, number, Revision(self._clock.now_ns(), source, merge.replaced))
        for start_ns, stop_ns in merge.taken:
            self._origins.paint(self._db, number, TimeRange(start_ns, stop_ns, source))
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
            self._bars.roll(self._db, number, len(new))
            first_ns = min(bar.open_time_ns for bar in new)
            self._origins.follow(self._db, number, _length_ns(timeframe), last_ns, first_ns, source)

    def _is_new(self, batch: str) -> bool:
        """Tell whether the quotes of a batch are not stored yet; and note that they are."""
        if not batch:
            return True
        if self._fact(_LAST_TICKS) == batch:
            return False
        self._db.execute(_PUT_FACT, (_LAST_TICKS, batch))
        return True

    def _write_ticks(self, instrument: str, source: str, ticks: list[Tick]) -> None:
        number = self._series(instrument, _TICKS, source)
        last_ns = self._ticks.last_chunk_ns(self._db, number)
        in_order = [tick[1:] for tick in ticks if tick.time_ns >= last_ns]  # the chunks are closed
        self._ticks.append(self._db, number, in_order, self._next_tick(number))
        self._ticks.roll(self._db, number, len(in_order))

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
            values = (instrument, timeframe, source)
            statement = "INSERT INTO series (instrument, timeframe, source) VALUES (?, ?, ?) RETURNING id"
            number = int(self._db.execute(statement, values).fetchone()[0])
        else:
            number = int(row[0])
            if source not in row[1].split(", "):
                both = f"{row[1]}, {source}"[-_SOURCES_SHOWN:]
                self._db.execute("UPDATE series SET source=? WHERE id=?", (both, number))
        self._known[instrument, timeframe] = (number, source)
        return number


def _grouped(pairs: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for instrument, item in pairs:
        groups.setdefault(instrument, []).append(item)
    return groups


def _period(start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    return _FIRST if start_ns is None else start_ns, _LAST if end_ns is None else end_ns


def _open_time(bar: Bar) -> int:
    return bar.open_time_ns


def _length_ns(timeframe: str) -> int:
    return 0 if timeframe == _TICKS else Timeframe.parse(timeframe).seconds * NS_PER_S
