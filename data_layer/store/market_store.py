"""Writes the market store of any database: what is the same for SQLite files and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import numpy as np

from atrader.clock import Clock, SystemClock
from atrader.market import BAR_COLUMNS, Bar, Bars, Quotes, Tick
from atrader.messages.series import Stored
from data_layer.store.bar_merge import merged
from data_layer.store.database import Database
from data_layer.store.interface import BackfillRequest, Damage, MarketBatch, Revision
from data_layer.store.market_reader import BAR_LIST, TICKS, SqlMarketReader, length_ns
from data_layer.store.ranges import TimeRange

_SOURCES_SHOWN: Final = 200  # characters
_PUT_FORMING: Final = (
    f"INSERT INTO forming (series, {BAR_LIST}) VALUES (?, {', '.join('?' * len(BAR_COLUMNS))})"
    f" ON CONFLICT (series) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in BAR_COLUMNS)}"
)
_PUT_FACT: Final = "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"
_LAST_TICKS: Final = "ticks"  # the fact that tells which batch of quotes was stored last

P = ParamSpec("P")
T = TypeVar("T")


def _writing(method: Callable[Concatenate[SqlMarketStore, P], T]) -> Callable[Concatenate[SqlMarketStore, P], T]:
    """Make a method one transaction."""

    @wraps(method)
    def call(self: SqlMarketStore, /, *args: P.args, **kwargs: P.kwargs) -> T:
        tried = False

        def work() -> T:
            nonlocal tried
            if tried:  # done again, as nobody knows whether it was committed: a series that it made may be gone with it
                self._known.clear()
            tried = True
            return method(self, *args, **kwargs)

        try:
            return self._db.writing(work)
        except BaseException:
            self._known.clear()
            raise

    return call


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
    def put_quotes(self, instrument: str, source: str, quotes: Quotes) -> Stored:
        """Store quotes in one transaction, in place of all that are stored between the first and the last."""
        times = quotes.time_ns
        if not len(times):
            return Stored(rows=0, new=0)
        if not np.all(times[1:] >= times[:-1]):
            raise ValueError("times of quotes must not go backwards")
        first_ns, end_ns = int(times[0]), int(times[-1]) + 1
        number = self._series(instrument, TICKS, source)
        old = len(self._ticks.read(self._db, number, first_ns, end_ns)[0])
        self._ticks.replace(self._db, number, first_ns, end_ns, tuple(quotes))
        return Stored(rows=len(times), new=max(0, len(times) - old))

    def tidy(self) -> None:
        """Do the housekeeping that is due."""
        self._db.tidy()

    def _put(self, number: int, timeframe: str, source: str, bars: Bars, *, keep: bool) -> Stored:
        """Merge bars into a series, inside a transaction."""
        bar_ns = length_ns(timeframe)
        self._origins.close(self._db, number, self._bars.last_ns(self._db, number) + bar_ns)
        first_ns, end_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1]) + 1
        merge = merged(Bars(*self._bars.read(self._db, number, first_ns, end_ns)), bars, bar_ns, keep=keep)
        if merge.stored.changed is not None:
            for chunk in self._bars.replace(self._db, number, first_ns, end_ns, merge.bars.columns):
                self._records.forget_answers(self._db, number, chunk.first_ns, chunk.last_ns + 1)  # the rest is a gap
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
            self._origins.follow(self._db, number, length_ns(timeframe), last_ns, first_ns, source)

    def _is_new(self, batch: str) -> bool:
        """Tell whether the quotes of a batch are not stored yet; and note that they are."""
        if not batch:
            return True
        if self._fact(_LAST_TICKS) == batch:
            return False
        self._db.execute(_PUT_FACT, (_LAST_TICKS, batch))
        return True

    def _write_ticks(self, instrument: str, source: str, ticks: list[Tick]) -> None:
        number = self._series(instrument, TICKS, source)
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


def _open_time(bar: Bar) -> int:
    return bar.open_time_ns
