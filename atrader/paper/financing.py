"""When financing is booked and for how many days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S

_WEDNESDAY = 2


def next_boundary(calendar: Calendar, time_ns: int) -> int:
    """Return the first end of a calendar's day after an instant (17:00 New York for FX, 00:00 UTC for 24/7)."""
    return calendar.day_end(time_ns)


def days_booked(calendar: Calendar, boundary_ns: int) -> int:
    """Return how many days of financing fall on the end of a day.

    None at the end of a day of the weekend; on Wednesday also the days of the weekend, because what is traded then
    settles after it (so a week has seven days); one otherwise, also on a holiday: interest runs on.
    """
    if calendar.is_weekend(boundary_ns - 1):
        return 0
    closed_days = 7 - calendar.rules.open_days
    local = datetime.fromtimestamp(boundary_ns // NS_PER_S, tz=ZoneInfo(calendar.rules.zone))
    return 1 + closed_days if local.weekday() == _WEDNESDAY else 1


def boundaries(calendar: Calendar, after_ns: int, until_ns: int) -> Iterator[int]:
    """Yield the ends of days in ``(after_ns, until_ns]``."""
    boundary_ns = next_boundary(calendar, after_ns)
    while boundary_ns <= until_ns:
        yield boundary_ns
        boundary_ns = next_boundary(calendar, boundary_ns)
