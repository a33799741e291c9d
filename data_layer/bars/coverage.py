"""Whether a period of bars is whole."""

from __future__ import annotations

from typing import Final

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.messages.series import CoverageAnswer, GetCoverage, MissingBars
from atrader.timeframes import Timeframe
from data_layer.bars.library import BarLibrary

_SHOWN: Final = 1000
"""Gaps of one answer."""


def coverage_of(
    library: BarLibrary, request: GetCoverage, base: Timeframe, calendar: Calendar, horizon_ns: int
) -> CoverageAnswer:
    """Answer what is missing of what the bars of a period are built from.

    Parameters
    ----------
    base : Timeframe
        Of the bars that are expected where nothing is stored.
    calendar : Calendar
        Of the instrument.
    horizon_ns : int
        Bars that end later are not expected yet.

    Raises
    ------
    ValueError
        When the timeframe is none.
    """
    timeframe = Timeframe.parse(request.timeframe)
    end_ns = horizon_ns if request.end_ns is None else min(request.end_ns, horizon_ns)
    end_ns = calendar.bar_open(end_ns, timeframe)
    start_ns = request.start_ns
    if request.count is not None:
        bars = library.bars(request.instrument, timeframe, end_ns=end_ns, count=request.count, horizon_ns=horizon_ns)
        counted_ns = _nth_expected(calendar, timeframe, end_ns, request.count)
        if len(bars) == request.count:
            counted_ns = int(bars.open_time_ns[0]) if len(bars) else end_ns
        start_ns = counted_ns if start_ns is None else max(start_ns, counted_ns)
    if start_ns is None:
        start_ns = library.first_ns(request.instrument, timeframe)
        start_ns = end_ns if start_ns is None else start_ns
    missing = library.missing(request.instrument, timeframe, start_ns, end_ns, base) if start_ns < end_ns else []
    return CoverageAnswer(
        start_ns=start_ns,
        end_ns=end_ns,
        missing=sum(one.gap.count for one in missing),
        gaps=tuple(
            MissingBars(
                timeframe=one.timeframe.name, first_ns=one.gap.first_ns, last_ns=one.gap.last_ns, count=one.gap.count
            )
            for one in missing[:_SHOWN]
        ),
    )


def _nth_expected(calendar: Calendar, timeframe: Timeframe, end_ns: int, count: int) -> int:
    """Return the open time of the bar so many expected ones before an end."""
    reach_ns = max(1, count) * timeframe.seconds * NS_PER_S
    while True:  # closed hours make it longer than it looks
        expected = calendar.expected_bars(end_ns - reach_ns, end_ns, timeframe)
        if len(expected) >= count:
            return int(expected[-count]) if count else end_ns
        reach_ns *= 2
