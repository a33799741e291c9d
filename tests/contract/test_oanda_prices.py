"""Prices and candles of OANDA over real sockets, in good and bad moods of the venue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock, parse_time
from atrader.configuration.account import RequestBudget
from atrader.configuration.oanda import OandaSettings
from atrader.errors import BrokerUnavailable, ConfigError, Rejected, Retryable
from atrader.market import Bars
from atrader.timeframes import Timeframe
from broker_api.gateway.budget import Budget
from broker_api.oanda import prices as oanda_prices
from broker_api.oanda.prices import OandaPrices
from broker_api.oanda.transport import HttpTransport
from broker_api.oanda.values import name_of, time_text
from broker_api.prices import VenuePrice
from data_layer.bars import aggregate
from data_layer.sources import BarPage, checked
from tests.oanda_simulator import NETTING_ACCOUNT, Limits, OandaSimulator
from tests.oanda_simulator.candle_store import Columns
from tests.support.bar_sources import market_bars, same, without
from tests.support.loops import in_loop

FX = Calendar.get("fx")
CLOCK = SystemClock()


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OANDA_TEST", "practice-0123456789abcdef-fedcba9876543210")


@contextlib.asynccontextmanager
async def source(
    sim: OandaSimulator, account: str = NETTING_ACCOUNT, silence_s: float = 5.0
) -> AsyncIterator[OandaPrices]:
    values = {"account_id": account, "token": "env:OANDA_TEST", "rest_url": sim.rest_url, "stream_url": sim.stream_url}
    settings = OandaSettings.model_validate({**values, "read_timeout": "2s", "new_connections_per_s": 1000})
    transport = HttpTransport(settings, CLOCK)
    try:
        yield OandaPrices(transport, settings, Budget(RequestBudget(), CLOCK), lambda: silence_s, CLOCK)
    finally:
        await transport.close()


class Listener:
    """Collects prices of a source until it breaks."""

    def __init__(self, prices: OandaPrices, *instruments: str) -> None:
        self.got: list[VenuePrice] = []
        self.batches = 0
        self.error: BaseException | None = None
        self._task = asyncio.ensure_future(self._listen(prices, instruments))

    async def _listen(self, prices: OandaPrices, instruments: Sequence[str]) -> None:
        try:
            async for batch in prices.prices(instruments):
                self.got += batch
                self.batches += 1
        except (Retryable, Rejected, ConfigError) as error:
            self.error = error

    async def until(self, condition: Callable[[], object], deadline_s: float = 60.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not condition():
                await asyncio.sleep(0.005)

    async def has_batches(self, count: int) -> None:
        await self.until(lambda: self.batches >= count)

    async def ended(self) -> None:
        await self.until(lambda: self.error)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@contextlib.asynccontextmanager
async def listening(sim: OandaSimulator, *instruments: str, **settings: Any) -> AsyncIterator[Listener]:
    async with source(sim, **settings) as prices:
        listener = Listener(prices, *instruments)
        try:
            yield listener
        finally:
            await listener.stop()


def simulator(**settings: Any) -> OandaSimulator:
    return OandaSimulator(limits=Limits.loose(), price_window_s=0.0, **settings)


@in_loop
async def test_first_the_last_price_of_each_instrument_then_every_new_one() -> None:
    async with simulator() as sim, listening(sim, "EUR/USD", "USD/JPY") as heard:
        await heard.until(lambda: len(heard.got) == 2)
        assert {price.tick.instrument for price in heard.got} == {"EUR/USD", "USD/JPY"}
        quote = sim.quote("EUR_USD", "1.10001", "1.10013")
        sim.quote("GBP_USD", "1.30001", "1.30013")
        await heard.until(lambda: len(heard.got) == 3)
        tick = heard.got[-1].tick
        assert (tick.instrument, tick.time_ns, tick.bid, tick.ask) == ("EUR/USD", quote.time, 1.10001, 1.10013)
        assert heard.got[-1].tradeable
        assert tick.received_ns >= tick.time_ns


@in_loop
async def test_a_halted_instrument_and_one_without_a_side_are_not_tradeable() -> None:
    async with simulator() as sim, listening(sim, "EUR/USD") as heard:
        await heard.until(lambda: heard.got)
        sim.halt("EUR_USD")
        sim.halt("EUR_USD", "none")
        sim.halt("EUR_USD", "bid")
        await heard.until(lambda: len(heard.got) == 4)
        assert [price.tradeable for price in heard.got] == [True, False, True, False]
        assert 0 < heard.got[-1].tick.bid < heard.got[-1].tick.ask


@pytest.mark.parametrize("fault", ["split", "glue", "duplicate", "swap", "delay", "garbage"])
@in_loop
async def test_lines_in_pieces_twice_out_of_order_or_unreadable_lose_no_other_price(fault: str) -> None:
    async with simulator() as sim, listening(sim, "EUR/USD") as heard:
        await heard.until(lambda: heard.got)
        sim.faults.unknown_fields = True
        sim.disturb("pricing", fault)
        sim.quote("EUR_USD", "1.2", "1.3")
        if fault != "swap":
            await heard.until(lambda: heard.got[-1].tick.bid == 1.2)
        sim.quote("EUR_USD", "1.3", "1.4")
        await heard.until(lambda: {price.tick.bid for price in heard.got} >= {1.2, 1.3})
        assert heard.error is None


@pytest.mark.parametrize("fault", ["stall", "reset", "close", "cut"])
@in_loop
async def test_a_stream_that_breaks_or_falls_silent_says_so_and_the_next_one_begins_with_the_last_prices(
    fault: str,
) -> None:
    async with simulator() as sim, source(sim, silence_s=1.0) as prices:
        heard = Listener(prices, "EUR/USD")
        await heard.until(lambda: heard.got)
        sim.disturb("pricing", fault)
        sim.quote("EUR_USD", "1.2", "1.3")
        await heard.until(lambda: heard.error)
        assert isinstance(heard.error, BrokerUnavailable)
        health = prices.health()
        assert health is not None
        assert not health.connected
        again = Listener(prices, "EUR/USD")
        await again.until(lambda: again.got)
        assert again.got[0].tick.bid == 1.2
        health = prices.health()
        assert health is not None
        assert (health.connected, health.reconnects) == (True, 1)
        await again.stop()


@in_loop
async def test_prices_that_nobody_wants_of_this_account_are_no_stream_that_is_down() -> None:
    async with simulator() as sim, source(sim) as prices:
        assert prices.health() is None
        heard = Listener(prices, "EUR/USD")
        await heard.until(lambda: heard.got)
        assert prices.health() is not None
        await heard.stop()
        assert prices.health() is None


@in_loop
async def test_heartbeats_keep_a_stream_alive_on_which_nothing_is_quoted() -> None:
    virtual = simulator(start_ns=parse_time("2024-06-04T10:00Z"), hours="always")
    async with virtual as sim, listening(sim, "EUR/USD", silence_s=1.5) as heard:
        await heard.until(lambda: heard.got)
        end_s = CLOCK.monotonic_s() + 2.0  # longer than the silence that is allowed
        while CLOCK.monotonic_s() < end_s:
            expected = heard.batches + 1
            await sim.advance(5.0)
            await heard.has_batches(expected)
        assert heard.error is None
        assert len(heard.got) == 1


@in_loop
async def test_a_stream_that_stays_refused_is_replaced_by_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oanda_prices, "_POLL_S", 0.01)
    monkeypatch.setattr(oanda_prices, "_POLLS", 3)
    limits = Limits(requests_per_s=1000, streams=0, connections_per_s=1000)
    async with OandaSimulator(limits=limits) as sim, source(sim) as prices:
        for _ in range(2):
            refused = Listener(prices, "EUR/USD")
            await refused.ended()
            assert isinstance(refused.error, Rejected)
        heard = Listener(prices, "EUR/USD")
        await heard.until(lambda: heard.batches == 3)
        assert heard.got[0].tick.instrument == "EUR/USD"
        assert prices.counters["polls"] == 3
        await heard.stop()


@in_loop
async def test_a_wrong_token_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OANDA_TEST", "live-0123456789abcdef-fedcba9876543210")
    async with simulator() as sim, listening(sim, "EUR/USD") as heard:
        await heard.until(lambda: heard.error)
        assert isinstance(heard.error, ConfigError)
        assert heard.error.details["exit_code"] == "AUTH"


# Candles.

HISTORY = without(market_bars(FX, "2024-03-01T00:00Z", "2024-03-25T00:00Z", "1m"), [*range(500, 530), 7000, 9001])


def with_history(sim: OandaSimulator, bars: Bars = HISTORY) -> None:
    """Give the venue minute bars, with prices that its five digits hold."""
    sides = [np.column_stack(bars.columns[first : first + 4]) for first in (1, 5)]
    volumes = bars.volume.astype(np.int64)
    sim.venue.market.candles.load("EUR_USD", Columns(bars.open_time_ns, sides[0], sides[1], volumes))


async def fetched(prices: OandaPrices, timeframe: str, start_ns: int, end_ns: int, page_bars: int = 700) -> Bars:
    """Fetch a period page by page, as the data layer does it, and check each page as it does."""
    frame, found = Timeframe.parse(timeframe), Bars.empty()
    while start_ns < end_ns:
        stop_ns = min(end_ns, start_ns + page_bars * frame.seconds * NS_PER_S)
        answer = BarPage(*await prices.candles("EUR/USD", frame, FX, start_ns, stop_ns))
        page = checked(answer, frame, FX, start_ns, stop_ns)
        assert page.answered_until_ns > start_ns
        found, start_ns = found.append(page.bars), page.answered_until_ns
    return found


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "2h", "4h", "12h", "1d", "1w"])
@in_loop
async def test_candles_of_every_length_are_our_bars_across_a_change_of_clocks(timeframe: str) -> None:
    start_ns, end_ns = parse_time("2024-03-03T22:00Z"), parse_time("2024-03-17T21:00Z")  # weeks around 10 March
    if timeframe == "1m":
        start_ns, end_ns = parse_time("2024-03-08T12:00Z"), parse_time("2024-03-11T04:00Z")
    async with simulator(start_ns=end_ns + NS_PER_S) as sim, source(sim) as prices:
        with_history(sim)
        got = await fetched(prices, timeframe, start_ns, end_ns)
    expected = aggregate(HISTORY, Timeframe.parse(timeframe), FX)
    first, last = np.searchsorted(expected.open_time_ns, (start_ns, end_ns))
    expected = expected[first:last]
    prices_and_volume = (np.round(np.asarray(column, np.float64), 5) for column in expected.columns[1:])
    assert len(got) > 0
    assert same(got, Bars(expected.open_time_ns, *prices_and_volume))


@in_loop
async def test_a_weekend_is_answered_whole_and_empty() -> None:
    friday_ns, sunday_ns = parse_time("2024-03-08T22:00Z"), parse_time("2024-03-10T21:00Z")
    async with simulator(start_ns=parse_time("2024-04-01T00:00Z")) as sim, source(sim) as prices:
        with_history(sim)
        page = await prices.candles("EUR/USD", Timeframe.parse("1m"), FX, friday_ns, sunday_ns)
    assert (len(page.bars), page.answered_until_ns) == (0, sunday_ns)


@in_loop
async def test_a_candle_that_forms_is_left_out_and_ends_the_page() -> None:
    now_ns = CLOCK.now_ns()
    minute = Timeframe.parse("1m")
    open_ns = Calendar.get("24/7").bar_open(now_ns, minute)
    async with simulator() as sim, source(sim) as prices:
        sim.quote("EUR_USD", "1.1", "1.2")
        page = await prices.candles(
            "EUR/USD", minute, Calendar.get("24/7"), open_ns - 600 * NS_PER_S, open_ns + minute.ns
        )
        assert open_ns <= page.answered_until_ns <= open_ns + minute.ns


@in_loop
async def test_a_venue_whose_clock_is_behind_says_nothing_about_its_future() -> None:
    async with simulator(skew_s=-100.0) as sim, source(sim) as prices:
        minute, calendar = Timeframe.parse("1m"), Calendar.get("24/7")
        now_ns = CLOCK.now_ns()
        start_ns = calendar.bar_open(now_ns - 10 * NS_PER_S, minute)
        with pytest.raises(Retryable):
            await prices.candles("EUR/USD", minute, calendar, start_ns, start_ns + minute.ns)
        prices._note_time(time_text(now_ns - 100 * NS_PER_S), now_ns)
        start_ns = calendar.bar_open(now_ns - 600 * NS_PER_S, minute)
        page = await prices.candles("EUR/USD", minute, calendar, start_ns, now_ns)
        assert page.answered_until_ns <= now_ns - 100 * NS_PER_S


@pytest.mark.parametrize(
    ("fault", "error"),
    [("503", BrokerUnavailable), ("429", Retryable), ("broken-json", BrokerUnavailable), ("truncated", Retryable)],
)
@in_loop
async def test_an_answer_that_does_not_come_is_asked_for_later(fault: str, error: type[Exception]) -> None:
    async with simulator() as sim, source(sim) as prices:
        sim.faults.next("GET", "/candles", fault)
        with pytest.raises(error):
            await prices.candles("EUR/USD", Timeframe.parse("1m"), FX, *two_minutes())


@in_loop
async def test_an_instrument_that_the_venue_does_not_have_is_refused() -> None:
    async with simulator() as sim, source(sim) as prices:
        with pytest.raises(Rejected):
            await prices.candles("XYZ/USD", Timeframe.parse("1m"), FX, *two_minutes())
        assert sim.requests[-1][1].endswith(f"/instruments/{name_of('XYZ/USD')}/candles")


def two_minutes() -> tuple[int, int]:
    start_ns = parse_time("2024-03-05T10:00Z")
    return start_ns, start_ns + 120 * NS_PER_S
