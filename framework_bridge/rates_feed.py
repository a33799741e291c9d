"""Fills all rates arrays of a call, and tells whether the library's own copies can follow."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

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
        self._call = call
        self._context = context
        self._timeframe = Timeframe.parse(context.timeframe)
        feeds = {
            (one.instrument, one.timeframe): SeriesFeed(one, self._calendar(one.instrument)) for one in series_of(plans)
        }
        self._own = feeds.get((context.instrument.symbol, self._timeframe.name))
        self._feeds = tuple(feeds.values())
        self._wanted = [
            (index, plan, feeds[plan.symbol, plan.timeframe], plan.rates.bars_needed)
            for index, plan in enumerate(plans)
            if plan is not None
        ]

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
        seen: dict[SeriesFeed, Bars] = {}
        for feed in self._feeds:
            bars = self._context.bars_of(feed.instrument, feed.timeframe, feed.asked, forming=True)
            seen[feed] = bars = feed.see(bars, now_ns)
            if feed is self._own and self._is_history(bars, now_ns, bar_ns, is_new):
                return Filled(Readiness.HISTORY)
        if lacks := [
            _lacking(index, plan, seen[feed])
            for index, plan, feed, needed in self._wanted
            if len(seen[feed].open_time_ns) < needed
        ]:
            return Filled(Readiness.SHORT, "; ".join(lacks))
        follows = True
        for index, _, feed, needed in self._wanted:
            follows &= self._call.set_bars(index, seen[feed], needed)
        return Filled(Readiness.FOLLOWS if follows else Readiness.ANEW)

    def passed(self) -> None:
        """Remember what was passed: the library read it."""
        self._call.bars_passed()

    def forget(self) -> None:
        """Nobody knows what the library read: the next call has it read everything."""
        self._call.forget_bars()

    def _is_history(self, bars: Bars, now_ns: int, bar_ns: int, is_new: bool) -> bool:
        calendar, own = self._context.calendar, self._timeframe
        if is_new and calendar.bar_open(now_ns, own) != calendar.next_bar_open(bar_ns, own):
            return True
        newer = [open_ns for open_ns in bars.open_time_ns[-2:].tolist() if open_ns > bar_ns]
        return len(newer) > 1 or (len(newer) == 1 and calendar.next_bar_open(newer[0], own) <= now_ns)

    def _calendar(self, symbol: str) -> Calendar:
        if symbol == self._context.instrument.symbol:
            return self._context.calendar
        return Calendar.get(self._context.instrument_of(symbol).calendar)


def _lacking(index: int, plan: IndexPlan, bars: Bars) -> str:
    return (
        f"rates[{index}] {plan.symbol}: {len(bars)} bars of {plan.timeframe} are stored, {plan.rates.bars_needed} are"
        f" needed ({plan.rates.required_bars} of {plan.rates.required_minutes} minutes and a fifth more)"
    )
