"""The synthetic market as a feed: when it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.fleet import SyntheticMarket
from atrader.instruments import known_instrument
from atrader.market import Tick
from data_layer.feeds.feed import MarketSink
from data_layer.feeds.synthetic import SyntheticFeed

SATURDAY, TUESDAY = "2024-06-08T12:00:00Z", "2024-06-04T12:00:00Z"
_LOOKS = 50


class _Over(Exception):
    pass


class FastClock:
    """A tenth of a second passes with each look at it; after some looks the test is over."""

    def __init__(self, start: str) -> None:
        self._now_ns, self._looks = parse_time(start), 0

    def now_ns(self) -> int:
        self._now_ns, self._looks = self._now_ns + NS_PER_S // 10, self._looks + 1
        if self._looks > _LOOKS:
            raise _Over
        return self._now_ns

    def monotonic_s(self) -> float:
        return self._now_ns / NS_PER_S


class Sink:
    def __init__(self) -> None:
        self.taken: list[Tick] = []

    def ticks(self, ticks: Sequence[Tick]) -> None:
        self.taken += ticks


class NoPast:
    def last_tick(self, instrument: str) -> None:
        return None


def quotes_from(start: str, *symbols: str, always_open: bool) -> list[str]:
    """Return what is quoted in some market seconds."""
    settings = SyntheticMarket(always_open=always_open, ticks_per_second=100)
    instruments = tuple(known_instrument(symbol) for symbol in symbols)
    calendars = {item.symbol: Calendar.get(item.calendar) for item in instruments}
    feed = SyntheticFeed(settings, instruments, calendars.__getitem__, FastClock(start))
    sink = Sink()
    feed.prepare(cast(MarketSink, sink), cast(Any, NoPast()))
    with pytest.raises(_Over):
        asyncio.run(feed.run())
    return sorted({tick.instrument for tick in sink.taken})


def test_a_demonstration_is_quoted_on_saturdays_too() -> None:
    assert quotes_from(SATURDAY, "EUR/USD", always_open=True) == ["EUR/USD"]


def test_a_market_that_keeps_its_hours_is_quoted_when_its_calendar_is_open() -> None:
    assert quotes_from(TUESDAY, "EUR/USD", always_open=False) == ["EUR/USD"]
    assert quotes_from(SATURDAY, "EUR/USD", "BTC/USDT:USDT", always_open=False) == ["BTC/USDT:USDT"]
