"""What gateways push into the data layer: one of them for each instrument, and no doubt about what was missed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from atrader.bus import StreamServer, close_context
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, MarketClock
from atrader.errors import WireError
from atrader.market import Bar, Tick
from atrader.messages.prices import Place, PricePush, read_push
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary
from data_layer.broker_prices import BrokerPrices
from data_layer.live_market import LiveMarket
from data_layer.prompt_bars import PromptBars
from data_layer.sink import Sink
from data_layer.store.market_sqlite import SqliteMarketStore

T0 = 1_700_000_000 * NS_PER_S
EUR, YEN = "EUR/USD", "USD/JPY"


class Bench:
    """A live market over an empty store, and a clock."""

    def __init__(self, root: Path) -> None:
        calendar = Calendar.get("24/7")
        self.clock = MarketClock(T0)
        self.store = SqliteMarketStore(root / "market.db", "a test", 1.0)
        self.stream = StreamServer(f"ipc://{root}/stream")
        self.stored = PromptBars(BarLibrary(self.store, lambda _: calendar))
        self.grace_ns = 0
        self.market = LiveMarket(self.stream, self.stored, lambda _: calendar, Timeframe.parse("1s"), self.settled_ns)
        sink = Sink(self.market, self.stream, None, MarketClock())
        self.prices = BrokerPrices(self.market, sink, self, structlog.get_logger())

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def settled_ns(self) -> int:
        return self.clock.now_ns() - self.grace_ns

    def monotonic_s(self) -> float:
        return self.clock.now_ns() / NS_PER_S

    def at(self, second: float) -> None:
        self.clock.advance(T0 + int(second * NS_PER_S))

    def tick(self, symbol: str, bid: float) -> Tick:
        now_ns = self.clock.now_ns()
        return Tick(symbol, now_ns, now_ns, bid, bid + 0.1)

    def push(self, sender: str, place: tuple[int, int, int], *ticks: Tick) -> None:
        self.prices.take(sender, PricePush(Place(*place), list(ticks)))

    def remind(self, sender: str, place: tuple[int, int, int], instruments: tuple[str, ...], *ticks: Tick) -> None:
        self.prices.take(sender, PricePush(Place(*place), list(ticks), instruments))

    def bid(self, symbol: str) -> float:
        tick = self.market.prices.get(symbol)
        assert tick is not None
        return tick.bid

    def doubtful(self) -> list[tuple[float, float]]:
        """Return the seconds in doubt that ended, as seconds after the start."""
        self.market.advance(self.clock.now_ns())
        found = self.market.doubts.take(EUR, self.clock.now_ns())
        return [((start_ns - T0) / NS_PER_S, (end_ns - T0) / NS_PER_S) for start_ns, end_ns in found]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.stored.close()
    bench.stream.close()
    bench.store.close()
    close_context()


def test_the_gateway_that_brings_an_instrument_keeps_it_until_it_lets_go_or_is_silent(bench: Bench) -> None:
    bench.push("gateway-a", (1, 1, 1), bench.tick(EUR, 1.1))
    bench.at(1)
    bench.push("gateway-b", (1, 1, 1), bench.tick(EUR, 2.2), bench.tick(YEN, 150.0))
    assert (bench.bid(EUR), bench.bid(YEN)) == (1.1, 150.0)
    assert (bench.prices.owner(EUR), bench.prices.owner(YEN)) == ("gateway-a", "gateway-b")
    bench.remind("gateway-a", (1, 2, 1), ())
    bench.at(2)
    bench.push("gateway-b", (1, 2, 1), bench.tick(EUR, 2.2))
    assert bench.bid(EUR) == 2.2
    bench.at(8)
    bench.push("gateway-a", (1, 3, 1), bench.tick(EUR, 1.1))
    assert (bench.bid(EUR), bench.prices.owner(EUR)) == (1.1, "gateway-a")


def test_the_last_prices_again_heal_what_was_lost_and_add_nothing_to_bars(bench: Bench) -> None:
    tick = bench.tick(EUR, 1.1)
    bench.push("gateway-a", (1, 1, 1), tick)
    bench.remind("gateway-a", (1, 2, 1), (EUR, YEN), tick, bench.tick(YEN, 150.0))
    bench.push("gateway-a", (1, 3, 1), tick)
    assert bench.market.counters["ticks"] == 2
    assert bench.bid(YEN) == 150.0
    assert {symbol: bar.volume for symbol, bar in bench.market.forming().items()} == {EUR: 1.0}
    assert bench.prices.counters["repeated"] == 2


@pytest.mark.parametrize(
    "after",
    [
        pytest.param((1, 4, 1), id="a push was dropped"),
        pytest.param((2, 1, 1), id="the gateway died"),
        pytest.param((1, 3, 2), id="the broker's stream broke"),
    ],
)
def test_bars_of_a_time_that_nobody_heard_whole_are_doubtful_once(bench: Bench, after: tuple[int, int, int]) -> None:
    bench.push("gateway-a", (1, 1, 1), bench.tick(EUR, 1.1))
    bench.at(2)
    assert bench.doubtful() == [(0, 1)], "the second in which it was heard first"
    bench.at(10.5)
    bench.push("gateway-a", (1, 2, 1), bench.tick(EUR, 1.2))
    bench.at(13.5)
    bench.push("gateway-a", after, bench.tick(EUR, 1.3))
    bench.at(15)
    assert bench.doubtful() == [(10, 14)]
    bench.push("gateway-a", (after[0], after[1] + 1, after[2]), bench.tick(EUR, 1.4))
    bench.at(20)
    assert bench.doubtful() == []


@pytest.mark.parametrize("first_s", [3.0, 3.04, 3.5, 3.999])
def test_the_second_of_the_first_quote_is_in_doubt_also_while_late_quotes_of_the_one_before_may_come(
    bench: Bench, first_s: float
) -> None:
    bench.grace_ns = NS_PER_S // 10
    bench.at(first_s)
    bench.push("gateway-a", (1, 1, 1), bench.tick(EUR, 1.1))
    bench.at(4.2)
    bench.push("gateway-a", (1, 2, 1), bench.tick(EUR, 1.2))
    bench.at(6)
    assert bench.doubtful() == [(3, 4)]


def test_seconds_that_began_before_and_after_a_restart_are_in_doubt(bench: Bench) -> None:
    bench.grace_ns = NS_PER_S // 10
    bench.at(3.05)
    bench.market.resume(EUR, 0, Bar(T0 + 2 * NS_PER_S, *(1.0,) * 8, 1.0))
    bench.push("gateway-a", (1, 1, 1), bench.tick(EUR, 1.1))
    bench.at(6)
    assert bench.doubtful() == [(2, 3), (3, 4)]


@pytest.mark.parametrize(
    "body",
    [
        {"ticks": []},
        {"place": [1, 2], "ticks": []},
        {"place": [1, 2, 3], "ticks": [[EUR, 1, 1, 1.1]]},
        {"place": [1, 2, 3], "ticks": [[EUR, 1, 1, 1.1, "1.2"]]},
        {"place": [1, 2, 3.0], "ticks": []},
        {"place": [1, 2, 3], "ticks": [[None, 1, 1, 1.1, 1.2]]},
    ],
)
def test_a_push_that_is_none_is_refused_whole(body: dict[str, object]) -> None:
    with pytest.raises(WireError):
        read_push("ticks", body)
