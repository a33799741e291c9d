"""The backfill of an installation that does not run: fetches what one command asks for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import structlog

from atrader.clock import SteadyClock, SystemClock
from atrader.configuration.fleet import FleetConfig
from atrader.errors import ConfigError
from atrader.messages.data import BackfillJob, RequestBars
from atrader.timeframes import Timeframe
from data_layer.backfill.jobs import Priority
from data_layer.backfill.scheduler import Scheduler
from data_layer.backfill.shown import shown
from data_layer.disk_guard import DiskGuard
from data_layer.sources.choice import services_of
from data_layer.store import MarketStore
from data_layer.store.places import StorePlace

_LOCK_WAIT_S: Final = 2.0
_END_S: Final = 10.0  # for a transaction that is under way

T = TypeVar("T")


class OfflineBackfill:
    """Fetches in a thread of its own, under the lock of the store's one writer, until it is closed.

    What was fetched by then is stored; what is left of a request is on disk, and the fleet goes on with it when it
    starts.

    Raises
    ------
    ConfigError
        When no service is configured: brokers are asked by their gateways, which do not run.
    StoreError
        When the store cannot be written, or is in use.
    """

    def __init__(self, place: StorePlace, fleet: FleetConfig) -> None:
        if not fleet.sources:
            raise ConfigError(
                "no [sources] in etc/atrader.toml, and the gateways, which ask brokers for history, do not run: start"
                " the fleet first ('atrader-manager start'), add a source, or import a file ('atrader data import')"
            )
        self._base = Timeframe.parse(fleet.data.base_timeframe)
        self._guard = DiskGuard(place.directory, fleet.data)
        self._store = place.market("a backfill", _LOCK_WAIT_S)
        clock = SteadyClock(SystemClock())
        sources, _ = services_of(fleet, clock)
        self._scheduler = Scheduler(
            sources,
            self._do,
            fleet.calendar_of,
            lambda *_: None,
            lambda _: clock.now_ns(),
            clock,
            structlog.wrap_logger(structlog.ReturnLogger()),
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="backfill", daemon=True)
        self._thread.start()
        self._running = asyncio.run_coroutine_threadsafe(self._scheduler.run(), self._loop)

    def request(self, request: RequestBars) -> BackfillJob:
        """Ask for the bars that are missing; the request is on disk when this returns.

        Raises
        ------
        Rejected
            When no service has such bars, or nothing of the range is past.
        StoreError
            When the store refuses.
        """
        return self._in_loop(self._request(request))

    def jobs(self) -> Sequence[BackfillJob]:
        """Return what is being fetched and what was fetched; raises what ended the work, if something did."""
        if self._running.done():
            self._running.result()
        return self._in_loop(self._shown())

    def close(self) -> None:
        """Stop after the transaction that is under way, and let go of the store."""
        try:
            self._in_loop(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_END_S)
            self._loop.close()
            self._store.close()

    async def _end(self) -> None:
        """End the work and wait for that: a task that a loop leaves behind complains when it is collected."""
        working = asyncio.all_tasks() - {asyncio.current_task()}
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self._scheduler.close()

    async def _request(self, request: RequestBars) -> BackfillJob:
        timeframe = self._base if request.timeframe is None else Timeframe.parse(request.timeframe)
        job = self._scheduler.request(
            request.instrument,
            timeframe,
            request.start_ns,
            request.end_ns,
            Priority.REQUESTED,
            replace=request.replace,
            source=request.source,
        )
        await self._scheduler.keep(job)
        return shown(job)

    async def _shown(self) -> Sequence[BackfillJob]:
        return tuple(map(shown, self._scheduler.jobs()))

    async def _do(self, work: Callable[[MarketStore], T], /, *, writes: str = "") -> T:
        if writes:
            self._guard.check(writes)
        return work(self._store)

    def _in_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
