"""What a replay plays, counted at its start and read piece by piece: no length of history fills the memory."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np

from atrader.clock import NS_PER_S
from atrader.market import Tick
from atrader.timeframes import Timeframe
from data_layer.feeds.feed import MarketSource
from data_layer.feeds.replay_steps import Step, steps_of_bars, steps_of_ticks

TICK_WINDOW_NS: Final = NS_PER_S
"""Quotes of one second make a step."""

BARS_A_PART: Final = 10_000
"""Bars of one instrument that are read at once, at most."""

_DAY_NS: Final = 86_400 * NS_PER_S
_time_and_symbol = itemgetter(1, 0)


class Period(NamedTuple):
    """What is played: ``[start_ns, end_ns)``, open where the settings say nothing."""

    start_ns: int | None
    end_ns: int | None


class _Part(NamedTuple):
    """A part of the period with steps in it."""

    begin_ns: int
    steps: int


class ReplayPlan:
    """The steps of a replay, by number.

    Parameters
    ----------
    parts : sequence of (begin_ns, steps)
        Where each part begins, and how many steps are in it.
    steps_from : callable
        Yields all steps from the begin of a part on.
    """

    def __init__(self, parts: Sequence[_Part], steps_from: Callable[[int], Iterator[Step]]) -> None:
        self._parts = parts
        self._steps_from = steps_from
        self.total = sum(part.steps for part in parts)

    def steps(self, number: int) -> Iterator[Step]:
        """Yield the steps from a number on, the first is 0; only a part of them is in memory at any time."""
        for part in self._parts:
            if number < part.steps:
                return islice(self._steps_from(part.begin_ns), number, None)
            number -= part.steps
        return iter(())


def plan_of_bars(source: MarketSource, symbols: Sequence[str], timeframe: Timeframe, period: Period) -> ReplayPlan:
    """Return the steps of bars, stored or built: one for each time at which a bar of some instrument ends."""
    length_ns = BARS_A_PART * timeframe.ns
    reach = _reach(source, symbols, period, lambda name: name != "ticks", timeframe.ns)

    def bars_of(begin_ns: int) -> Iterator[Step]:
        end_ns = min(begin_ns + length_ns, reach.stop)
        series = {symbol: source.bars(symbol, timeframe.name, begin_ns, end_ns) for symbol in symbols}
        return steps_of_bars(series, timeframe.ns)

    def times_of(symbol: str, begin_ns: int, end_ns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return source.bars(symbol, timeframe.name, begin_ns, end_ns).open_time_ns

    def steps_from(begin_ns: int) -> Iterator[Step]:
        return chain.from_iterable(map(bars_of, range(begin_ns, reach.stop, length_ns)))

    return ReplayPlan(_counted(symbols, reach, length_ns, times_of), steps_from)


def plan_of_ticks(source: MarketSource, symbols: Sequence[str], period: Period) -> ReplayPlan:
    """Return the steps of quotes: one for each second in which some instrument has one."""
    reach = _reach(source, symbols, period, lambda name: name == "ticks", 0)

    def windows_of(symbol: str, begin_ns: int, end_ns: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        pages = source.tick_pages(symbol, begin_ns, end_ns)
        found = [np.unique(quotes.time_ns // TICK_WINDOW_NS) for quotes in pages]
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def ticks_of(symbol: str, begin_ns: int) -> Iterator[Tick]:
        for quotes in source.tick_pages(symbol, begin_ns, reach.stop):
            yield from quotes.ticks(symbol)

    def steps_from(begin_ns: int) -> Iterator[Step]:
        ticks = heapq.merge(*(ticks_of(symbol, begin_ns) for symbol in symbols), key=_time_and_symbol)
        return steps_of_ticks(ticks, TICK_WINDOW_NS)

    return ReplayPlan(_counted(symbols, reach, _DAY_NS, windows_of), steps_from)


def _reach(
    source: MarketSource, symbols: Sequence[str], period: Period, wanted: Callable[[str], bool], slack_ns: int
) -> range:
    """Return the part of a period in which something is stored; a bar that is built may open `slack_ns` earlier."""
    series = [info for symbol in symbols for info in source.series(symbol) if wanted(info.timeframe)]
    if not series:
        return range(0)
    first_ns = min(info.first_ns for info in series) - slack_ns
    end_ns = max(info.last_ns for info in series) + 1
    start_ns = first_ns if period.start_ns is None else max(first_ns, period.start_ns)
    return range(start_ns, end_ns if period.end_ns is None else min(end_ns, period.end_ns))


def _counted(
    symbols: Sequence[str],
    reach: range,
    length_ns: int,
    marks_of: Callable[[str, int, int], np.ndarray[tuple[int], np.dtype[np.int64]]],
) -> list[_Part]:
    """Count the steps in each part of a period: the different marks of all instruments."""
    parts = []
    # Parts of whole lengths since 1970: the second of a step is never in two of them.
    cuts = range(reach.start - reach.start % length_ns, reach.stop, length_ns) if reach else range(0)
    for cut_ns in cuts:
        begin_ns, end_ns = max(cut_ns, reach.start), min(cut_ns + length_ns, reach.stop)
        marks = [marks_of(symbol, begin_ns, end_ns) for symbol in symbols]
        steps = len(np.unique(np.concatenate(marks)))
        if steps:
            parts.append(_Part(begin_ns, steps))
    return parts
