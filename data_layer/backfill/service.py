"""The backfill of one data layer, put together, and what it answers to calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.bus import Caller, Handler
from atrader.clock import Clock
from atrader.configuration.fleet import Installation
from atrader.errors import Rejected
from atrader.messages.data import BackfillAnswer, GetBackfill, GetWatched, RequestBars, Watched, WatchedAnswer
from atrader.messages.series import Stored
from atrader.timeframes import Timeframe
from atrader.wire import Request
from data_layer.backfill.keeper import Keeper
from data_layer.backfill.scheduler import Scheduler
from data_layer.backfill.shown import PRIORITIES, WORDS, shown
from data_layer.backfill.watch import Reason, WatchList
from data_layer.bulk import timeframe_of
from data_layer.live_market import LiveMarket
from data_layer.market_writer import MarketWriter
from data_layer.open_stores import OpenStores
from data_layer.sources import BarPage
from data_layer.sources.choice import make_sources

_LINES: Final = 5


class Backfill:
    """Fetches missing history in the background. Never part of a replay: it would change what is played.

    Parameters
    ----------
    installation : Installation
        Sources, and what is kept.
    stores : OpenStores
        Where requests and open trades are found.
    market : LiveMarket
        Told of bars that came or changed.
    writer : MarketWriter
        The way to the store.
    directory : Path
        Where the screener's list is kept.
    price_owner : callable
        Returns the process name of the gateway that brings the prices of an instrument now, if one does.
    """

    def __init__(
        self,
        installation: Installation,
        stores: OpenStores,
        market: LiveMarket,
        writer: MarketWriter,
        directory: Path,
        price_owner: Callable[[str], str | None],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        fleet = installation.fleet
        self._market = market
        self._stores = stores
        self._sources = make_sources(installation, price_owner, clock)
        self._screener = fleet.sources[fleet.data.backfill.screener].screener if fleet.data.backfill.screener else None
        self.scheduler = Scheduler(
            self._sources.bars, writer.do, fleet.calendar_of, self._changed, market.built_until_ns, clock, log
        )
        self._watch = WatchList(_fixed(installation), directory / "screener.json", log)
        self._keeper = Keeper(fleet.data.backfill, self._watch, market, self.scheduler, self._sources.live, clock, log)

    def prepare(self, open_trades: Callable[[], Awaitable[Collection[str]]]) -> None:
        """Go on where a predecessor stopped.

        Parameters
        ----------
        open_trades : callable
            Returns the instruments of which trades are open.
        """
        self._keeper.open_trades = open_trades
        self.scheduler.resume(self._stores.market_reader.backfills())
        self._keeper.prepare()

    async def run(self) -> None:
        """Fetch, for ever.

        Raises
        ------
        StoreError
            When the store fails for another reason than a full disk.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.scheduler.run())
            group.create_task(self._keeper.run())
            if self._sources.screener is not None and self._screener is not None:
                group.create_task(self._keeper.screen(self._sources.screener, self._screener.refresh))

    def under_way(self) -> list[str]:
        """Return what is being fetched, as lines for people, the most urgent first."""
        jobs = [job for job in self.scheduler.jobs() if job.is_open and (job.pages or job.reason)]
        return [
            f"{job.instrument} {job.timeframe} from {job.source} ({WORDS[job.priority]}), {job.done_frac:.0%}"
            + (f", waits: {job.reason}" if job.reason else "")
            for job in jobs[:_LINES]
        ]

    async def close(self) -> None:
        """Let go of the sources' connections."""
        await self.scheduler.close()

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {GetBackfill: self._jobs, RequestBars: self._request, GetWatched: self._watched}

    def _jobs(self, request: GetBackfill, caller: Caller) -> BackfillAnswer:
        return BackfillAnswer(jobs=tuple(map(shown, self.scheduler.jobs())))

    async def _request(self, request: RequestBars, caller: Caller) -> BackfillAnswer:
        timeframe = self._market.base if request.timeframe is None else timeframe_of(request.timeframe)
        job = self.scheduler.request(
            request.instrument,
            timeframe,
            request.start_ns,
            request.end_ns,
            PRIORITIES[request.priority],
            replace=request.replace,
            source=request.source,
        )
        await self.scheduler.keep(job)
        return BackfillAnswer(jobs=(shown(job),))

    def _watched(self, request: GetWatched, caller: Caller) -> WatchedAnswer:
        kept = sorted(self._watch.all().items())
        return WatchedAnswer(instruments=tuple(Watched(instrument=symbol, reason=why) for symbol, why in kept))

    def _changed(self, instrument: str, timeframe: Timeframe, page: BarPage, stored: Stored, start_ns: int) -> None:
        if stored.changed is not None:
            self._market.revised(instrument, *stored.changed, stored.new + stored.revised)
        if timeframe == self._market.base:
            self._market.told(instrument, page.bars, start_ns, page.answered_until_ns)


def replay_handlers() -> Mapping[type[Request], Handler]:
    """Return what answers the requests while a replay runs: nothing is fetched."""

    def refuse(request: RequestBars, caller: Caller) -> BackfillAnswer:
        raise Rejected("a replay is running: what it plays must not change", details={"reason": "replay"})

    def nothing(request: GetBackfill, caller: Caller) -> BackfillAnswer:
        return BackfillAnswer(jobs=())

    def nobody(request: GetWatched, caller: Caller) -> WatchedAnswer:
        return WatchedAnswer(instruments=())

    return {RequestBars: refuse, GetBackfill: nothing, GetWatched: nobody}


def _fixed(installation: Installation) -> Iterator[tuple[str, Reason]]:
    for instance in installation.instances.values():
        if instance.enabled:
            yield instance.instrument, "strategy"
    for symbol in installation.fleet.market.instruments:
        yield symbol, "feed"
    for symbol in installation.fleet.data.backfill.keep:
        yield symbol, "configured"
