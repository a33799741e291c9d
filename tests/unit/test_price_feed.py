"""The gateway's feed of prices over a broker that breaks, repeats and falls silent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from atrader.calendars import Calendar
from atrader.clock import MarketClock
from atrader.errors import BrokerUnavailable, ConfigError
from atrader.market import Tick
from atrader.messages.prices import PricePush, read_push
from atrader.timeframes import Timeframe
from atrader.wire import pack_map, unpack_map
from broker_api.gateway.alerts import Alerts
from broker_api.gateway.price_feed import PriceFeed
from broker_api.journal import Journal
from broker_api.prices import CandlePage, VenuePrice

EUR, YEN = "EUR/USD", "USD/JPY"


class Clock(MarketClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        super().__init__(10**18)
        self.s = 0.0

    def monotonic_s(self) -> float:
        return self.s


class Venue:
    """A broker whose stream says what the test puts into it; an exception breaks it."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[Sequence[VenuePrice] | Exception | None] = asyncio.Queue()
        self.asked: list[set[str]] = []

    async def prices(self, instruments: Collection[str]) -> AsyncGenerator[Sequence[VenuePrice], None]:
        self.asked.append(set(instruments))
        while (line := await self.lines.get()) is not None:
            if isinstance(line, Exception):
                raise line
            yield line

    async def candles(
        self, instrument: str, timeframe: Timeframe, calendar: Calendar, start_ns: int, end_ns: int
    ) -> CandlePage:
        raise AssertionError("nobody asks for candles here")


class Bench:
    """A feed between a venue and lists of what it hands on."""

    def __init__(self, directory: Path) -> None:
        self.venue = Venue()
        self.clock = Clock()
        self.worked: list[Tick] = []
        self.pushes: list[PricePush] = []
        self.data_layer_is_there = True
        self.journal = Journal(directory / "journal.db")
        self.logged: list[str] = []
        self.alerts = Alerts("a", self.journal, self.clock, self)
        self.feed = PriceFeed(
            self.venue, self.worked.extend, self, lambda _: True, self.alerts, self.clock, random.Random(1)
        )

    def send(self, kind: str, body: dict[str, object]) -> bool:
        if self.data_layer_is_there:
            told_kind, told = unpack_map(pack_map(kind, {"body": body}))
            self.pushes.append(read_push(told_kind, told["body"]))
        return self.data_layer_is_there

    def info(self, event: str, **values: object) -> None:
        self.logged.append(event)

    warning = error = info

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.001)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        async def both() -> None:
            feed = asyncio.ensure_future(self.feed.run())
            try:
                await work
            finally:
                feed.cancel()
                await asyncio.gather(feed, return_exceptions=True)

        asyncio.run(both())


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    bench = Bench(tmp_path)
    yield bench
    bench.journal.close()


def price(symbol: str, time_ns: int, bid: float, *, tradeable: bool = True) -> VenuePrice:
    return VenuePrice(Tick(symbol, time_ns, time_ns, bid, bid + 0.0001), tradeable)


def test_a_price_is_worked_in_first_and_pushed_then_and_older_or_repeated_ones_are_dropped(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        lines = [[price(EUR, 2, 1.1)], [price(EUR, 1, 1.2), price(EUR, 2, 1.1)], [price(YEN, 3, 150.0)]]
        for line in [*lines, [price(EUR, 2, 1.3)], [price(EUR, 3, 1.4)]]:
            bench.venue.lines.put_nowait(line)
        await bench.until(lambda: len(bench.worked) == 3)
        assert [tick.bid for tick in bench.worked] == [1.1, 1.3, 1.4]
        assert [tick for push in bench.pushes for tick in push.ticks] == bench.worked
        assert [push.place.seq for push in bench.pushes] == [1, 2, 3]
        assert bench.feed.counters["older"] == 2

    bench.run(work())


def test_what_is_not_tradeable_values_positions_and_makes_no_bars(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait([price(EUR, 1, 1.1, tradeable=False)])
        await bench.until(lambda: bench.worked)
        assert bench.pushes == []
        assert bench.feed.state()["halted"] == [EUR]
        bench.feed.remind()
        [push] = bench.pushes
        assert (push.instruments, [tick.bid for tick in push.ticks]) == ((EUR,), [1.1])

    bench.run(work())


def test_a_data_layer_that_is_away_costs_nothing_and_gets_the_last_prices_when_it_is_back(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR, YEN})
        bench.data_layer_is_there = False
        for time_ns in range(1, 101):
            bench.venue.lines.put_nowait([price(EUR, time_ns, 1.1), price(YEN, time_ns, 150.0)])
        await bench.until(lambda: len(bench.worked) == 200)
        bench.data_layer_is_there = True
        bench.feed.remind()
        [push] = bench.pushes
        assert push.instruments == (EUR, YEN)
        assert {(tick.instrument, tick.time_ns) for tick in push.ticks} == {(EUR, 100), (YEN, 100)}
        assert push.place.seq == 101, "whoever gets it knows that 100 are missing"

    bench.run(work())


def test_a_broken_stream_is_opened_again_and_the_data_layer_learns_since_when_it_is_whole(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait([price(EUR, 1, 1.1)])
        await bench.until(lambda: bench.pushes)
        bench.clock.advance(bench.clock.now_ns() + 10)
        bench.venue.lines.put_nowait(BrokerUnavailable("cut"))
        await bench.until(lambda: "price-stream-broken" in bench.logged)
        bench.feed.remind()
        assert len(bench.pushes) == 1, "while it is broken nothing says that prices are true"
        bench.venue.lines.put_nowait([price(EUR, 2, 1.2)])
        await bench.until(lambda: len(bench.pushes) == 2)
        assert bench.pushes[1].place.since_ns == bench.pushes[0].place.since_ns + 10
        assert len(bench.venue.asked) == 2

    bench.run(work())


def test_what_an_adapter_gets_wrong_breaks_the_stream_and_nothing_else(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait(KeyError("bids"))
        await bench.until(lambda: "price-stream-failed" in bench.logged)
        bench.venue.lines.put_nowait([price(EUR, 2, 1.2)])
        await bench.until(lambda: bench.worked)

    bench.run(work())


def test_a_broker_that_does_not_let_us_in_ends_the_gateway(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait(ConfigError("wrong token"))
        with pytest.raises(ConfigError):
            await bench.feed.run()

    asyncio.run(work())


def test_other_instruments_are_asked_for_at_once_and_those_that_left_are_let_go(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait([price(EUR, 1, 1.1)])
        await bench.until(lambda: bench.worked)
        bench.feed.bring({YEN})
        await bench.until(lambda: bench.venue.asked == [{EUR}, {YEN}])
        bench.venue.lines.put_nowait([price(YEN, 1, 150.0)])
        await bench.until(lambda: len(bench.worked) == 2)
        bench.feed.remind()
        assert bench.pushes[-1].instruments == (YEN,)

    bench.run(work())


def test_an_account_that_brings_nothing_asks_for_nothing_until_it_does(bench: Bench) -> None:
    async def work() -> None:
        await asyncio.sleep(0.01)
        bench.feed.remind()
        assert (bench.venue.asked, bench.pushes) == ([], [])
        bench.feed.bring({EUR})
        bench.venue.lines.put_nowait([price(EUR, 1, 1.1)])
        await bench.until(lambda: bench.worked)

    bench.run(work())


def test_a_person_hears_once_of_prices_that_stay_away_and_that_they_are_back(bench: Bench) -> None:
    async def work() -> None:
        bench.feed.bring({EUR})
        for _ in range(20):
            bench.clock.s += 1.0
            bench.feed.remind()
        assert bench.alerts.counters["prices-away"] == 1
        bench.venue.lines.put_nowait([])
        await bench.until(lambda: bench.alerts.counters["prices-back"] == 1)

    bench.run(work())
