"""Fills all rates arrays of a call, and tells whether the library's own copies can follow."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

import numpy as np

from atrader.calendars import Calendar
from atrader.market import Bars
from atrader.strategy import Context
from atrader.timeframes import Timeframe
from framework_bridge.abi.call import StrategyCall
from framework_bridge.bars_plan import IndexPlan, series_of
from framework_bridge.series_feed import SeriesFeed


class Readiness(Enum):
    """Whether a call makes sense with the bars there are."""

    FOLLOWS = auto()  # the library can go on from what it has
    ANEW = auto()  # it has to read everything: first call, a gap, a bar that was revised
    SHORT = auto()  # an array has fewer bars than the library demands
    HISTORY = auto()  # a newer bar is complete already, or this one's successor is over: it comes with its own call


class Filled(NamedTuple):
    """Whether a call makes sense, and what speaks against it."""

    readiness: Readiness
    text: str = ""


class RatesFeed:
    """The bars of an instance's calls.

    Parameters
    ----------
    plans : sequence of IndexPlan or None
        By rates index.
    call : StrategyCall
        Whose arrays are filled.
    context : Context
        Asked for bars.
    """

    def __init__(self, plans: Sequence[IndexPlan | None], call: StrategyCall, context: Context) -> None:
        self._plans = {index: (plan, plan.rates.bars_needed) for index, plan in enumerate(plans) if plan is not None}
        self._call = call
        self._context = context
        self._feeds = {
            (one.instrument, one.timeframe): SeriesFeed(
                one.instrument, one.timeframe, one.bars, self._calendar(one.instrument)
            )
            for one in series_of(plans)
        }
        self._own = Timeframe.parse(context.timeframe)

    def fill(self, now_ns: int, bar_ns: int, *, is_new: bool) -> Filled:
        """Write the bars of a call.

        Parameters
        ----------
        now_ns : int
            Market time.
        bar_ns : int
            Open time of the instance's last complete bar that was handled.
        is_new : bool
            Whether it is handled now: then the bar after it must be the one that forms.
        """
        seen: dict[tuple[str, str], Bars] = {}
        for key, feed in self._feeds.items():
            bars = feed.see(self._context.bars_of(*key, feed.asked, forming=True), now_ns)
            if key == (self._context.instrument.symbol, self._own.name) and self._is_history(
                bars, now_ns, bar_ns, is_new
            ):
                return Filled(Readiness.HISTORY)
            seen[key] = bars
        wanted = [
            (index, plan, seen[plan.symbol, plan.timeframe], needed) for index, (plan, needed) in self._plans.items()
        ]
        if lacks := [_lacking(index, plan, bars) for index, plan, bars, needed in wanted if len(bars) < needed]:
            return Filled(Readiness.SHORT, "; ".join(lacks))
        follows = True
        for index, _, bars, needed in wanted:
            follows &= self._call.set_bars(index, bars if len(bars) == needed else bars[-needed:])
        return Filled(Readiness.FOLLOWS if follows else Readiness.ANEW)

    def passed(self) -> None:
        """Remember what was passed: the library read it."""
        self._call.bars_passed()

    def forget(self) -> None:
        """Nobody knows what the library read: the next call has it read everything."""
        self._call.forget_bars()

    def _is_history(self, bars: Bars, now_ns: int, bar_ns: int, is_new: bool) -> bool:
        calendar, newer = self._context.calendar, int(np.count_nonzero(bars.open_time_ns > bar_ns))
        if is_new and calendar.bar_open(now_ns, self._own) != calendar.next_bar_open(bar_ns, self._own):
            return True
        return newer > 1 or (newer == 1 and calendar.next_bar_open(int(bars.open_time_ns[-1]), self._own) <= now_ns)

    def _calendar(self, symbol: str) -> Calendar:
        if symbol == self._context.instrument.symbol:
            return self._context.calendar
        return Calendar.get(self._context.instrument_of(symbol).calendar)


def _lacking(index: int, plan: IndexPlan, bars: Bars) -> str:
    return (
        f"rates[{index}] {plan.symbol}: {len(bars)} bars of {plan.timeframe} are stored, {plan.rates.bars_needed} are"
        f" needed ({plan.rates.required_bars} of {plan.rates.required_minutes} minutes and a fifth more)"
    )
