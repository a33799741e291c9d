"""The bar that forms, of every timeframe: all quotes of its time so far, and in the end the complete bar."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.bus import StreamServer, close_context
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.market import Bar, Tick
from atrader.timeframes import Timeframe
from data_layer.bars import BarLibrary, IncrementalAggregator
from data_layer.live_market import LiveMarket
from data_layer.market_values import Completed
from data_layer.prompt_bars import PromptBars
from data_layer.store.market_sqlite import SqliteMarketStore

PAIR = "EUR/USD"
CALENDAR = Calendar.get("24/7")
BASE = Timeframe.parse("1s")
LONGER = tuple(map(Timeframe.parse, ("5s", "7s", "1m", "1h")))
T0 = 1_700_000_000 * NS_PER_S


def bar_of(ticks: list[Tick], open_ns: int) -> Bar:
    """Return the bar that quotes make, by the book."""
    bids, asks = [tick.bid for tick in ticks], [tick.ask for tick in ticks]
    sides = ((side[0], max(side), min(side), side[-1]) for side in (bids, asks))
    return Bar(open_ns, *next(sides), *next(sides), float(len(ticks)))


@pytest.fixture
def market(tmp_path: Path) -> Iterator[LiveMarket]:
    store = SqliteMarketStore(tmp_path / "market.db", "test")
    stored = PromptBars(BarLibrary(store, lambda _: CALENDAR))
    stream = StreamServer(f"ipc://{tmp_path}/stream")
    yield LiveMarket(stream, stored, lambda _: CALENDAR, BASE, lambda: T0)
    stream.close()
    stored.close()
    store.close()
    close_context()


@pytest.mark.parametrize("seed", range(4))
def test_a_forming_bar_holds_every_quote_of_its_time_and_becomes_the_complete_one(
    market: LiveMarket, seed: int
) -> None:
    chance = random.Random(seed)
    waiting: list[Completed] = []
    market.hand_over = waiting.append
    by_book = {one: IncrementalAggregator(BASE, one, CALENDAR) for one in LONGER}
    seen: list[Tick] = []
    time_ns, last = T0, dict.fromkeys(LONGER, 0)
    for _ in range(600):
        time_ns += chance.choice([0, 1, 300_000_000, NS_PER_S, 4 * NS_PER_S])
        bid = chance.randrange(100, 200) / 64
        seen.append(Tick(PAIR, time_ns, time_ns, bid, bid + 1 / 64))
        market.ticks([seen[-1]])
        for timeframe in (BASE, *LONGER):
            open_ns = CALENDAR.bar_open(time_ns, timeframe)
            expected = bar_of([tick for tick in seen if tick.time_ns >= open_ns], open_ns)
            assert market.forming_bar(PAIR, timeframe) == expected, timeframe
        if chance.random() < 0.3:  # the store took what waited
            for completed in waiting:
                market.publish(completed, stored=False)
            for one in LONGER:
                done = [bar for completed in waiting for base in completed.bars for bar in by_book[one].add(base)]
                if done:
                    last[one] = done[-1].open_time_ns
                    assert market.latest[f"{PAIR}|{one.name}"] >= last[one]
            waiting.clear()
    market.advance(time_ns + 3600 * NS_PER_S)
    for completed in waiting:
        market.publish(completed, stored=False)
    assert [market.forming_bar(PAIR, one) for one in (BASE, *LONGER)] == [None] * 5
