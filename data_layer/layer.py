"""Puts the parts of the data layer together, and takes them apart in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

from atrader.bus import BeatServer, CallServer, CurveKeys, StreamServer
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, MarketClock, SteadyClock, SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.tcp_url import BULK, CALL, STREAM, service_url
from atrader.errors import Rejected, StoreUnavailable
from atrader.runtime.outbox_file import OutboxFile
from atrader.timeframes import Timeframe
from data_layer.archive import HistoryView
from data_layer.backfill.service import Backfill, replay_handlers
from data_layer.bars import BarLibrary
from data_layer.broker_prices import BrokerPrices
from data_layer.bulk import BulkServer
from data_layer.disk_guard import DiskGuard
from data_layer.feeds.choice import make_feed
from data_layer.history_writer import HistoryWriter
from data_layer.left_behind import tell_what_is_left
from data_layer.live_market import LiveMarket
from data_layer.market_values import Completed
from data_layer.market_writer import MarketWriter
from data_layer.open_stores import OpenStores
from data_layer.operations.runner import RunningAccess
from data_layer.prompt_bars import PATIENCE_S, PromptBars
from data_layer.service import Receiver, Service
from data_layer.shared import SUPPORTED, BarShare, PriceTable
from data_layer.sink import Sink, Source
from data_layer.store.interface import worst
from data_layer.tcp_keys import server_keys
from data_layer.tick_pages import tick_pages
from data_layer.upkeep import Upkeep

_TURN_S: Final = 0.05  # how often the clock is looked at: bars without a later quote complete that much later
_HEARTBEAT_S: Final = 1.0


class Beat(Protocol):
    """How the main loop tells the manager how far it is."""

    def __call__(self, phase: str, progress: int, **body: object) -> None:
        """Send a beat if one is due."""
        ...


class DataLayer:
    """Live market, feed and servers of one installation, over open stores.

    Parameters
    ----------
    home : Home
        Where sockets and files are.
    installation : Installation
        The configuration.
    stores : OpenStores
        Closed by their owner.
    log : structlog logger
        Where to log.

    Raises
    ------
    StoreError
        When a store cannot be read.
    ConfigError
        When the feed cannot work with the configuration, an instrument is not known, or an endpoint is in use.
    """

    def __init__(self, home: Home, installation: Installation, stores: OpenStores, log: FilteringBoundLogger) -> None:
        self._home = home
        self._installation = installation
        self._stores = stores
        self._log = log
        self._host_clock = SteadyClock(SystemClock())
        self._replay_clock = MarketClock()
        config = installation.fleet.data
        self._feed = make_feed(installation)
        self._is_replay = self._feed is not None and self._feed.is_replay
        self._grace_ns = 0 if self._is_replay else int(config.late_quotes * NS_PER_S)
        base = Timeframe.parse((self._feed.timeframe if self._feed else None) or config.base_timeframe)
        self._keys = server_keys(home, installation.fleet.bus)
        self.stream = StreamServer(home.endpoint("data.stream"), keep=0)  # what was missed is asked for as bars
        self._stored = PromptBars(BarLibrary(stores.market_reader, self._calendar_of))
        self.market = LiveMarket(self.stream, self._stored, self._calendar_of, base, self._settled_ns)
        self._sink = Sink(self.market, self.stream, self._feed, self._replay_clock)
        self._broker_prices = (
            BrokerPrices(self.market, self._sink, self._host_clock, log) if self._feed is None else None
        )
        guard = DiskGuard(stores.place.directory, config)
        self._market_writer = MarketWriter(
            stores.market,
            self.market,
            config,
            self._feed.name if self._feed else "brokers",
            guard,
            self._host_clock,
            log,
        )
        self._history_writer = HistoryWriter(stores.history, guard, log)
        self._under_way: list[str] = []
        self._backfill = None
        if not self._is_replay:
            self._backfill = Backfill(
                installation,
                stores,
                self.market,
                self._market_writer,
                home.data,
                self._price_owner,
                self._host_clock,
                log,
            )

    async def run(self, beat: Beat, stop_requested: Callable[[], Awaitable[None]]) -> None:
        """Serve until told to stop, then write what is left.

        Parameters
        ----------
        beat : Beat
            Called in each turn of the main loop.
        stop_requested : callable
            Returns when the process is told to stop.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self._stored.close)
            stack.callback(self.stream.close)
            remote = self._remote(STREAM)
            if remote is not None:
                self.stream.listen_also(*remote)
            self._share(stack)
            stack.push_async_callback(self._market_writer.leave if self._is_replay else self._market_writer.close)
            stack.push_async_callback(self._history_writer.close)
            self._prepare()
            await self._serve(stack)
            if not self._is_replay:
                self._stored.patience_s = PATIENCE_S
            self._log.info("serving", feed=self._feed.name if self._feed else "none", base=self.market.base.name)
            try:
                await self._work(beat, stop_requested)
            except (
                BaseExceptionGroup
            ) as group:  # one failed and the others were cancelled: its error names the exit code
                raise group.exceptions[0] from group
            beat("draining", self._progress)

    def _share(self, stack: AsyncExitStack) -> None:
        """Share prices and bars with readers on this host.

        Those of a replay belong to its time, not to the host's: they go by the bus.
        """
        if self._is_replay or not SUPPORTED:
            return
        market, config = self.market, self._installation.fleet.data
        try:
            market.price_table = PriceTable(self.stream.epoch)
            stack.callback(market.close_prices)
            if config.shared_bars:
                market.bar_share = BarShare(self.stream.epoch, config.shared_bars)
                stack.callback(market.bar_share.close)
        except OSError as error:
            self._log.warning("not-shared", reason=str(error))

    def _prepare(self) -> None:
        """Go on where a predecessor stopped, before anybody may ask."""
        base = self.market.base
        reader = self._stores.market_reader
        if not self._is_replay:
            self.market.hand_over = self._market_writer.take
            for instrument, bar in reader.forming(base.name).items():
                last = reader.last_bar(instrument, base.name)
                calendar = self._calendar_of(instrument)
                until_ns = 0 if last is None else calendar.next_bar_open(last.open_time_ns, base)
                if bar.open_time_ns >= until_ns:
                    self.market.resume(instrument, until_ns, bar)
        if self._feed is not None:
            library = BarLibrary(reader, self._calendar_of, max_cached_rows=0)
            self._feed.prepare(self._sink, Source(reader, library, self.market))
        if self._is_replay:
            self._prepare_replay()
        elif self._installation.fleet.data.keep_ticks:
            self._sink.keep = self._market_writer.keep
        for instance in self._installation.instances.values():
            if instance.enabled:
                self.market.subscribe(instance.instrument, Timeframe.parse(instance.timeframe))

    def _prepare_replay(self) -> None:
        """Find bars in the store when bars are played; build those before the start when quotes are played."""
        if self._feed is not None and self._feed.timeframe is not None:
            self.market.hand_over = self._publish_stored
            return
        page, now_ns = self._stores.market_reader.tick_page, self._replay_clock.now_ns()
        for instrument in self._installation.fleet.market.instruments:
            self.market.resume(instrument, 0, None)  # no quote is too late
            for quotes in tick_pages(page, instrument, None, now_ns):
                self.market.ticks(quotes.ticks(instrument))
        self.market.advance(now_ns)

    def _publish_stored(self, completed: Completed) -> None:
        self.market.publish(completed, stored=True)

    async def _serve(self, stack: AsyncExitStack) -> None:
        service = Service(
            self.market,
            self._sink,
            self._market_writer,
            self._history_writer,
            self._stores.query_market,
            self._stores.query_history,
            HistoryView(self._stores.view_history, self._home.archive),
            self._now_ns,
            is_replay=self._is_replay,
            epoch=self.stream.epoch,
        )
        stack.callback(service.close)
        if self._backfill is not None:
            stack.push_async_callback(self._backfill.close)
            self._backfill.prepare(service.open_trades)
        self._upkeep = self._make_upkeep()
        stack.push_async_callback(self._upkeep.close)
        background = self._backfill.handlers() if self._backfill else replay_handlers()
        handlers = {**service.handlers(), **background, **self._upkeep.handlers()}
        calls = CallServer(self._home.endpoint("data.call"), handlers, on_error=self._on_error)
        receiver = Receiver(self._sink, self._broker_prices)
        pushes = BeatServer(self._home.endpoint("data.push"), receiver.on_push, on_error=self._on_error)
        bulk = BulkServer(
            self._home.endpoint("data.bulk"),
            self._stores.market_again,
            self.market,
            self._calendar_of,
            self._on_error,
            remote=self._remote(BULK),
            want_published=self._subscribe_soon(),
        )
        servers: list[CallServer | BeatServer] = [calls, pushes]
        remote = self._remote(CALL)
        if remote is not None:
            servers.append(CallServer(remote[0], service.remote_handlers(), curve=remote[1], on_error=self._on_error))
        for server in servers:
            stack.push_async_callback(server.close)
            await server.start()
        stack.callback(bulk.close)
        bulk.start()

    def _remote(self, service: int) -> tuple[str, CurveKeys] | None:
        """Return where a service answers other hosts, and the keys it needs for that."""
        url = self._installation.fleet.bus.data_tcp
        if url is None or self._keys is None:
            return None
        return service_url(url, service), self._keys

    def _make_upkeep(self) -> Upkeep:
        return Upkeep(
            RunningAccess(
                self._home,
                self._installation.fleet.data,
                self._stores.place,
                self._market_writer,
                self._history_writer,
                asyncio.get_running_loop(),
            ),
            self._stores,
            self._history_writer,
            OutboxFile(self._home.data / "outbox" / "data-layer.jsonl"),
            self._backfill.scheduler if self._backfill else None,
            self._host_clock,
            self._log,
        )

    async def _work(self, beat: Beat, stop_requested: Callable[[], Awaitable[None]]) -> None:
        work = [self._turns(beat), self._history_writer.run(), self._heartbeats()]
        if self._feed is not None:
            work.append(self._feed.run())
        work.append(self._sink.gate.repeat() if self._is_replay else self._market_writer.run())
        if self._backfill is not None:
            work.append(self._backfill.run())
        work.append(self._upkeep.run())
        working = [instance.name for instance in self._installation.instances.values() if instance.enabled]
        work.append(tell_what_is_left(self._home, working, self._history_writer, self._log))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
            await stop_requested()
            for task in tasks:
                task.cancel()

    async def _turns(self, beat: Beat) -> None:
        while True:
            if not self._is_replay:
                self.market.advance(self._settled_ns())
            store = worst(self._market_writer.state, self._history_writer.state)
            replay = {"replay": self._sink.replay().model_dump()} if self._is_replay else {}
            self.market.beat()
            told: dict[str, object] = {
                "latest": self.market.latest,
                "read_only": store != "ok",
                "store": store,
                **replay,
            }
            beat("ready", self._progress, **told, backfill=self._under_way)
            await asyncio.sleep(_TURN_S)

    async def _heartbeats(self) -> None:
        while True:
            self.stream.heartbeat_when_due()
            self.market.renew_what_is_stale()
            if self._backfill is not None:
                self._under_way = self._backfill.under_way()
            if self.market.bar_share is not None:
                self.market.bar_share.tidy()
            await asyncio.sleep(_HEARTBEAT_S)

    def _price_owner(self, instrument: str) -> str | None:
        return None if self._broker_prices is None else self._broker_prices.owner(instrument)

    def _subscribe_soon(self) -> Callable[[str, Timeframe], None]:
        loop = asyncio.get_running_loop()

        def subscribe(instrument: str, timeframe: Timeframe) -> None:
            with suppress(Rejected, StoreUnavailable):  # not to be built from base bars, or not now: then not shared
                self.market.subscribe(instrument, timeframe)

        def soon(instrument: str, timeframe: Timeframe) -> None:
            loop.call_soon_threadsafe(subscribe, instrument, timeframe)

        return soon

    @property
    def _progress(self) -> int:
        return self.market.counters["ticks"] + self._history_writer.counters["rows"]

    def _calendar_of(self, instrument: str) -> Calendar:
        return self._installation.fleet.calendar_of(instrument)

    def _now_ns(self) -> int:
        return self._replay_clock.now_ns() if self._is_replay else self._host_clock.now_ns()

    def _settled_ns(self) -> int:
        """Time up to which no more quotes are expected."""
        return self._now_ns() - self._grace_ns

    def _on_error(self, error: BaseException, where: str) -> None:
        self._log.error("bus-error", where=where, reason=repr(error), exc_info=error)
