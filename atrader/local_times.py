"""Local times of day in a named zone, turned into instants date by date: they keep their hour over summer time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from atrader.clock import NS_PER_S, ns_from_utc

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_local(name: str, text: str) -> time:
    """Return the local time that a text such as ``08:00`` or ``16:59:30`` names.

    Raises
    ------
    ValueError
        If it names none; the message begins with the name.
    """
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected a local time such as 08:00, was {text!r}") from error


def parse_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of a name such as ``Europe/London``.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: a name such as "Europe" is a folder of the zone database.
        raise ValueError(f"zone: expected an IANA zone such as Europe/London, was {name!r}") from error


def parse_weekdays(names: Iterable[str]) -> frozenset[int]:
    """Return the weekdays (Monday = 0) of names such as ``mon``.

    Raises
    ------
    ValueError
        If there is none, or one is unknown.
    """
    given = tuple(names)
    if not given or not set(given) <= set(WEEKDAYS):
        raise ValueError(f"weekdays: expected some of {', '.join(WEEKDAYS)}, was {list(given)!r}")
    return frozenset(WEEKDAYS.index(name) for name in given)


@lru_cache(maxsize=16_384)
def local_ns(zone: ZoneInfo, ordinal: int, local: time) -> int:
    """Return the instant (UTC ns) of a local time on a date (proleptic ordinal).

    A time that the clocks skip is taken with the offset before the change; of a time they show twice the first counts.
    """
    return ns_from_utc(datetime.combine(date.fromordinal(ordinal), local, tzinfo=zone).astimezone(UTC))


def local_ordinal(zone: ZoneInfo, ts_ns: int) -> int:
    """Return the proleptic ordinal of the local date at an instant (UTC ns)."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, tz=zone).toordinal()
