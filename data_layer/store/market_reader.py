"""Reads the market store of any database: what is the same for SQLite files and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from atrader.clock import NS_PER_S
from atrader.market import BAR_COLUMNS, Bar, Bars, Quotes
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.store.bar_records import BarRecords
from data_layer.store.column_table import BadChunk, ColumnTable
from data_layer.store.damage import say_damage
from data_layer.store.database import Database
from data_layer.store.images import Images
from data_layer.store.interface import BackfillRequest, Damage, Revision
from data_layer.store.origins import Origins
from data_layer.store.ranges import TimeRange
from data_layer.store.schema import TICK_COLUMNS
from data_layer.tick_pages import PAGE_ROWS, QuotePage

TICKS: Final = "ticks"
"""What a series of quotes has in place of a timeframe."""

BAR_LIST: Final = ", ".join(BAR_COLUMNS)
"""The columns of a bar in a statement."""

_FIRST: Final = -(2**63)
_LAST: Final = 2**63 - 1

P = ParamSpec("P")
T = TypeVar("T")


def _reading(method: Callable[Concatenate[SqlMarketReader, P], T]) -> Callable[Concatenate[SqlMarketReader, P], T]:
    """Make a method see one state of the database."""

    @wraps(method)
    def call(self: SqlMarketReader, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._db.reading(lambda: method(self, *args, **kwargs))

    return call


class SqlMarketReader:
    """Reads bars and quotes; a `MarketReader`. For one thread at a time.

    Parameters
    ----------
    database : Database
        Closed together with the reader.
    images : Images, optional
        Copies of long series, read faster.
    """

    def __init__(self, database: Database, images: Images | None = None) -> None:
        self._db = database
        self._images = images
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
        return sorted(found, key=lambda one: (one.instrument, length_ns(one.timeframe)))

    @_reading
    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return the stored bars of exactly this timeframe with ``start_ns <= open_time < end_ns``."""
        number = self._find(instrument, timeframe)
        if number is None:
            return Bars.empty()
        return Bars(*self._bars.read(self._db, number, *_period(start_ns, end_ns), self._images))

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
            f"SELECT instrument, {BAR_LIST} FROM forming JOIN series ON series.id = forming.series WHERE timeframe=?",
            (timeframe,),
        ).fetchall()
        return {row[0]: Bar(*row[1:]) for row in rows}

    @_reading
    def origins(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> list[TimeRange]:
        """Return who brought the bars, as ranges that overlap ``[start_ns, end_ns)``, oldest first."""
        number, bar_ns = self._find(instrument, timeframe), length_ns(timeframe)
        return [] if number is None else self._origins.ranges(self._db, number, bar_ns, *_period(start_ns, end_ns))

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
    def tick_page(
        self, instrument: str, start_ns: int | None = None, end_ns: int | None = None, rows: int = PAGE_ROWS
    ) -> QuotePage:
        """Return the first quotes with ``start_ns <= time < end_ns``, and from when to ask for the others."""
        number = self._find(instrument, TICKS)
        if number is None:
            return QuotePage(Quotes.of(()), None)
        first_ns, stop_ns = _period(start_ns, end_ns)
        next_ns = self._ticks.page_end(self._db, number, first_ns, stop_ns, rows)
        columns: tuple[Any, ...] = self._ticks.read(self._db, number, first_ns, stop_ns if next_ns is None else next_ns)
        return QuotePage(Quotes(*columns), next_ns)

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
        return self._ticks if timeframe == TICKS else self._bars

    def _fact(self, name: str) -> str | None:
        row = self._db.execute("SELECT value FROM facts WHERE name=?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _find(self, instrument: str, timeframe: str) -> int | None:
        row = self._db.execute(
            "SELECT id FROM series WHERE instrument=? AND timeframe=?", (instrument, timeframe)
        ).fetchone()
        return None if row is None else int(row[0])


def length_ns(timeframe: str) -> int:
    """Return the nominal length of a bar; 0 for quotes."""
    return 0 if timeframe == TICKS else Timeframe.parse(timeframe).seconds * NS_PER_S


def _period(start_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    return _FIRST if start_ns is None else start_ns, _LAST if end_ns is None else end_ns
