"""Time zones: those of the IANA database, and rules written out, as the clocks of brokers need them."""

from __future__ import annotations

import io
import re
import struct
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_HOUR_S: Final = 3_600
_OFFSET: Final = r"[+-]?\d{1,2}"
_CHANGE: Final = r"M\d{1,2}\.[1-5]\.[0-6](?:/\d{1,2}(?::\d\d)?)?"
_RULE: Final = re.compile(
    rf"(?P<std>[A-Za-z]{{3,}}){_OFFSET}(?:[A-Za-z]{{3,}}(?:{_OFFSET})?,{_CHANGE},{_CHANGE})?", re.ASCII
)
_PROBES: Final = tuple(datetime(2024, month, 15) for month in (1, 7))  # noqa: DTZ001 - a zone is put on


@lru_cache(maxsize=256)
def zone_of(text: str) -> ZoneInfo:
    """Return a time zone whose offset is always whole hours.

    Parameters
    ----------
    text : str
        A name such as ``Europe/Helsinki``, or a POSIX rule such as ``EET-2EEST,M3.5.0/3,M10.5.0/4``: two hours east of
        UTC (the sign is POSIX's), summer time from the last Sunday of March at 3:00 to that of October at 4:00.

    Raises
    ------
    ValueError
        If it is neither, or its offset has minutes: days would not begin where hourly bars do.
    """
    try:
        zone = _of_rule(text) if _RULE.fullmatch(text) else ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: a name such as "Europe" is a folder of the zone database.
        raise ValueError(f"zone: expected an IANA zone such as Europe/London or a POSIX rule, was {text!r}") from error
    for moment in _PROBES:
        offset = moment.replace(tzinfo=zone).utcoffset()
        if offset is None or offset.total_seconds() % _HOUR_S:
            raise ValueError(f"zone: expected one that is whole hours from UTC, was {text!r} ({offset})")
    return zone


@lru_cache(maxsize=64)
def offset_changes(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return when the clocks of a zone change, from 1970 to 2037.

    Parameters
    ----------
    text : str
        For `zone_of`.

    Returns
    -------
    changes_s : tuple of int
        Starts of the spells, UTC seconds; the first is 0.
    offsets_s : tuple of int
        Seconds to the east of UTC in each.
    """
    zone = zone_of(text)
    changes, offsets = [0], [_offset_s(zone, 0)]
    for week in range(_WEEK_S, _END_S, _WEEK_S):
        if (offset := _offset_s(zone, week)) != offsets[-1]:
            before, after = week - _WEEK_S, week
            while after - before > 1:
                middle = (before + after) // 2
                if _offset_s(zone, middle) == offsets[-1]:
                    before = middle
                else:
                    after = middle
            changes.append(after)
            offsets.append(offset)
    return tuple(changes), tuple(offsets)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK_S: Final = 7 * 86_400
_END_S: Final = 2**31


def _offset_s(zone: ZoneInfo, second: int) -> int:
    offset = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def _of_rule(text: str) -> ZoneInfo:
    """Make a zone of a rule: a zone file without transitions, whose footer holds the rule (RFC 8536)."""
    header = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    types = struct.pack(">lbB4s", 0, 0, 0, b"STD\0")
    return ZoneInfo.from_file(io.BytesIO((header + types) * 2 + b"\n" + text.encode() + b"\n"), key=text)
