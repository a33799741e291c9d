"""Brings the live market to the disk, and publishes bars once they are there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from structlog.typing import FilteringBoundLogger

from atrader.clock import Clock
from atrader.configuration.fleet import DataConfig
from atrader.errors import StoreError
from atrader.market import Bar, Tick
from data_layer.disk_guard import DiskGuard
from data_layer.live_market import LiveMarket
from data_layer.market_values import Completed
from data_layer.store import MarketBatch, MarketStore
from data_layer.store.interface import StoreState, state_after

MAX_TICKS: Final = 1_000_000
"""Quotes that wait while the store does not take them: a hundred a second for three hours."""

_ROWS_AT_ONCE: Final = 4096
_TICKS_AT_ONCE: Final = 50_000
_RETRY_S: Final = 1.0  # between two attempts at a full disk or a server that is away
_SLOW_S: Final = 1.0  # bars wait no longer for the store before they are published
_TIDY_S: Final = 10.0

T = TypeVar("T")


class MarketWriter:
    """The only one who writes to the market store; in a thread of its own, so that a slow disk delays no price.

    A bar is published after it was committed (not synced: a power failure may cost the last seconds). While the disk
    is full, the server away or the store slow, bars are published all the same and wait in memory. Quotes to keep wait
    too, the newest `MAX_TICKS` of them.

    Parameters
    ----------
    store : MarketStore
        Used from here on by the thread only.
    market : LiveMarket
        What to write, and where to publish.
    source : str
        Name of who brings the market.
    guard : DiskGuard
        Asked before each write.

    Attributes
    ----------
    state : {"ok", "read-only", "away"}
        What the last attempt to write told of the store.
    dropped : int
        Quotes that were to be kept and are lost.
    """

    def __init__(
        self,
        store: MarketStore,
        market: LiveMarket,
        config: DataConfig,
        source: str,
        guard: DiskGuard,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._market = market
        self._config = config
        self._source = source
        self._guard = guard
        self._clock = clock
        self._log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="market-writer")
        self._completed: list[Completed] = []
        self._ticks: list[Tick] = []
        self._sent: list[Tick] = []  # quotes of a batch whose outcome is not known: they go again, under the same id
        self._run = f"{os.getpid()}@{clock.now_ns()}"
        self._batch = 0
        self._running: asyncio.Future[None] | None = None
        self._forming: dict[str, Bar] = {}
        self._news = asyncio.Event()
        self._retry_s = 0.0
        self._tidy_s = clock.monotonic_s() + _TIDY_S
        self.state: StoreState = "ok"
        self.dropped = 0

    def take(self, completed: Completed) -> None:
        """Take completed bars; they are stored and published in this order."""
        self._completed.append(completed)
        self._news.set()

    def keep(self, ticks: Sequence[Tick]) -> None:
        """Take quotes to store."""
        self._ticks.extend(ticks)
        self.dropped += max(0, len(self._ticks) - MAX_TICKS)
        del self._ticks[:-MAX_TICKS]
        if len(self._ticks) >= _ROWS_AT_ONCE and self.state == "ok":
            self._news.set()

    async def run(self) -> None:
        """Write when bars complete, when many quotes wait, and at least each flush interval.

        Raises
        ------
        StoreError
            When the store fails for another reason than a full disk.
        """
        while True:
            try:
                async with asyncio.timeout(self._config.flush_interval):
                    await self._news.wait()
            except TimeoutError:
                pass
            await self.flush()

    async def flush(self) -> None:
        """Write and publish what there is."""
        self._news.clear()
        completed, self._completed = self._completed, []
        stored = await self._write(completed)
        for one in completed:
            self._market.publish(one, stored=stored)

    async def do(self, work: Callable[[MarketStore], T], *, writes: str = "") -> T:
        """Let the thread do something with the store, such as an import.

        Parameters
        ----------
        writes : str
            What takes room on the disk; empty when nothing does.

        Raises
        ------
        StoreError
            When the store refuses, or the disk is nearly full.
        """
        if writes:
            self._guard.check(writes)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._store)

    async def close(self) -> None:
        """Write what is left and close the store."""
        self._retry_s = 0.0
        while True:
            if self._running is not None:
                await asyncio.wait({self._running})
            await self.flush()  # what was under way, what came meanwhile, and quotes of more than one batch
            if self._retry_s or not (self._running or self._news.is_set() or self._ticks):
                break
        await self.leave()

    async def leave(self) -> None:
        """Close the store and write nothing: in a replay, whose market is no news."""
        await self.do(_close)
        self._pool.shutdown()

    async def _write(self, completed: list[Completed]) -> bool:
        """Return whether it is in the store."""
        if self.state != "ok" and self._clock.monotonic_s() < self._retry_s:
            return False
        late = self._running is not None
        waiting = self._market.waiting()
        forming = self._market.forming()
        try:
            if self._running is None:
                new = [(one.instrument, bar) for one in completed for bar in one.bars]
                self._begin(self._next_batch(waiting + new, forming))
            if not await self._is_done(0.0 if late else _SLOW_S):
                return False
        except StoreError as error:
            self._trouble(error)
            return False
        self._sent = []
        if late:  # what came since then is not in it; it goes with the next, which is due at once
            self._news.set()
            return False
        self._forming = forming
        if self.state != "ok":
            self._log.info("market-store-writable", bars=len(waiting), quotes_lost=self.dropped)
        self.state = "ok"
        if waiting:
            self._market.waiting_is_stored()
        return True

    def _next_batch(self, bars: list[tuple[str, Bar]], forming: dict[str, Bar]) -> MarketBatch:
        if not self._sent:
            self._sent, self._ticks = self._ticks[:_TICKS_AT_ONCE], self._ticks[_TICKS_AT_ONCE:]
            self._batch += 1
        changed = {symbol: bar for symbol, bar in forming.items() if self._forming.get(symbol) != bar}
        batch_id = f"{self._run}/{self._batch}"
        return MarketBatch(self._market.base.name, self._source, bars, self._sent, changed, batch_id)

    def _begin(self, batch: MarketBatch) -> None:
        tidy = self._clock.monotonic_s() >= self._tidy_s
        if tidy:
            self._tidy_s = self._clock.monotonic_s() + _TIDY_S
        writes = any((batch.bars, batch.ticks, batch.forming))
        if writes:
            self._guard.check("market data")

        def work(store: MarketStore) -> None:
            if writes:
                store.write(batch)
            if tidy:
                store.tidy()

        if writes or tidy:
            self._running = asyncio.ensure_future(self.do(work))

    async def _is_done(self, within_s: float) -> bool:
        """Wait for the write that is under way; what it raised is raised here, once."""
        if self._running is None:
            return True
        await asyncio.wait({self._running}, timeout=within_s)
        if not self._running.done():
            if self.state == "ok":
                self._log.warning("market-store-slow", seconds=within_s)
            self.state = "away"
            return False
        running, self._running = self._running, None
        running.result()
        return True

    def _trouble(self, error: StoreError) -> None:
        state = state_after(error)
        if state is None:
            raise error
        self._retry_s = self._clock.monotonic_s() + _RETRY_S
        if self.state != state:
            self._log.error(f"market-store-{state}", reason=str(error))
        self.state = state


def _close(store: MarketStore) -> None:
    store.close()
