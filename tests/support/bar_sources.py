"""A bar source in memory, for what is about the scheduler and not about HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.market import Bar, Bars
from atrader.timeframes import Timeframe
from data_layer.sources import BarPage, SourceLimits

MINUTE = 60 * NS_PER_S
FAST = SourceLimits(page_bars=100, requests_per_s=1e6, burst=1000, settle_s=0.0)


def market_bars(calendar: Calendar, start: str, end: str, timeframe: str = "1m", seed: int = 1) -> Bars:
    """Return all bars that a calendar expects, with prices of a seed."""
    times = calendar.expected_bars(parse_time(start), parse_time(end), Timeframe.parse(timeframe))
    random = np.random.default_rng(seed)
    mid = 100.0 + np.cumsum(random.integers(-5, 6, len(times))) / 64
    spread, reach = 1 / 32, random.integers(0, 9, len(times)) / 64
    low, high = mid - reach, mid + reach
    volume = random.integers(1, 100, len(times)).astype(float)
    return Bars(times, mid, high, low, mid, mid + spread, high + spread, low + spread, mid + spread, volume)


def without(bars: Bars, minutes: Iterable[int]) -> Bars:
    """Return bars without some of them."""
    kept = np.ones(len(bars), dtype=bool)
    kept[list(minutes)] = False
    return Bars(*(column[kept] for column in bars.columns))


def same(left: Bars, right: Bars) -> bool:
    """Tell whether bars are equal."""
    return all(np.array_equal(a, b) for a, b in zip(left.columns, right.columns, strict=True))


def rows(bars: Bars) -> list[Bar]:
    """Return single bars."""
    return [bars.row(index) for index in range(len(bars))]


class MemorySource:
    """Answers from bars in memory.

    Attributes
    ----------
    asked : list of (str, int, int)
        Pages that were asked for.
    at_once : int, optional
        Answers no more bars than this, the oldest of the page.
    trouble : list of Exception
        Raised one by one before anything is answered.
    """

    def __init__(self, name: str = "memory", limits: SourceLimits = FAST, **bars: Bars) -> None:
        self.name = name
        self.limits = limits
        self.bars = {symbol.replace("_", "/"): one for symbol, one in bars.items()}
        self.asked: list[tuple[str, int, int]] = []
        self.at_once: int | None = None
        self.trouble: list[Exception] = []
        self.timeframe = "1m"
        self.closed = False

    def serves(self, instrument: str, timeframe: Timeframe) -> bool:
        return instrument in self.bars and timeframe.name == self.timeframe

    async def page(self, instrument: str, timeframe: Timeframe, start_ns: int, end_ns: int) -> BarPage:
        self.asked.append((instrument, start_ns, end_ns))
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble.pop(0)
        bars = self.bars[instrument]
        first, last = np.searchsorted(bars.open_time_ns, (start_ns, end_ns))
        found = bars[first:last]
        if self.at_once is not None and len(found) > self.at_once:
            return BarPage(found[: self.at_once], int(found.open_time_ns[self.at_once]))
        return BarPage(found, end_ns)

    async def close(self) -> None:
        self.closed = True
