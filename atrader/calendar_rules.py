"""The data that make the known calendars, and those of brokers' clocks. Their meaning: `atrader.calendars`."""

from __future__ import annotations

import re
from datetime import time
from typing import Final, NamedTuple

from atrader.zones import zone_of

_WHOLE_HOUR: Final = re.compile(r"([01]\d|2[0-3]):00", re.ASCII)


class CalendarRules(NamedTuple):
    """The data that make a calendar.

    Attributes
    ----------
    name : str
        The name used in configuration.
    zone : str
        Time zone of `day_starts`, see `atrader.zones`.
    day_starts : datetime.time
        Local time at which a day begins and the previous one ends; a whole hour, so that hourly bars fit into days.
    week_starts : int
        Weekday (Monday = 0) on whose local date the first day of the week begins.
    open_days : int
        How many days from there on are open; 7 means that there is no weekend.
    holidays : frozenset of (int, int)
        Month and day of the dates that are closed each year. A day that begins at noon or later belongs to the date on
        which it ends.
    hours : str, optional
        Name of the calendar that says when the market is open, in place of `open_days` and `holidays`.
    """

    name: str
    zone: str
    day_starts: time
    week_starts: int
    open_days: int
    holidays: frozenset[tuple[int, int]] = frozenset()
    hours: str | None = None


_CHRISTMAS_AND_NEW_YEAR: Final = frozenset({(12, 25), (1, 1)})
_RULES: Final = (
    CalendarRules("fx", "America/New_York", time(17), week_starts=6, open_days=5, holidays=_CHRISTMAS_AND_NEW_YEAR),
    CalendarRules("24/7", "UTC", time(0), week_starts=0, open_days=7),
)


def rules_of(name: str) -> CalendarRules:
    """Return the rules of a calendar: a known one, or a clock such as ``Europe/Helsinki@00:00 fx``.

    Raises
    ------
    ValueError
        If there is none of that name; the message lists the known ones, or says what is wrong with a clock.
    """
    known = {rules.name: rules for rules in _RULES}
    if name in known:
        return known[name]
    if "@" not in name:
        names = ", ".join(map(repr, known))
        raise ValueError(
            f"calendar: expected one of {names} or a clock such as 'Europe/Helsinki@00:00 fx', was {name!r}"
        )
    clock, _, hours = name.partition(" ")
    zone, _, day_starts = clock.partition("@")
    if hours and hours not in known:
        raise ValueError(f"calendar: expected the hours of one of {', '.join(known)} after the clock, was {name!r}")
    match = _WHOLE_HOUR.fullmatch(day_starts)
    if match is None:
        raise ValueError(f"calendar: expected ZONE@HH:00, the local hour at which days begin, was {name!r}")
    zone_of(zone)
    return CalendarRules(name, zone, time(int(match[1])), week_starts=6, open_days=7, hours=hours or "24/7")
