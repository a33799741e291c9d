"""The venue's week, in New York time: when it trades, and when its day ends."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from tests.oanda_simulator.values import NS_PER_S

NEW_YORK: Final = ZoneInfo("America/New_York")
Hours = Literal["fx", "always"]
_DAY_END: Final = time(17)
_CLOSE: Final = time(16, 59)  # Friday
_OPEN: Final = time(17, 5)  # Sunday
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


def local(ns: int) -> datetime:
    """Return an instant in New York."""
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).astimezone(NEW_YORK)


def instant(day: datetime, at: time) -> int:
    """Return the instant at which it is `at` in New York on the date of `day`."""
    return int(datetime.combine(day.date(), at, NEW_YORK).timestamp()) * NS_PER_S


def is_open(ns: int, hours: Hours) -> bool:
    """Return whether the market trades: Sunday 17:05 to Friday 16:59 New York, or always."""
    if hours == "always":
        return True
    now = local(ns)
    if now.weekday() == _FRIDAY:
        return now.time() < _CLOSE
    if now.weekday() == _SUNDAY:
        return now.time() >= _OPEN
    return now.weekday() != _SATURDAY


def next_day_end(ns: int) -> int:
    """Return the next 17:00 New York after an instant."""
    today = local(ns)
    end = instant(today, _DAY_END)
    return end if end > ns else instant(today + timedelta(days=1), _DAY_END)


def next_flip(ns: int) -> int:
    """Return when the market next opens or closes."""
    start = local(ns)
    for ahead in range(8):
        day = start + timedelta(days=ahead)
        edge = {_FRIDAY: _CLOSE, _SUNDAY: _OPEN}.get(day.weekday())
        if edge is not None and (at := instant(day, edge)) > ns:
            return at
    raise AssertionError("a week has an opening and a close")
