"""What the market's writer brings to the disk when the data layer stops in the middle of a write."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import structlog

from atrader.bus import StreamServer, close_context
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock
from atrader.configuration.fleet import DataConfig
from atrader.market import Bar, Tick
from atrader.timeframes import Timeframe
from data_layer import market_writer
from data_layer.bars import BarLibrary
from data_layer.disk_guard import DiskGuard
from data_layer.live_market import LiveMarket
from data_layer.market_values import Completed
from data_layer.market_writer import MarketWriter
from data_layer.prompt_bars import PromptBars
from data_layer.store import MarketBatch
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from tests.support.market_files import ticks_of

CALENDAR = Calendar.get("24/7")
BASE = Timeframe.parse("1s")
T0 = 1_700_000_040 * NS_PER_S


class SlowStore(SqliteMarketStore):
    """Holds its first write up until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "a test", 1.0)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def write(self, batch: MarketBatch) -> None:
        """Write when it may."""
        self.begun.set()
        assert self.go_on.wait(60)
        super().write(batch)


def completed(second: int) -> Completed:
    bar = Bar._make((T0 + second * NS_PER_S, *[1.0] * 8, 1.0))
    return Completed("EUR/USD", (bar,), T0 + (second + 1) * NS_PER_S)


def ticks(first: int, count: int) -> list[Tick]:
    return [Tick("EUR/USD", T0 + number, T0, 1.0, 1.1) for number in range(first, first + count)]


def test_what_comes_during_a_write_that_the_end_interrupts_is_stored_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_writer, "_TICKS_AT_ONCE", 10)

    async def work() -> None:
        store = SlowStore(tmp_path / "market.db")
        stored = PromptBars(BarLibrary(SqliteMarketReader(tmp_path / "market.db"), lambda _: CALENDAR))
        stream = StreamServer(f"ipc://{tmp_path}/stream")
        market = LiveMarket(stream, stored, lambda _: CALENDAR, BASE, lambda: T0)
        guard, log = DiskGuard(None, DataConfig()), structlog.get_logger()
        writer = MarketWriter(store, market, DataConfig(), "a test", guard, SystemClock(), log)
        running = asyncio.create_task(writer.run())
        writer.take(completed(0))
        writer.keep(ticks(0, 10))
        await asyncio.to_thread(store.begun.wait, 20)
        writer.take(completed(1))
        writer.keep(ticks(10, 25))
        running.cancel()
        await asyncio.wait({running})
        asyncio.get_running_loop().call_later(0.01, store.go_on.set)
        await writer.close()
        stored.close()
        stream.close()

    asyncio.run(work())
    close_context()
    reader = SqliteMarketReader(tmp_path / "market.db")
    assert len(reader.bars("EUR/USD", BASE.name)) == 2
    assert len(ticks_of(reader, "EUR/USD")) == 35
    reader.close()
