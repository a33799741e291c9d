"""A made-up market of minutes, with weekends, for strategies to decide on."""

from __future__ import annotations

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.market import Bars
from atrader.timeframes import Timeframe


def walk(count: int, timeframe: str = "5m", *, seed: int = 1, begin: str = "2024-03-04T00:00:00Z") -> Bars:
    """Return bars of EUR/USD on a random walk, one pip wide."""
    chance = np.random.default_rng(seed)
    frame, calendar = Timeframe.parse(timeframe), Calendar.get("fx")
    begin_ns = parse_time(begin)
    times = calendar.expected_bars(begin_ns, begin_ns + 3 * count * frame.ns, frame)[:count]
    assert len(times) == count
    close = 1.1 + np.cumsum(chance.normal(0, 3e-4, count)).round(5)
    open_ = np.concatenate(([1.1], close[:-1]))
    high = np.maximum(open_, close) + np.abs(chance.normal(0, 1e-4, count)).round(5)
    low = np.minimum(open_, close) - np.abs(chance.normal(0, 1e-4, count)).round(5)
    bids = [np.round(column, 5) for column in (open_, high, low, close)]
    return Bars(times, *bids, *(np.round(column + 1e-4, 5) for column in bids), np.ones(count))
