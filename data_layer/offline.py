"""What commands use: the data layer when it runs, else its files, with the same methods."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from atrader.clock import NS_PER_S, SystemClock
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import StoreError, StoreUnavailable
from atrader.market import Bars, Quotes
from atrader.messages.series import CoverageAnswer, GetCoverage, SeriesInfo, Stored
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary, coverage_of
from data_layer.disk_guard import DiskGuard
from data_layer.feeds.replay_position import market_time_ns
from data_layer.store import MarketReader, MarketStore
from data_layer.store.places import StorePlace, data_layer_runs, place_of
from data_layer.tick_pages import QuotePage, tick_pages

if TYPE_CHECKING:  # what only some commands say
    from atrader.messages.data import BackfillJob, RequestBars, Watched
    from atrader.messages.history import GetStatistics, QueryHistory
    from data_layer.archive import HistoryView
    from data_layer.backfill.offline import OfflineBackfill
    from data_layer.client import DataClient

_OWNER: Final = "a command"
_LOCK_WAIT_S: Final = 2.0
_PATIENCE_S: Final = 30.0  # a server that restarts is back by then
_PAUSE_S: Final = 0.5

_clock = SystemClock()

T = TypeVar("T")


class HistorySource(Protocol):
    """Where a command reads history."""

    def query(self, query: QueryHistory) -> list[dict[str, Any]]:
        """Return rows, oldest first; money as text, times ns UTC."""
        ...

    def statistics(self, request: GetStatistics) -> list[dict[str, Any]]:
        """Return statistics of trades, a map for each group."""
        ...


class Market(ABC):
    """Bars and quotes for a command.

    All methods may raise `StoreError`, and with a running data layer `DeadlineExceeded`.

    Attributes
    ----------
    is_running : bool
        Whether the data layer does the work.
    """

    is_running = False

    @abstractmethod
    def series(self) -> Sequence[SeriesInfo]:
        """List what is stored."""

    @abstractmethod
    def bars(self, instrument: str, timeframe: str, *, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        """Return complete bars with ``start_ns <= open_time < end_ns``, stored or built from what is stored."""

    @abstractmethod
    def tick_page(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> QuotePage:
        """Return the first stored quotes with ``start_ns <= time < end_ns``, and from when to ask for the others."""

    def tick_parts(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Quotes]:
        """Yield the stored quotes of a period (default: all) in parts of bearable size, oldest first."""
        return tick_pages(self.tick_page, instrument, start_ns, end_ns)

    @abstractmethod
    def import_bars(self, instrument: str, timeframe: str, source: str, bars: Bars) -> Stored:
        """Store bars; those with the same open time are replaced. In the store when this returns; may be repeated."""

    @abstractmethod
    def import_quotes(self, instrument: str, source: str, quotes: Quotes) -> Stored:
        """Store quotes in place of those of their period. In the store when this returns; may be repeated."""

    @abstractmethod
    def coverage(self, request: GetCoverage) -> CoverageAnswer:
        """Return what is missing of a period, judged by the calendar and by what sources answered."""

    def gaps(
        self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None
    ) -> CoverageAnswer:
        """Return what is missing between two times (default: the first and the last stored bar)."""
        stored = [one for one in self.series() if one.instrument == instrument and one.timeframe != "ticks"]
        if not stored and (start_ns is None or end_ns is None):
            return CoverageAnswer(start_ns=0, end_ns=0, missing=0, gaps=())
        if end_ns is None:  # a bar of nominal length; what is longer ends with the calendar's
            end_ns = max(one.last_ns + Timeframe.parse(one.timeframe).seconds * NS_PER_S for one in stored)
        return self.coverage(GetCoverage(instrument=instrument, timeframe=timeframe, start_ns=start_ns, end_ns=end_ns))

    def backfill(self) -> Sequence[BackfillJob]:
        """Return what history is being fetched: while the fleet is stopped what this one asked for."""
        return ()

    def watched(self) -> Sequence[Watched]:
        """Return the instruments whose bars are kept up to date, and why: none while the fleet is stopped."""
        return ()

    @abstractmethod
    def request_bars(self, request: RequestBars) -> BackfillJob:
        """Ask that missing bars be fetched.

        The running data layer goes on with it by itself. While the fleet is stopped it is fetched from here, under the
        lock of the store and until this is closed; what is left then is fetched when the fleet starts.

        Raises
        ------
        ConfigError
            When the fleet is stopped and only its gateways could ask somebody.
        Rejected
            When no source has such bars, or nothing of the range is past.
        """


class _RunningMarket(Market):
    is_running = True

    def __init__(self, client: DataClient) -> None:
        self._client = client

    def series(self) -> Sequence[SeriesInfo]:
        return self._client.series()

    def bars(self, instrument: str, timeframe: str, *, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        return self._client.bars(instrument, timeframe, start_ns=start_ns, end_ns=end_ns)[0]

    def tick_page(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> QuotePage:
        return self._client.ticks(instrument, start_ns, end_ns)

    def coverage(self, request: GetCoverage) -> CoverageAnswer:
        return self._client.coverage(
            request.instrument, request.timeframe, start_ns=request.start_ns, end_ns=request.end_ns
        )

    def backfill(self) -> Sequence[BackfillJob]:
        return self._client.backfill()

    def watched(self) -> Sequence[Watched]:
        return self._client.watched()

    def request_bars(self, request: RequestBars) -> BackfillJob:
        return self._client.request_bars(request)

    def import_bars(self, instrument: str, timeframe: str, source: str, bars: Bars) -> Stored:
        return _patiently(lambda: self._client.import_bars(instrument, timeframe, source, bars))

    def import_quotes(self, instrument: str, source: str, quotes: Quotes) -> Stored:
        return _patiently(lambda: self._client.import_quotes(instrument, source, quotes))


def _patiently(work: Callable[[], T]) -> T:
    """Do what may be repeated, also when the store of the running data layer is away for a while."""
    end_s = _clock.monotonic_s() + _PATIENCE_S
    while True:
        try:
            return work()
        except StoreUnavailable:
            if _clock.monotonic_s() >= end_s:
                raise
            time.sleep(_PAUSE_S)


class _StoredMarket(Market):
    """The store itself: read without a lock; from the first import on it is held until the command is done."""

    def __init__(self, place: StorePlace, fleet: FleetConfig) -> None:
        self._place = place
        self._fleet = fleet
        self._guard = DiskGuard(place.directory, fleet.data)
        self._store: MarketStore | None = None
        self._backfill: OfflineBackfill | None = None

    def series(self) -> Sequence[SeriesInfo]:
        nothing: list[SeriesInfo] = []
        return self._read(lambda reader: reader.series(), nothing)

    def bars(self, instrument: str, timeframe: str, *, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        def read(reader: MarketReader) -> Bars:
            return BarLibrary(reader, self._fleet.calendar_of).bars(
                instrument,
                Timeframe.parse(timeframe),
                start_ns=start_ns,
                end_ns=end_ns,
                horizon_ns=_clock.now_ns(),
            )

        return self._read(read, Bars.empty())

    def tick_page(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> QuotePage:
        nothing = QuotePage(Quotes.of(()), None)
        return self._read(lambda reader: reader.tick_page(instrument, start_ns, end_ns), nothing)

    def import_bars(self, instrument: str, timeframe: str, source: str, bars: Bars) -> Stored:
        return self._write(lambda store: store.put_bars(instrument, timeframe, source, bars))

    def import_quotes(self, instrument: str, source: str, quotes: Quotes) -> Stored:
        return self._write(lambda store: store.put_quotes(instrument, source, quotes))

    def coverage(self, request: GetCoverage) -> CoverageAnswer:
        def look(reader: MarketReader) -> CoverageAnswer:
            library = BarLibrary(reader, self._fleet.calendar_of)
            base = Timeframe.parse(self._fleet.data.base_timeframe)
            return coverage_of(library, request, base, self._fleet.calendar_of(request.instrument), _clock.now_ns())

        return self._read(look, CoverageAnswer(start_ns=0, end_ns=0, missing=0, gaps=()))

    def _read(self, work: Callable[[MarketReader], T], nothing: T) -> T:
        try:
            reader = self._place.market_reader(_OWNER)
        except StoreError as error:
            if error.details.get("missing"):
                return nothing
            raise
        try:
            return work(reader)
        finally:
            reader.close()

    def _write(self, work: Callable[[MarketStore], Stored]) -> Stored:
        if self._store is None:
            self._store = self._place.market("an import", _LOCK_WAIT_S)
        self._guard.check("an import")
        return work(self._store)

    def request_bars(self, request: RequestBars) -> BackfillJob:
        if self._backfill is None:
            from data_layer.backfill.offline import OfflineBackfill  # all sources: not for what only reads

            self._backfill = OfflineBackfill(self._place, self._fleet)
        return self._backfill.request(request)

    def backfill(self) -> Sequence[BackfillJob]:
        return self._backfill.jobs() if self._backfill is not None else ()

    def close(self) -> None:
        if self._backfill is not None:
            self._backfill.close()
        if self._store is not None:
            self._store.close()


class _RunningHistory:
    def __init__(self, client: DataClient) -> None:
        self._client = client

    def query(self, query: QueryHistory) -> list[dict[str, Any]]:
        return self._client.history(query)

    def statistics(self, request: GetStatistics) -> list[dict[str, Any]]:
        return self._client.statistics(request)


class _StoredHistory:
    def __init__(self, place: StorePlace, archive: Path, now_ns: int) -> None:
        self._place = place
        self._archive = archive
        self._now_ns = now_ns

    def query(self, query: QueryHistory) -> list[dict[str, Any]]:
        return self._read(lambda view: view.query(query))

    def statistics(self, request: GetStatistics) -> list[dict[str, Any]]:
        return self._read(lambda view: view.statistics(request, self._now_ns))

    def _read(self, work: Callable[[HistoryView], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        try:
            reader = self._place.history_reader(_OWNER)
        except StoreError as error:
            if error.details.get("missing"):
                return []
            raise
        from data_layer.archive import HistoryView  # SQLAlchemy: not for what only reads bars

        try:
            return work(HistoryView(reader, self._archive))
        finally:
            reader.close()


def _client(home: Home) -> DataClient:
    from data_layer.client import DataClient  # the bus: not for what reads the files

    return DataClient(home)


@contextmanager
def open_market(home: Home, fleet: FleetConfig | None = None) -> Iterator[Market]:
    """Give access to bars and quotes: through the data layer when it runs, else from the store.

    Parameters
    ----------
    fleet : FleetConfig, optional
        Knows instruments, whose calendars say how longer bars are built; without it the built-in ones are known.

    Raises
    ------
    StoreError
        When the store is away, damaged or newer than this program, or (for imports) in use.
    DeadlineExceeded
        When the data layer holds the store but does not answer.
    """
    if data_layer_runs(home.market_store):
        with _client(home) as client:
            yield _RunningMarket(client)
    else:
        config = fleet or load_fleet(home.root)
        with closing(_StoredMarket(place_of(home, config.data, _PATIENCE_S), config)) as market:
            yield market


@contextmanager
def open_history(home: Home) -> Iterator[HistorySource]:
    """Give access to the history: through the data layer when it runs, else from the store.

    Raises
    ------
    StoreError
        When the store is away, damaged or newer than this program.
    DeadlineExceeded
        When the data layer holds the store but does not answer.
    """
    if data_layer_runs(home.history_store):
        with _client(home) as client:
            yield _RunningHistory(client)
    else:
        fleet = load_fleet(home.root)
        # The trades of a replay belong to its market's time, which ended with it.
        market_ns = market_time_ns(home.replay_position) if fleet.market.feed == "replay" else None
        yield _StoredHistory(place_of(home, fleet.data, _PATIENCE_S), home.archive, market_ns or _clock.now_ns())
