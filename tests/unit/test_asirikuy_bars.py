"""Bars as the library has to see them: no hole, no bar twice, and read anew whenever its own copy cannot follow."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.broker_clock import WallClock
from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.market import Bars
from atrader.strategy import Series
from framework_bridge.abi.rates_array import RatesArray
from framework_bridge.series_feed import SeriesFeed
from tests.support.asirikuy_desk import bars_until

HOUR_NS = 3600 * 10**9
NOON_NS = parse_time("2024-06-12T12:00:00Z")
ALWAYS = Calendar.get("24/7")
UTC = WallClock("STD0")


def feed(count: int = 5) -> SeriesFeed:
    return SeriesFeed(Series("EUR/USD", "1h", count), ALWAYS)


def can_follow(before: Bars, after: Bars) -> bool:
    array, count = RatesArray(), min(len(before), len(after))
    array.write(before, count, UTC)
    array.passed()
    return array.write(after, count, UTC)


def test_a_forming_bar_without_a_quote_is_put_there_with_the_last_price_and_no_volume() -> None:
    seen = feed().see(bars_until(NOON_NS - HOUR_NS, 8), NOON_NS)
    assert seen.open_time_ns[-5:].tolist() == [NOON_NS + number * HOUR_NS for number in (-4, -3, -2, -1, 0)]
    last = seen.row(-1)
    assert {last.open, last.high, last.low, last.close} == {seen.close[-2]}
    assert last.volume == 0


def test_a_forming_bar_is_taken_as_it_is() -> None:
    bars = bars_until(NOON_NS, 8)
    assert feed().see(bars, NOON_NS + 1) is bars


def test_an_instrument_that_stays_without_quotes_seems_to_have_no_hole() -> None:
    series, quiet = feed(), bars_until(NOON_NS - HOUR_NS, 8)
    before = series.see(quiet, NOON_NS)
    later = series.see(quiet, NOON_NS + HOUR_NS)
    assert can_follow(before, later)
    back = quiet.append(bars_until(NOON_NS + 2 * HOUR_NS, 1))
    assert can_follow(later, series.see(back, NOON_NS + 2 * HOUR_NS))


def test_a_bar_that_comes_late_for_a_quiet_hour_has_everything_read_anew() -> None:
    series, quiet = feed(), bars_until(NOON_NS - HOUR_NS, 8)
    series.see(quiet, NOON_NS)
    before = series.see(quiet, NOON_NS + HOUR_NS)
    assert not can_follow(before, series.see(bars_until(NOON_NS, 9), NOON_NS + HOUR_NS + 1))


def test_nothing_is_put_there_while_the_market_is_closed() -> None:
    saturday_ns = parse_time("2024-06-15T12:00:00Z")
    series = SeriesFeed(Series("EUR/USD", "1h", 5), Calendar.get("fx"))
    bars = bars_until(parse_time("2024-06-14T20:00:00Z"), 8)
    assert series.see(bars, saturday_ns).open_time_ns[-1] == bars.open_time_ns[-1]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 12), st.integers(-1, 7), st.sampled_from(["close", "volume"]))
def test_the_library_follows_the_same_bar_and_one_more_and_nothing_else(steps: int, revised: int, column: str) -> None:
    before = bars_until(NOON_NS, 8)
    after = bars_until(NOON_NS + steps * HOUR_NS, 8)
    if revised >= 0:
        getattr(after, column)[revised] += 1.0
    last_seen = {0: 7, 1: 6}.get(steps, 8)  # from this row on values may be others: it is looked at
    assert can_follow(before, after) == (steps <= 1 and (revised < 0 or revised >= last_seen))
