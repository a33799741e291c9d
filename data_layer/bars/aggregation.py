"""From finer bars to coarser ones, all at once or as they come; both ways give the same bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.market import Bar, Bars
from atrader.timeframes import Timeframe

_HOUR_S: Final = 3600
_DAY: Final = Timeframe.parse("1d")


def divides(finer: Timeframe, coarser: Timeframe) -> bool:
    """Tell whether bars of one timeframe can be built from bars of another, shorter one."""
    if finer.seconds >= coarser.seconds:
        return False
    if coarser.is_fixed:
        return coarser.seconds % finer.seconds == 0
    return finer.name != "1w"  # months do not begin with weeks; days and all below fit into both


def open_times(times: NDArray[np.int64], timeframe: Timeframe, calendar: Calendar) -> NDArray[np.int64]:
    """Return the open time of the bar that covers each time.

    Parameters
    ----------
    times : ndarray of int64, shape (n,)
        ns UTC, increasing.
    """
    if len(times) == 0:
        return times
    if timeframe.is_fixed and _HOUR_S % timeframe.seconds == 0:
        return times - times % timeframe.ns
    # Begins of days (of weeks, of months) are few; the rest is arithmetic on whole arrays.
    frame = _DAY if timeframe.is_fixed else timeframe
    begins = [calendar.bar_open(int(times[0]), frame)]
    while begins[-1] <= times[-1]:
        begins.append(calendar.next_bar_open(begins[-1], frame))
    starts = np.array(begins, np.int64)
    found = starts[np.searchsorted(starts, times, side="right") - 1]
    return found + (times - found) // timeframe.ns * timeframe.ns if timeframe.is_fixed else found


def aggregate(bars: Bars, timeframe: Timeframe, calendar: Calendar) -> Bars:
    """Build bars of a longer timeframe.

    Parameters
    ----------
    bars : Bars
        Of one timeframe that `divides` the wanted one, open times strictly increasing.
    timeframe : Timeframe
        The wanted one.
    calendar : Calendar
        Of the instrument.

    Returns
    -------
    Bars
        One for each that has at least one bar in it; the last may be incomplete, see `complete`. 1M bars take 0.1 s.
    """
    if len(bars) == 0:
        return Bars.empty()
    covering = open_times(bars.open_time_ns, timeframe, calendar)
    begins = np.concatenate([[True], covering[1:] != covering[:-1]])
    firsts = np.flatnonzero(begins)
    lasts = np.append(firsts[1:], len(bars)) - 1
    return Bars(
        covering[firsts],
        bars.open[firsts],
        np.maximum.reduceat(bars.high, firsts),
        np.minimum.reduceat(bars.low, firsts),
        bars.close[lasts],
        bars.ask_open[firsts],
        np.maximum.reduceat(bars.ask_high, firsts),
        np.minimum.reduceat(bars.ask_low, firsts),
        bars.ask_close[lasts],
        np.bincount(
            np.cumsum(begins) - 1, bars.volume
        ),  # adds in order, as the incremental way does; reduceat does not
    )


def complete(bars: Bars, timeframe: Timeframe, calendar: Calendar, horizon_ns: int) -> Bars:
    """Return the bars that ended by a time; open times strictly increase."""
    count = len(bars)
    while count and calendar.next_bar_open(int(bars.open_time_ns[count - 1]), timeframe) > horizon_ns:
        if bars.open_time_ns[count - 1] >= horizon_ns:
            count = int(np.searchsorted(bars.open_time_ns[:count], horizon_ns))
        else:
            count -= 1
    return bars[:count]


def joined(earlier: Bar, later: Bar) -> Bar:
    """Return the bar that covers two, with the open time of the earlier."""
    return Bar(
        earlier.open_time_ns,
        earlier.open,
        max(earlier.high, later.high),
        min(earlier.low, later.low),
        later.close,
        earlier.ask_open,
        max(earlier.ask_high, later.ask_high),
        min(earlier.ask_low, later.ask_low),
        later.ask_close,
        earlier.volume + later.volume,
    )


def newest_of(pieces: Sequence[Bar], timeframe: Timeframe, calendar: Calendar) -> Bar | None:
    """Return the newest bar of a timeframe that pieces of it make, oldest piece first; None without any."""
    newest: Bar | None = None
    for piece in pieces:
        whole = piece._replace(open_time_ns=calendar.bar_open(piece.open_time_ns, timeframe))
        same = newest is not None and newest.open_time_ns == whole.open_time_ns
        newest = joined(newest, whole) if newest is not None and same else whole
    return newest


class IncrementalAggregator:
    """Builds bars of one longer timeframe from base bars as they complete.

    A bar is complete when the last base bar that fits into it is, when a later base bar arrives, or when `advance`
    says that its time is over.

    Parameters
    ----------
    base, timeframe : Timeframe
        Of what goes in and of what comes out.
    calendar : Calendar
        Of the instrument.
    """

    def __init__(self, base: Timeframe, timeframe: Timeframe, calendar: Calendar) -> None:
        self._base = base
        self._timeframe = timeframe
        self._calendar = calendar
        self._forming: Bar | None = None
        self._end_ns = 0
        self.late = 0

    @property
    def forming(self) -> Bar | None:
        """The bar that is not complete, as far as base bars have come."""
        return self._forming

    def add(self, bar: Bar) -> list[Bar]:
        """Add a complete base bar, newer than those before; return the bars that are complete now, oldest first.

        An older one is counted in `late` and left out.
        """
        done = self.advance(bar.open_time_ns)
        open_ns = self._calendar.bar_open(bar.open_time_ns, self._timeframe)
        if self._forming is not None:
            self._forming = joined(self._forming, bar)
        elif open_ns < self._end_ns and bar.open_time_ns < self._end_ns:
            self.late += 1
            return done
        else:
            self._forming = bar._replace(open_time_ns=open_ns)
            self._end_ns = self._calendar.next_bar_open(open_ns, self._timeframe)
        return done + self.advance(self._calendar.next_bar_open(bar.open_time_ns, self._base))

    def advance(self, time_ns: int) -> list[Bar]:
        """Return the bar that ended by a time, if one did."""
        if self._forming is None or time_ns < self._end_ns:
            return []
        done, self._forming = self._forming, None
        return [done]
