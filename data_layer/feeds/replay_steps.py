"""A stored market as a sequence of steps: the quotes inside each bar, then the bars that end with it. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from atrader.bar_quotes import quotes_of
from atrader.market import Bar, Bars, Tick


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a replay.

    Attributes
    ----------
    market_ns : int
        Market time at its end, ns UTC.
    ticks : tuple of Tick
        Quotes within the step, oldest first.
    bars : tuple of (str, Bar)
        Base bars that are complete at its end, by instrument symbol.
    """

    market_ns: int
    ticks: tuple[Tick, ...]
    bars: tuple[tuple[str, Bar], ...]


def steps_of_bars(series: Mapping[str, Bars], duration_ns: int) -> Iterator[Step]:
    """Merge the bars of several instruments into steps, one for each end of a bar.

    Parameters
    ----------
    series : mapping of str to Bars
        Bars by instrument, all of the same timeframe.
    duration_ns : int
        Length of a bar.
    """
    rows = heapq.merge(*(_rows(symbol, series[symbol]) for symbol in sorted(series)))
    for open_ns, together in groupby(rows, itemgetter(0)):
        bars = tuple((symbol, bar) for _, symbol, bar in together)
        ticks = [tick for symbol, bar in bars for tick in quotes_of(symbol, bar, duration_ns)]
        ticks.sort(key=_time_then_symbol)
        yield Step(open_ns + duration_ns, tuple(ticks), bars)


def _rows(symbol: str, bars: Bars) -> Iterator[tuple[int, str, Bar]]:
    for row in zip(*(column.tolist() for column in bars.columns), strict=True):
        yield row[0], symbol, Bar(*row)


def steps_of_ticks(ticks: Iterable[Tick], window_ns: int) -> Iterator[Step]:
    """Group quotes (in the order of time) into steps that end at multiples of a window; bars are built from them."""
    kept: list[Tick] = []
    end_ns = 0
    for tick in ticks:
        if kept and tick.time_ns >= end_ns:
            yield Step(end_ns, tuple(kept), ())
            kept = []
        if not kept:
            end_ns = tick.time_ns - tick.time_ns % window_ns + window_ns
        kept.append(tick)
    if kept:
        yield Step(end_ns, tuple(kept), ())


def _time_then_symbol(tick: Tick) -> tuple[int, str]:
    return tick.time_ns, tick.instrument
