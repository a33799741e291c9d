"""Bars from quotes, last prices, gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.market import Bar, Bars, Tick
from atrader.timeframes import Timeframe
from data_layer.bars import BarBuilder, Gap, IncrementalAggregator, find_gaps
from data_layer.prices import LastPrices, is_sound

START = parse_time("2024-05-15T12:00Z")
FX = Calendar.get("fx")


def tick(seconds: float, bid: float = 1.0, ask: float | None = None, symbol: str = "EUR/USD") -> Tick:
    time_ns = START + int(seconds * NS_PER_S)
    return Tick(symbol, time_ns, time_ns, bid, bid + 0.5 if ask is None else ask)


def builder(**keywords) -> BarBuilder:
    return BarBuilder(Timeframe.parse("5s"), FX, **keywords)


def test_a_bar_keeps_bid_and_ask_apart_and_counts_its_quotes() -> None:
    bars = builder()
    for seconds, bid in ((0, 5.0), (1, 9.0), (2, 2.0), (3, 4.0)):
        assert bars.add(tick(seconds, bid)) is None
    done = bars.add(tick(5, 7.0))
    assert done == Bar(START, 5.0, 9.0, 2.0, 4.0, 5.5, 9.5, 2.5, 4.5, 4.0)


def test_a_bar_completes_by_the_clock_when_no_quote_comes() -> None:
    bars = builder()
    bars.add(tick(1))
    assert bars.advance(START + 5 * NS_PER_S - 1) is None
    done = bars.advance(START + 5 * NS_PER_S)
    assert done is not None
    assert done.open_time_ns == START
    assert bars.advance(START + 100 * NS_PER_S) is None, "empty bars are left out"


def test_quotes_of_a_completed_bar_are_counted_and_left_out() -> None:
    bars = builder()
    bars.add(tick(1))
    bars.advance(START + 5 * NS_PER_S)
    assert bars.add(tick(4)) is None
    bars.add(tick(6, 2.0))
    assert bars.add(tick(3)) is None
    assert bars.late == 2
    done = bars.advance(START + 10 * NS_PER_S)
    assert done is not None
    assert (done.open, done.volume) == (2.0, 1.0)


def test_an_older_quote_inside_the_forming_bar_moves_the_extremes_but_not_the_close() -> None:
    bars = builder()
    bars.add(tick(3, 4.0))
    bars.add(tick(2, 9.0))
    done = bars.advance(START + 5 * NS_PER_S)
    assert done is not None
    assert (done.high, done.close, done.volume) == (9.0, 4.0, 2.0)


def test_a_restarted_builder_does_not_open_a_stored_bar_again() -> None:
    bars = builder(complete_until_ns=START + 5 * NS_PER_S, forming=Bar(START, *[1.0] * 9))
    assert bars.forming is None
    bars.add(tick(4))
    assert (bars.forming, bars.late) == (None, 1)


def test_a_base_bar_older_than_the_forming_one_is_counted_and_left_out() -> None:
    aggregator = IncrementalAggregator(Timeframe.parse("1m"), Timeframe.parse("5m"), FX)
    minute = 60 * NS_PER_S
    bar = Bar(START, *[1.0] * 9)
    assert [done.open_time_ns for done in aggregator.add(bar._replace(open_time_ns=START + 4 * minute))] == [START]
    assert aggregator.add(bar) == []
    assert aggregator.late == 1


def test_a_longer_bar_completes_with_its_last_possible_base_bar() -> None:
    aggregator = IncrementalAggregator(Timeframe.parse("1m"), Timeframe.parse("5m"), FX)
    minute = 60 * NS_PER_S
    found = [aggregator.add(Bar(START + number * minute, *[float(number)] * 9)) for number in range(5)]
    assert [len(done) for done in found] == [0, 0, 0, 0, 1]
    assert found[4][0] == Bar(START, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 10.0)


def test_prices_never_go_backwards_and_tell_their_age() -> None:
    prices = LastPrices()
    assert prices.put(tick(2, 5.0))
    assert not prices.put(tick(1, 4.0))
    assert prices.put(tick(2, 6.0)), "a second quote of the same instant is news"
    (price,) = prices.prices((), START + 5 * NS_PER_S)
    assert (price.bid, price.age_s) == (6.0, 3.0)
    assert prices.prices(("GBP/USD",), START) == ()
    assert prices.prices((), START)[0].age_s == 0.0
    assert prices.counters == {"taken": 2, "older": 1}


def test_the_age_of_a_delayed_price_counts_from_the_venue() -> None:
    prices = LastPrices()
    prices.put(Tick("EUR/USD", START, START + 30 * NS_PER_S, 1.0, 1.1))
    assert prices.prices((), START + 31 * NS_PER_S)[0].age_s == 31.0


@pytest.mark.parametrize(
    ("bid", "ask"), [(math.nan, 1.0), (1.0, math.inf), (0.0, 1.0), (-1.0, 1.0), (1.1, 1.0)], ids=str
)
def test_quotes_that_cannot_be_prices_are_not_sound(bid: float, ask: float) -> None:
    assert not is_sound(tick(1, bid, ask))
    assert is_sound(tick(1, 1.0, 1.0))


def test_gaps_are_runs_of_missing_bars_and_the_weekend_is_none() -> None:
    friday, monday = parse_time("2024-05-17T20:00Z"), parse_time("2024-05-20T00:00Z")
    frame = Timeframe.parse("1h")
    expected = FX.expected_bars(friday, monday, frame)
    assert find_gaps(expected, frame, FX, friday, monday) == []
    stored = np.delete(expected, [1, 2])
    assert find_gaps(stored, frame, FX, friday, monday) == [Gap(int(expected[1]), int(expected[2]), 2)]
    everything = find_gaps(Bars.empty().open_time_ns, frame, FX, friday, monday)
    assert [gap.count for gap in everything] == [len(expected)]
