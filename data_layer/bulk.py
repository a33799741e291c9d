"""Big answers come from a thread and a socket of their own, so that a million bars delay no price."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any, Final

from atrader.bus import Caller, CallServer, CurveKeys, Handler, OnError, Reply
from atrader.calendars import Calendar
from atrader.errors import Rejected
from atrader.frames import frames_of_bars, frames_of_quotes
from atrader.market import Bars
from atrader.messages.data import BarsAnswer, GetBars, GetTicks, TicksAnswer
from atrader.messages.series import CoverageAnswer, GetCoverage
from atrader.timeframes import Timeframe
from atrader.wire import Request
from data_layer.bars import BarLibrary, Overlay, coverage_of
from data_layer.live_market import LiveMarket
from data_layer.market_values import Snapshot
from data_layer.sharing import BarSharing
from data_layer.store import MarketReader

_STOP_S: Final = 5.0


class BulkServer:
    """Answers `GetBars`, `GetTicks` and `GetCoverage` on ``data.bulk``.

    Parameters
    ----------
    endpoint : str
        Where.
    opened : callable
        Opens the market store for this thread.
    market : LiveMarket
        What is published already, and what is in no store.
    remote : (str, CurveKeys), optional
        A tcp endpoint to answer on too.
    want_published : callable
        Asks the market's loop that a timeframe be published from some time on; from any thread.
    """

    def __init__(
        self,
        endpoint: str,
        opened: Callable[[], MarketReader],
        market: LiveMarket,
        calendar_of: Callable[[str], Calendar],
        on_error: OnError | None = None,
        *,
        remote: tuple[str, CurveKeys] | None = None,
        want_published: Callable[[str, Timeframe], None],
    ) -> None:
        self._endpoint = endpoint
        self._opened = opened
        self._market = market
        self._calendar_of = calendar_of
        self._on_error = on_error
        self._want_published = want_published
        self._remote = remote
        self._sharing: BarSharing | None = None
        self._started: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._revisions: dict[str, int] = {}
        self._thread = threading.Thread(target=self._main, name="bulk", daemon=True)

    def start(self) -> None:
        """Start the thread; returns when it answers.

        Raises
        ------
        ConfigError
            When the endpoint is in use.
        StoreError
            When the store cannot be read.
        """
        self._thread.start()
        self._started.result()

    def close(self) -> None:
        """Stop the thread; may be called twice."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_STOP_S)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        reader = self._opened()
        try:
            self._reader = reader
            self._overlay = Overlay(reader, self._market.base.name)
            self._library = BarLibrary(self._overlay, self._calendar_of)
            handlers: dict[type[Request], Handler] = {
                GetBars: self._get_bars,
                GetTicks: self._get_ticks,
                GetCoverage: self._get_coverage,
            }
            share = self._market.bar_share
            if share is not None:
                self._sharing = BarSharing(
                    self._market, share, self._read, self._overlay.series, self._calendar_of, self._want_published
                )
            servers = [CallServer(self._endpoint, handlers, on_error=self._on_error)]
            if self._remote is not None:
                endpoint, curve = self._remote
                afar: dict[type[Request], Handler] = {**handlers, GetBars: self._get_bars_from_afar}
                servers.append(CallServer(endpoint, afar, curve=curve, on_error=self._on_error))
            async with AsyncExitStack() as stack:
                for server in servers:
                    await server.start()
                    stack.push_async_callback(server.close)
                self._started.set_result(None)
                await self._stop.wait()
        finally:
            reader.close()

    def _get_bars_from_afar(self, request: GetBars, caller: Caller) -> Reply:
        return self._get_bars(request.model_copy(update={"shared": False}), caller)

    def _get_bars(self, request: GetBars, caller: Caller) -> Reply:
        timeframe = timeframe_of(request.timeframe)
        self._calendar_of(request.instrument)  # an unknown instrument is an error, not an empty answer
        shared = self._sharing.shared(request, timeframe) if request.shared and self._sharing else None
        if shared is not None:
            epoch = self._market.snapshot(request.instrument, timeframe).epoch
            return Reply(_answer(request, timeframe, count=0, epoch=epoch, seq=0, shared=shared), ())
        bars, snapshot = self._read(
            request.instrument, timeframe, start_ns=request.start_ns, count=request.count, end_ns=request.end_ns
        )
        answer = _answer(request, timeframe, count=len(bars), epoch=snapshot.epoch, seq=snapshot.seq)
        return Reply(answer, frames_of_bars(bars))

    def _get_ticks(self, request: GetTicks, caller: Caller) -> Reply:
        self._calendar_of(request.instrument)  # as above
        quotes, next_ns = self._reader.tick_page(request.instrument, request.start_ns, request.end_ns)
        answer = TicksAnswer(instrument=request.instrument, count=len(quotes.time_ns), next_ns=next_ns)
        return Reply(answer, frames_of_quotes(quotes))

    def _read(
        self,
        instrument: str,
        timeframe: Timeframe,
        *,
        start_ns: int | None,
        count: int | None,
        end_ns: int | None = None,
    ) -> tuple[Bars, Snapshot]:
        """Return bars from the store and from memory, and the moment they belong to."""
        snapshot = self._refresh(instrument, timeframe)
        bars = self._library.bars(
            instrument, timeframe, start_ns=start_ns, end_ns=end_ns, count=count, horizon_ns=snapshot.horizon_ns
        )
        return bars, snapshot

    def _get_coverage(self, request: GetCoverage, caller: Caller) -> CoverageAnswer:
        calendar = self._calendar_of(request.instrument)
        snapshot = self._refresh(request.instrument, timeframe_of(request.timeframe))
        return coverage_of(self._library, request, self._market.base, calendar, snapshot.horizon_ns)

    def _refresh(self, instrument: str, timeframe: Timeframe) -> Snapshot:
        """Bring the library to the present of the market."""
        snapshot = self._market.snapshot(instrument, timeframe)
        if self._revisions.get(instrument, 0) != snapshot.revision:
            self._revisions[instrument] = snapshot.revision
            self._library.forget(instrument)
        self._overlay.waiting = {instrument: snapshot.waiting} if len(snapshot.waiting) else {}
        return snapshot


def _answer(request: GetBars, timeframe: Timeframe, **rest: Any) -> BarsAnswer:
    return BarsAnswer(instrument=request.instrument, timeframe=timeframe.name, **rest)


def timeframe_of(text: str) -> Timeframe:
    """Read a timeframe that somebody asked for.

    Raises
    ------
    Rejected
        When it is none.
    """
    try:
        return Timeframe.parse(text)
    except ValueError as error:
        raise Rejected(str(error), details={"reason": "timeframe"}) from error
