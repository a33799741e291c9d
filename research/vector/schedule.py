"""What the calendar does to a run: ends of days, at which financing is booked, and closes, at which nothing fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.paper.financing import boundaries, days_booked
from research.vector.prices import Prices


class Schedule(NamedTuple):
    """Ends of days, oldest first, arrays of shape (d,); and bars after which the market is closed.

    Attributes
    ----------
    bar, phase : ndarray of int32, ndarray of int8
        The first quote at or after the end of a day.
    since : ndarray of int32
        Trades opened with the decision of this bar or a later one pay nothing: they are no older than the end.
    days : ndarray of int8
        Days of interest.
    halted : ndarray of int32, shape (h,)
        Bars that end as the market closes: what is decided then finds no market. Entries are refused, exits wait for
        the next close.
    """

    bar: NDArray[np.int32]
    phase: NDArray[np.int8]
    since: NDArray[np.int32]
    days: NDArray[np.int8]
    halted: NDArray[np.int32]

    @classmethod
    def none(cls) -> Schedule:
        """Return that of a market that never closes, without financing."""
        empty = np.empty(0, np.int32)
        return cls(empty, np.empty(0, np.int8), empty, np.empty(0, np.int8), empty)

    @classmethod
    def of(cls, prices: Prices, calendar: Calendar, *, financed: bool = True) -> Schedule:
        """Return the ends of the calendar's days, where they cost anything, and its closes within the prices."""
        opens, duration_ns = prices.open_time_ns, prices.duration_ns
        first_ns, last_ns = int(opens[0]), int(opens[-1]) + duration_ns
        due = np.fromiter(boundaries(calendar, first_ns, last_ns - 1) if financed else (), np.int64)
        days = np.array([days_booked(calendar, one) for one in due.tolist()], np.int8)
        due, days = due[days > 0], days[days > 0]
        bars = np.searchsorted(opens, due - duration_ns, side="right")  # the bar that is not over yet
        third = duration_ns // 3
        moments = np.array([0, third, 2 * third, duration_ns - 1], np.int64)
        phases = np.searchsorted(moments, due - opens[bars])  # after a gap: the open
        closes = np.fromiter(_closes(calendar, first_ns, last_ns), np.int64)
        halted = np.flatnonzero(np.isin(prices.end_ns, closes)) if len(closes) else closes
        since = np.searchsorted(opens, due - duration_ns).astype(np.int32)
        return cls(bars.astype(np.int32), phases.astype(np.int8), since, days, halted.astype(np.int32))


def _closes(calendar: Calendar, first_ns: int, last_ns: int) -> Iterator[int]:
    """Yield the moments in ``(first_ns, last_ns]`` at which the market closes."""
    close_ns = calendar.next_close(first_ns)
    while close_ns is not None and close_ns <= last_ns:
        yield close_ns
        close_ns = calendar.next_close(close_ns)
