"""History of a broker on its way: venue, gateway, bus, bar source of the data layer. All sockets are real."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from atrader.brokers import BROKERS
from atrader.bus import CallServer, close_context
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock, parse_time
from atrader.configuration.account import AccountConfig, RequestBudget
from atrader.configuration.home import Home
from atrader.timeframes import Timeframe
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.candles import PAGES_AT_ONCE, Candles
from broker_api.oanda.candles import GRANULARITIES
from broker_api.oanda.prices import OandaPrices
from broker_api.oanda.rest import OandaRest
from broker_api.oanda.transport import HttpTransport
from data_layer.sources import SourceBusy, SourceRefused, gateway_candles
from data_layer.sources.gateway_candles import GatewayCandleSource
from tests.oanda_simulator import NETTING_ACCOUNT, Limits, OandaSimulator
from tests.oanda_simulator.candle_store import Columns
from tests.support.bar_sources import market_bars
from tests.support.loops import in_loop

FX, CLOCK = Calendar.get("fx"), SystemClock()
M1 = Timeframe.parse("1m")
START, END = parse_time("2024-03-05T10:00Z"), parse_time("2024-03-05T20:00Z")


@dataclass
class Bench:
    """One account's gateway, as far as history goes, and the data layer's source in front of it."""

    sim: OandaSimulator
    source: GatewayCandleSource
    server: CallServer
    budget: Budget
    instruments: set[str]
    rest: OandaRest


@contextlib.asynccontextmanager
async def bench(directory: Path, monkeypatch: pytest.MonkeyPatch, *, per_second: float = 100.0) -> AsyncIterator[Bench]:
    home = Home(directory)
    home.sockets.mkdir(parents=True, exist_ok=True)
    async with OandaSimulator(start_ns=END + 60 * NS_PER_S, limits=Limits.loose()) as sim:
        monkeypatch.setenv("OANDA_TEST", sim.token)
        settings = {"account_id": NETTING_ACCOUNT, "token": "env:OANDA_TEST"}
        urls = {"rest_url": sim.rest_url, "stream_url": sim.stream_url}
        account = AccountConfig.model_validate({"name": "a", "broker": "oanda", "oanda": settings | urls})
        assert account.oanda is not None
        transport = HttpTransport(account.oanda, CLOCK)
        budget = Budget(RequestBudget.model_validate({"per_second": per_second, "burst": 1}), CLOCK)
        prices = OandaPrices(transport, account.oanda, budget, lambda: 5.0, CLOCK)
        instruments = {"EUR/USD"}
        candles = Candles(prices, budget, lambda: instruments, lambda _: FX, CLOCK)
        server = CallServer(home.endpoint("gateway.a.call"), candles.handlers())
        source = GatewayCandleSource(home, account, BROKERS["oanda"].timeframes, lambda symbol: symbol == "EUR/USD")
        bars = market_bars(FX, "2024-03-05T00:00Z", "2024-03-05T20:00Z", "1m")
        sides = [np.column_stack(bars.columns[first : first + 4]) for first in (1, 5)]
        columns = Columns(bars.open_time_ns, sides[0], sides[1], bars.volume.astype(np.int64))
        sim.venue.market.candles.load("EUR_USD", columns)
        await server.start()
        try:
            yield Bench(sim, source, server, budget, instruments, OandaRest(transport, account.oanda))
        finally:
            await source.close()
            await server.close()
            await transport.close()
            close_context()


def test_every_timeframe_that_a_broker_is_said_to_have_is_known_to_its_adapter() -> None:
    assert BROKERS["oanda"].timeframes == set(GRANULARITIES)


@in_loop
async def test_a_page_comes_through_the_gateway_as_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench(tmp_path, monkeypatch) as made:
        assert made.source.name == "gateway-a"
        assert made.source.serves("EUR/USD", M1)
        assert not made.source.serves("EUR/USD", Timeframe.parse("3m"))
        assert not made.source.serves("USD/JPY", M1)
        page = await made.source.page("EUR/USD", M1, START, END)
        assert (len(page.bars), page.answered_until_ns) == (600, END)
        assert int(page.bars.open_time_ns[0]) == START
        assert (page.bars.ask_close > page.bars.close).all()


@in_loop
async def test_a_gateway_that_is_down_is_a_busy_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_candles, "_TIMEOUT_S", 0.2)
    async with bench(tmp_path, monkeypatch) as made:
        await made.server.close()
        with pytest.raises(SourceBusy, match="gateway-a"):
            await made.source.page("EUR/USD", M1, START, END)


@in_loop
async def test_what_the_broker_says_decides_between_later_and_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, monkeypatch) as made:
        made.sim.faults.next("GET", "/candles", "503")
        with pytest.raises(SourceBusy):
            await made.source.page("EUR/USD", M1, START, END)
        with pytest.raises(SourceRefused, match="has no XYZ/USD"):
            await made.source.page("XYZ/USD", M1, START, END)
        with pytest.raises(SourceRefused, match="no 3m candles"):
            await made.source.page("EUR/USD", Timeframe.parse("3m"), START, END)
        made.instruments.clear()
        with pytest.raises(SourceBusy, match="not reached yet"):
            await made.source.page("EUR/USD", M1, START, END)


@in_loop
async def test_history_waits_until_nobody_else_wants_a_request_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_candles, "_TIMEOUT_S", 2.0)
    async with bench(tmp_path, monkeypatch, per_second=10.0) as made:
        await made.budget.take(Priority.OPEN)
        page = asyncio.ensure_future(made.source.page("EUR/USD", M1, START, END))
        await asyncio.sleep(0)
        exits = [asyncio.ensure_future(made.budget.take(Priority.EXIT)) for _ in range(5)]
        await asyncio.gather(*exits)
        assert not page.done()
        assert len((await page).bars) == 600
        more = [asyncio.ensure_future(made.budget.take(Priority.EXIT)) for _ in range(25)]
        with pytest.raises(SourceBusy, match="more urgent"):
            await made.source.page("EUR/USD", M1, START, END)
        for one in more:
            one.cancel()
        assert sum("/candles" in path for _, path in made.sim.requests) == 1


@in_loop
async def test_pages_that_are_slow_to_come_leave_connections_to_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, monkeypatch) as made:
        made.sim.faults.next("GET", "/candles", "hang-before-accept", times=8)
        pages = [asyncio.ensure_future(made.source.page("EUR/USD", M1, START, END)) for _ in range(8)]
        async with asyncio.timeout(60):
            while sum("/candles" in path for _, path in made.sim.requests) < PAGES_AT_ONCE:
                await asyncio.sleep(0.01)
            for _ in range(3):  # each of them a new turn of everything that waits
                await made.rest.get("/summary")
        assert sum("/candles" in path for _, path in made.sim.requests) == PAGES_AT_ONCE
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
