"""Strategies that know the future and hide it from a check: each was taken for honest once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.instruments import Instrument, known_instrument
from atrader.market import Bar, Bars
from atrader.strategy import BaseParameters, EventStrategy, Signals, SignalStrategy
from atrader.timeframes import Timeframe
from research.checking import check_events, check_signals
from research.events.tape import BarTape
from tests.support.event_runs import account_of, instance_of, plan_of
from tests.support.price_walks import walk

BAR_NS = 300 * 10**9
HOUR_NS = 12 * BAR_NS
BARS = walk(3000)


class Rising(SignalStrategy):
    """Buys after a bar that rose."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self.seen: dict[int, float] = {}

    @property
    def warmup_bars(self) -> int:
        return 30

    def rises(self, bars: Bars) -> Any:
        return np.diff(bars.close, prepend=bars.close[0]) > 0

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        entry = np.where(self.rises(bars), 1, 0).astype(np.int8)
        return Signals(entry=entry, exit=np.zeros_like(entry), units=np.full(len(bars), 1000.0))


def will_rise(bars: Bars) -> Any:
    return np.append(bars.close[1:] > bars.close[:-1], False)


class Remembers(Rising):
    """Keeps every close that it was ever given."""

    def rises(self, bars: Bars) -> Any:
        times, closes = bars.open_time_ns.tolist(), bars.close.tolist()
        self.seen.update(zip(times, closes, strict=True))
        return np.array([self.seen.get(at + BAR_NS, one) > one for at, one in zip(times, closes, strict=True)])


class OnlyInBacktests(Rising):
    """Looks ahead when it is given more bars than a worker ever has."""

    def rises(self, bars: Bars) -> Any:
        return will_rise(bars) if len(bars) > 2000 else super().rises(bars)


class BehindTheEnd(Rising):
    """Reads the memory behind the array that it was given."""

    def rises(self, bars: Bars) -> Any:
        closes = bars.close
        whole: Any = closes if closes.base is None else closes.base
        first = (closes.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // 8
        return np.array([whole[min(first + row + 1, len(whole) - 1)] > one for row, one in enumerate(closes.tolist())])


class OneHourAWeek(Rising):
    """Looks ahead in one hour of the week, far from the last bars."""

    def rises(self, bars: Bars) -> Any:
        is_then = bars.open_time_ns // HOUR_NS % 168 == 100
        return np.where(is_then, will_rise(bars), super().rises(bars))


@pytest.mark.parametrize("kind", [Remembers, OnlyInBacktests, BehindTheEnd, OneHourAWeek])
def test_a_signal_strategy_cannot_hide_that_it_looks_ahead(kind: Callable[[], SignalStrategy]) -> None:
    frame, calendar, euro = Timeframe.parse("5m"), Calendar.get("fx"), known_instrument("EUR/USD")
    assert check_signals(Rising(), BARS, euro, frame, calendar, sample=200).passed
    report = check_signals(kind(), BARS, euro, frame, calendar, sample=200)
    assert [(finding.kind, finding.what) for finding in report.findings] == [("looks-ahead", "entry")]


class Falling(EventStrategy):
    """Buys after a bar that fell."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())

    @property
    def warmup_bars(self) -> int:
        return 20

    def on_bar(self, bar: Bar) -> None:
        if self.falls(bar):
            stop = Decimal(repr(bar.close)) - Decimal("0.05")
            self.context.order("buy", units=Decimal(1000), stop_loss=stop)

    def falls(self, bar: Bar) -> bool:
        return bar.close < bar.open


class OutOfTheContext(Falling):
    """Takes the next bar out of what the context of a backtest hides."""

    def falls(self, bar: Bar) -> bool:
        context: Any = self.context
        bars: Bars = context._history.bars
        row = int(np.searchsorted(bars.open_time_ns, bar.open_time_ns))
        return row + 1 < len(bars) and float(bars.close[row + 1]) > bar.close


class OutOfTheMarket(Falling):
    """Asks the market of the backtest for a later quote."""

    def falls(self, bar: Bar) -> bool:
        context: Any = self.context
        tick = context.world.market.last("EUR/USD", context.at + 1)
        return tick is not None and float(tick.bid) > bar.close


class OverRuns(Falling):
    """Keeps on its class what it saw: from the second run on it knows the future."""

    known: ClassVar[dict[int, float]] = {}

    def falls(self, bar: Bar) -> bool:
        self.known[bar.open_time_ns] = bar.close
        return self.known.get(bar.open_time_ns + BAR_NS, 0.0) > bar.close


class Dice(Falling):
    def falls(self, bar: Bar) -> bool:
        return random.random() < 0.2


class Clock(Falling):
    def falls(self, bar: Bar) -> bool:
        return time.perf_counter_ns() // 1000 % 3 == 0


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (OutOfTheContext, "looks-ahead"),
        (OutOfTheMarket, "looks-ahead"),
        (OverRuns, "chance"),
        (Dice, "chance"),
        (Clock, "chance"),
    ],
)
def test_an_event_strategy_cannot_hide_what_no_worker_has(kind: Callable[[], EventStrategy], found: str) -> None:
    def findings(make: Callable[[], EventStrategy]) -> list[str]:
        instance, tape = (instance_of(timeframe="5m"), make()), BarTape("EUR/USD", BARS[-1000:], BAR_NS)
        plan = plan_of(account_of(), [instance], {("EUR/USD", "5m"): BARS}, "5m", [tape])
        return [one.kind for one in check_events(plan, make, sample=100).findings]

    assert findings(Falling) == []
    kinds = findings(kind)
    assert kinds[0] == found
    assert set(kinds) <= {found, "memory"}
