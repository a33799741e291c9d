"""Session windows: the hours of local weekdays in which a strategy may trade."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from atrader.clock import NS_PER_S, ns_from_utc

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Session:
    """A daily window of local time. It includes its start and excludes its end.

    Attributes
    ----------
    start, end : datetime.time
        Local times. An end that is not after the start lies on the next date: `22:00`-`06:00` crosses midnight, and
        `00:00`-`00:00` is a whole day.
    zone : ZoneInfo
        Zone of both. They are turned into instants for each date by itself, so the window keeps its local hours when
        summer time begins or ends. A time that the clocks skip is taken with the offset before the change; of a time
        they show twice the first counts; a window that this leaves without length does not take place.
    weekdays : frozenset of int
        Weekdays (Monday = 0) of the local dates on which a window starts.

    Raises
    ------
    ValueError
        If no or an unknown weekday is named, or a time carries a zone of its own.
    """

    start: time
    end: time
    zone: ZoneInfo
    weekdays: frozenset[int]

    def __post_init__(self) -> None:
        if not self.weekdays or not self.weekdays <= set(range(7)):
            raise ValueError(f"weekdays: expected some of 0 (Monday) to 6, was {sorted(self.weekdays)}")
        for name, value in (("start", self.start), ("end", self.end)):
            if value.tzinfo is not None:
                raise ValueError(f"{name}: expected a local time without a zone, was {value!r}")

    @classmethod
    def parse(cls, start: str, end: str, zone: str, weekdays: Iterable[str] = WEEKDAYS[:5]) -> "Session":
        """Return the session that configuration describes.

        Parameters
        ----------
        start, end : str
            Local times such as `08:00` or `16:59:30`; an end of `24:00` is midnight at the end of the day.
        zone : str
            IANA zone such as `Europe/London`.
        weekdays : iterable of str, default mon to fri
            Days on which the window starts: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.

        Raises
        ------
        ValueError
            If a value cannot be used; the message begins with the parameter's name.
        """
        names = tuple(weekdays)
        unknown = [name for name in names if name not in WEEKDAYS]
        if unknown or not names:
            raise ValueError(f"weekdays: expected some of {', '.join(WEEKDAYS)}, was {list(names)!r}")
        return cls(
            start=_parse_local("start", start),
            end=_parse_local("end", "00:00" if end == "24:00" else end),
            zone=_parse_zone(zone),
            weekdays=frozenset(WEEKDAYS.index(name) for name in names),
        )

    def contains(self, ts_ns: int) -> bool:
        """Return whether the instant `ts_ns` (UTC nanoseconds) lies in a window."""
        today = self._local_ordinal(ts_ns)
        return any(start_ns <= ts_ns < end_ns for start_ns, end_ns in map(self._window, (today - 1, today)))

    def _window(self, ordinal: int) -> tuple[int, int]:
        """Return start and end of the window that starts on a local date; (0, 0) if none does."""
        day = date.fromordinal(ordinal)
        if day.weekday() not in self.weekdays:
            return 0, 0
        end_day = day if self.end > self.start else day + timedelta(days=1)
        return self._instant(day, self.start), self._instant(end_day, self.end)

    def _instant(self, day: date, local: time) -> int:
        return ns_from_utc(datetime.combine(day, local, tzinfo=self.zone).astimezone(UTC))

    def _local_ordinal(self, ts_ns: int) -> int:
        return datetime.fromtimestamp(ts_ns // NS_PER_S, tz=self.zone).toordinal()


def _parse_local(name: str, text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected a local time such as 08:00, was {text!r}") from error


def _parse_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: a name such as "Europe" is a folder of the zone database.
        raise ValueError(f"zone: expected an IANA zone such as Europe/London, was {name!r}") from error
