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
from data_layer.live_market import Completed, LiveMarket
from data_layer.store import MarketBatch, MarketStore

_ROWS_AT_ONCE: Final = 4096
_RETRY_S: Final = 1.0  # between two attempts at a full disk
_TIDY_S: Final = 10.0

T = TypeVar("T")


class MarketWriter:
    """The only one who writes to the market store; in a thread of its own, so that a slow disk delays no price.

    A bar is published after it was committed (not synced: a power failure may cost the last seconds). While the disk
    is full, bars are published all the same and wait in memory.

    Parameters
    ----------
    store : MarketStore
        Used from here on by the thread only.
    market : LiveMarket
        What to write, and where to publish.
    source : str
        Name of who brings the market.
    directory : path
        Where the store is, to look at the free space.

    Attributes
    ----------
    read_only : bool
        Whether the last attempt to write failed for want of space.
    """

    def __init__(
        self,
        store: MarketStore,
        market: LiveMarket,
        config: DataConfig,
        source: str,
        directory: os.PathLike[str],
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._market = market
        self._config = config
        self._source = source
        self._directory = directory
        self._clock = clock
        self._log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="market-writer")
        self._completed: list[Completed] = []
        self._ticks: list[Tick] = []
        self._forming: dict[str, Bar] = {}
        self._news = asyncio.Event()
        self._retry_s = 0.0
        self._tidy_s = clock.monotonic_s() + _TIDY_S
        self.read_only = False

    def take(self, completed: Completed) -> None:
        """Take completed bars; they are stored and published in this order."""
        self._completed.append(completed)
        self._news.set()

    def keep(self, ticks: Sequence[Tick]) -> None:
        """Take quotes to store."""
        self._ticks.extend(ticks)
        if len(self._ticks) >= _ROWS_AT_ONCE:
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
        ticks, self._ticks = self._ticks, []
        stored = await self._write(completed, ticks)
        for one in completed:
            self._market.publish(one, stored=stored)

    async def do(self, work: Callable[[MarketStore], T]) -> T:
        """Let the thread do something with the store, such as an import.

        Raises
        ------
        StoreError
            When the store refuses.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._store)

    async def close(self) -> None:
        """Write what is left and close the store."""
        await self.flush()
        await self.do(_close)
        self._pool.shutdown()

    async def _write(self, completed: list[Completed], ticks: list[Tick]) -> bool:
        """Return whether it is in the store."""
        if self.read_only and self._clock.monotonic_s() < self._retry_s:
            return False
        new = [(one.instrument, bar) for one in completed for bar in one.bars]
        waiting = self._market.waiting()
        forming = self._market.forming()
        changed = {symbol: bar for symbol, bar in forming.items() if self._forming.get(symbol) != bar}
        batch = MarketBatch(self._market.base.name, self._source, waiting + new, ticks, changed)
        try:
            if any((batch.bars, batch.ticks, batch.forming)):
                self._check_space()
                await self.do(lambda store: store.write(batch))
            if self._clock.monotonic_s() >= self._tidy_s:
                self._tidy_s = self._clock.monotonic_s() + _TIDY_S
                await self.do(_tidy)
        except StoreError as error:
            if not error.details.get("read_only"):
                raise
            self._trouble(error)
            return False
        self._forming = forming
        if self.read_only:
            self._log.info("market-store-writable", bars=len(waiting))
        self.read_only = False
        if waiting:
            self._market.waiting_is_stored()
        return True

    def _check_space(self) -> None:
        status = os.statvfs(self._directory)
        free = status.f_bavail * status.f_frsize
        if free < self._config.min_free_disk:
            raise StoreError(
                f"{free / 1e6:.0f} MB are free in {self._directory}, below data.min_free_disk"
                f" ({self._config.min_free_disk / 1e6:.0f} MB): market data is not written",
                details={"read_only": True},
            )

    def _trouble(self, error: StoreError) -> None:
        self._retry_s = self._clock.monotonic_s() + _RETRY_S
        if not self.read_only:
            self._log.error("market-store-read-only", reason=str(error))
        self.read_only = True


def _close(store: MarketStore) -> None:
    store.close()


def _tidy(store: MarketStore) -> None:
    store.tidy()
