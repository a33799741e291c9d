"""What the data layer answers on ``data.call`` and takes on ``data.push``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pydantic import ValidationError

from atrader.bus import Beat, Caller, Handler
from atrader.errors import Rejected, WireError
from atrader.frames import bars_of_frames, quotes_of_frames
from atrader.messages.data import (
    FindSharedPrices,
    FormingBar,
    GetForming,
    GetPrices,
    GetReplay,
    ImportBars,
    ImportTicks,
    ListSeries,
    PricesAnswer,
    ReplayAnswer,
    SeriesAnswer,
    SharedPrices,
    SubscribeBars,
    Subscribed,
)
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import (
    Appended,
    AppendHistory,
    GetStatistics,
    HistoryAnswer,
    LastSeq,
    QueryHistory,
    StatisticsAnswer,
)
from atrader.messages.prices import read_push
from atrader.messages.series import Stored
from atrader.wire import Request
from data_layer.archive import HistoryView
from data_layer.broker_prices import BrokerPrices
from data_layer.bulk import timeframe_of
from data_layer.history_writer import HistoryWriter
from data_layer.live_market import LiveMarket
from data_layer.market_writer import MarketWriter
from data_layer.sink import Sink
from data_layer.store import HistoryReader, MarketReader

T = TypeVar("T")


class Service:
    """The handlers of calls.

    Parameters
    ----------
    market : LiveMarket
        Prices and subscriptions.
    sink : Sink
        Where the replay stands.
    market_writer, history_writer : MarketWriter, HistoryWriter
        Write.
    market_reader : MarketReader
    history_reader : HistoryReader
        Used by one thread of the service only, for what is answered at once, so that no query delays a price.
    history : HistoryView
        Used by another one, with a reader of its own: years of history hold up nobody else.
    now_ns : callable
        Time of the market, for the age of prices.
    is_replay : bool
        Then nothing can be imported: it would change the past.
    epoch : int
        Of the data stream.
    """

    def __init__(
        self,
        market: LiveMarket,
        sink: Sink,
        market_writer: MarketWriter,
        history_writer: HistoryWriter,
        market_reader: MarketReader,
        history_reader: HistoryReader,
        history: HistoryView,
        now_ns: Callable[[], int],
        *,
        is_replay: bool,
        epoch: int,
    ) -> None:
        self._market = market
        self._sink = sink
        self._market_writer = market_writer
        self._history_writer = history_writer
        self._market_reader = market_reader
        self._history_reader = history_reader
        self._history = history
        self._now_ns = now_ns
        self._is_replay = is_replay
        self._epoch = epoch
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="queries")
        self._long_readers = ThreadPoolExecutor(1, thread_name_prefix="long-queries")

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {
            GetPrices: self._prices,
            FindSharedPrices: self._shared_prices,
            GetForming: self._forming,
            SubscribeBars: self._subscribe,
            ListSeries: self._series,
            ImportBars: self._import_bars,
            ImportTicks: self._import_ticks,
            AppendHistory: self._append,
            QueryHistory: self._query,
            GetStatistics: self._statistics,
            LastSeq: self._last_seq,
            GetReplay: self._replay,
        }

    def remote_handlers(self) -> Mapping[type[Request], Handler]:
        """Return what other hosts may ask: not for memory of this one, and history is written by this fleet only."""
        local = (FindSharedPrices, AppendHistory)
        return {kind: handler for kind, handler in self.handlers().items() if kind not in local}

    def close(self) -> None:
        """End the threads that query."""
        self._readers.shutdown()
        self._long_readers.shutdown()

    async def open_trades(self) -> set[str]:
        """Return the instruments of which trades are open, by the history."""
        rows = await self._read(self._history_reader.query, QueryHistory(table="trades", state="open"))
        return {str(row["instrument"]) for row in rows}

    def _prices(self, request: GetPrices, caller: Caller) -> PricesAnswer:
        return PricesAnswer(prices=self._market.prices.prices(request.instruments, self._now_ns()))

    def _shared_prices(self, request: FindSharedPrices, caller: Caller) -> SharedPrices:
        table = self._market.price_table
        return SharedPrices(pid=0, descriptor=-1, epoch=self._epoch) if table is None else table.where()

    def _forming(self, request: GetForming, caller: Caller) -> FormingBar:
        timeframe = self._market.base if request.timeframe is None else timeframe_of(request.timeframe)
        bar = self._market.forming_bar(request.instrument, timeframe)
        if bar is None:
            return FormingBar(timeframe=timeframe.name)
        return FormingBar(timeframe=timeframe.name, open_time_ns=bar.open_time_ns, values=bar[1:])

    def _subscribe(self, request: SubscribeBars, caller: Caller) -> Subscribed:
        self._market.subscribe(request.instrument, timeframe_of(request.timeframe))
        return Subscribed(epoch=self._epoch)

    async def _series(self, request: ListSeries, caller: Caller) -> SeriesAnswer:
        return SeriesAnswer(series=tuple(await self._read(self._market_reader.series)))

    async def _import_bars(self, request: ImportBars, caller: Caller) -> Stored:
        timeframe = timeframe_of(request.timeframe)
        bars = bars_of_frames(caller.frames)
        stored = await self._import(
            lambda store: store.put_bars(request.instrument, timeframe.name, request.source, bars)
        )
        if stored.changed is not None:
            self._market.revised(request.instrument, *stored.changed, stored.new + stored.revised)
        return stored

    async def _import_ticks(self, request: ImportTicks, caller: Caller) -> Stored:
        quotes = quotes_of_frames(caller.frames)
        return await self._import(lambda store: store.put_quotes(request.instrument, request.source, quotes))

    async def _import(self, work: Callable[[Any], Stored]) -> Stored:
        if self._is_replay:
            raise Rejected("a replay is running: what it plays must not change", details={"reason": "replay"})
        try:
            return await self._market_writer.do(work, writes="an import")
        except ValueError as error:
            raise Rejected(str(error), details={"reason": "order"}) from error

    async def _append(self, request: AppendHistory, caller: Caller) -> Appended:
        try:
            rows = [OutboxRow.model_validate(row) for row in request.rows]
        except ValidationError as error:
            raise WireError(f"history of {request.source}: {error}") from error
        return Appended(last_seq=await self._history_writer.append(request.source, rows))

    async def _query(self, request: QueryHistory, caller: Caller) -> HistoryAnswer:
        return HistoryAnswer(rows=tuple(await self._read_long(self._history.query, request)))

    async def _statistics(self, request: GetStatistics, caller: Caller) -> StatisticsAnswer:
        return StatisticsAnswer(rows=tuple(await self._read_long(self._history.statistics, request, self._now_ns())))

    async def _last_seq(self, request: LastSeq, caller: Caller) -> Appended:
        return Appended(last_seq=await self._read(self._history_reader.last_seq, request.source))

    def _replay(self, request: GetReplay, caller: Caller) -> ReplayAnswer:
        return self._sink.replay()

    async def _read(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work, *arguments)

    async def _read_long(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._long_readers, work, *arguments)


class Receiver:
    """Takes what others push: quotes of gateways, acknowledgements of a replay.

    Parameters
    ----------
    sink : Sink
        Where a replay stands.
    prices : BrokerPrices, optional
        Takes prices of gateways; None while a feed brings the market.
    """

    def __init__(self, sink: Sink, prices: BrokerPrices | None) -> None:
        self._sink = sink
        self._prices = prices

    def on_push(self, push: Beat) -> None:
        """Take one message; what it raises is counted and logged by the bus.

        Raises
        ------
        WireError
            When it is of an unknown kind or not complete.
        """
        body = push.body
        try:
            match push.kind:
                case "ticks" | "prices":
                    self._take_prices(push)
                case "replay-ready":
                    self._sink.gate.on_ready(body["name"], body.get("series", ()), listens=body.get("listens", False))
                case "replay-ack":
                    self._sink.gate.on_ack(body["name"], body["step"], body["phase"], body.get("news", ()))
                case _:
                    raise WireError(f"push of unknown kind {push.kind!r} from {push.sender}")
        except (KeyError, TypeError, ValueError) as error:
            raise WireError(f"push {push.kind!r} of {push.sender}: {error!r}") from error

    def _take_prices(self, push: Beat) -> None:
        if self._prices is None:
            raise WireError(f"prices of {push.sender} have no place beside a market feed (market.feed)")
        self._prices.take(push.sender, read_push(push.kind, push.body))
