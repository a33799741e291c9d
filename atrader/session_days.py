"""Times that come back each day, and the days of strategies that watch a range: local, in a named zone."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from itertools import count
from typing import NamedTuple

from atrader.local_times import WEEKDAYS, local_ns, local_ordinal, parse_local, parse_weekdays, parse_zone


class DailyTime:
    """A local time that comes once a day.

    Parameters
    ----------
    at, zone : str
        As `LocalTime` and `ZoneName`.

    Raises
    ------
    ValueError
        If one of them cannot be used.
    """

    def __init__(self, at: str, zone: str) -> None:
        self._local = parse_local("at", at)
        self._zone = parse_zone(zone)

    def next_after(self, ts_ns: int) -> int:
        """Return the first instant after one at which it is that time; UTC ns."""
        today = local_ordinal(self._zone, ts_ns)
        return next(at_ns for day in count(today) if (at_ns := local_ns(self._zone, day, self._local)) > ts_ns)


class SessionDay(NamedTuple):
    """One day of a strategy that watches a range, then trades for some hours; instants are UTC ns.

    Attributes
    ----------
    range_start_ns, range_end_ns : int
        The range includes its start and excludes its end.
    entry_end_ns : int
        Until then trades are opened, from the end of the range on.
    next_ns : int
        When the range of the next day ends.
    """

    range_start_ns: int
    range_end_ns: int
    entry_end_ns: int
    next_ns: int


class SessionDays:
    """The days of a session, each named by the local date on which its range ends.

    Parameters
    ----------
    zone, range_start, range_end, entry_end : str
        Local times. A range that starts at or after the time it ends at starts on the date before; entries that end
        at or before that time end on the date after.
    weekdays : collection of str
        Those of the dates on which a range ends.

    Raises
    ------
    ValueError
        If one of them cannot be used.
    """

    def __init__(
        self, zone: str, range_start: str, range_end: str, entry_end: str, weekdays: Collection[str] = WEEKDAYS[:5]
    ) -> None:
        self._zone = parse_zone(zone)
        self._weekdays = parse_weekdays(weekdays)
        self._start, self._end = parse_local("range_start", range_start), parse_local("range_end", range_end)
        self._entry_end = parse_local("entry_end", entry_end)
        self._day = SessionDay(0, 0, 0, 0)

    def at(self, ts_ns: int) -> SessionDay:
        """Return the day whose range ended last, at or before an instant."""
        day = self._day
        if not day.range_end_ns <= ts_ns < day.next_ns:
            day = self._day = self._find(ts_ns)
        return day

    def _find(self, ts_ns: int) -> SessionDay:
        today = local_ordinal(self._zone, ts_ns)
        ordinal = next(day for day in count(today, -1) if self._is_day(day) and self._range_end_ns(day) <= ts_ns)
        following = next(day for day in count(ordinal + 1) if self._is_day(day))
        return SessionDay(
            local_ns(self._zone, ordinal - (self._start >= self._end), self._start),
            self._range_end_ns(ordinal),
            local_ns(self._zone, ordinal + (self._entry_end <= self._end), self._entry_end),
            self._range_end_ns(following),
        )

    def _is_day(self, ordinal: int) -> bool:
        return date.fromordinal(ordinal).weekday() in self._weekdays

    def _range_end_ns(self, ordinal: int) -> int:
        return local_ns(self._zone, ordinal, self._end)
