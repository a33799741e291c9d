"""Which page of a job is asked for next, from what is stored."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.timeframes import Timeframe
from data_layer.backfill.jobs import Job
from data_layer.bars.gaps import Gap, find_gaps
from data_layer.store import MarketReader
from data_layer.store.ranges import spans

_LOOK_BARS: Final = 5_000
"""How far back one look for gaps reaches, in bars: a few milliseconds in the thread that also stores live bars."""

_LOOKS: Final = 4
"""Looks before others get their turn."""


class Plan(NamedTuple):
    """What a job does next.

    Attributes
    ----------
    left_ns : int
        Everything from there on is there already.
    page : (int, int), optional
        What to ask for; None when nothing is missing from `left_ns` on.
    """

    left_ns: int
    page: tuple[int, int] | None


def plan(job: Job, reader: MarketReader, calendar: Calendar, page_bars: int) -> Plan:
    """Look for the newest bars that a job has to fetch.

    Parameters
    ----------
    page_bars : int
        Length of a page.
    """
    length_ns = job.timeframe.seconds * NS_PER_S
    left_ns = job.left_ns
    for _ in range(_LOOKS):
        from_ns = max(job.start_ns, left_ns - _LOOK_BARS * length_ns)
        gaps = _wanted(job, reader, calendar, from_ns, left_ns)
        if gaps:
            return _page(gaps, calendar, job.timeframe, page_bars, left_ns)
        left_ns = from_ns
        if left_ns <= job.start_ns:
            break
    return Plan(left_ns, None)


def _wanted(job: Job, reader: MarketReader, calendar: Calendar, from_ns: int, to_ns: int) -> list[Gap]:
    if job.replace:
        return find_gaps(np.empty(0, np.int64), job.timeframe, calendar, from_ns, to_ns)
    name = job.timeframe.name
    stored = reader.bars(job.instrument, name, from_ns, to_ns).open_time_ns
    answered = spans(reader.answered(job.instrument, name, from_ns, to_ns), from_ns, to_ns)
    return find_gaps(stored, job.timeframe, calendar, from_ns, to_ns, answered)


def _page(gaps: list[Gap], calendar: Calendar, timeframe: Timeframe, page_bars: int, left_ns: int) -> Plan:
    """Ask for the newest gaps that fit into a page; what lies between them is asked for once more."""
    end_ns = min(left_ns, calendar.next_bar_open(gaps[-1].last_ns, timeframe))
    earliest_ns = end_ns - page_bars * timeframe.seconds * NS_PER_S
    start_ns = next(gap.first_ns for gap in gaps if calendar.next_bar_open(gap.last_ns, timeframe) > earliest_ns)
    if start_ns < earliest_ns:  # a gap longer than a page is cut where a bar begins
        start_ns = calendar.bar_open(earliest_ns, timeframe)
        start_ns = start_ns if start_ns >= earliest_ns else calendar.next_bar_open(start_ns, timeframe)
    return Plan(end_ns, (min(start_ns, gaps[-1].last_ns), end_ns))
