"""A system that has no memory for a larger table of prices costs its readers time, and nobody a price."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.bus import StreamServer, close_context
from atrader.calendars import Calendar
from atrader.clock import host_now_ns
from atrader.market import Tick
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary
from data_layer.live_market import LiveMarket
from data_layer.prompt_bars import PromptBars
from data_layer.shared import NotShared, PriceReader, PriceTable
from data_layer.store.market_sqlite import SqliteMarketStore


def test_prices_go_on_by_the_bus_when_their_table_cannot_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = SqliteMarketStore(tmp_path / "market.db", "a test", 1.0)
    stream = StreamServer(f"ipc://{tmp_path}/stream")
    calendar = Calendar.get("24/7")
    stored = PromptBars(BarLibrary(store, lambda _: calendar))
    market = LiveMarket(stream, stored, lambda _: calendar, Timeframe.parse("1m"), host_now_ns)
    market.price_table = PriceTable(stream.epoch, slots=2)
    reader = PriceReader()
    reader.attach(market.price_table.where())

    def no_memory(*_: object) -> None:
        raise OSError("no descriptors left")

    monkeypatch.setattr("data_layer.shared.price_writer._table", no_memory)
    now_ns = host_now_ns()
    ticks = [Tick(name, now_ns, now_ns, 1.0, 2.0) for name in ("A/B", "C/D", "E/F", "G/H")]
    assert len(market.ticks(ticks)) == 4
    assert market.counters["unshared"] == 1
    assert {price.instrument for price in market.prices.prices((), now_ns)} == {"A/B", "C/D", "E/F", "G/H"}
    with pytest.raises(NotShared):
        reader.read("A/B")
    market.beat()  # nothing is left to beat
    market.close_prices()
    stored.close()
    stream.close()
    store.close()
    close_context()
