"""Session windows: the hours of local weekdays in which a strategy may trade."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from zoneinfo import ZoneInfo

from atrader.local_times import WEEKDAYS, local_ns, local_ordinal, parse_local, parse_weekdays, parse_zone


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
        return cls(
            start=parse_local("start", start),
            end=parse_local("end", "00:00" if end == "24:00" else end),
            zone=parse_zone(zone),
            weekdays=parse_weekdays(weekdays),
        )

    def contains(self, ts_ns: int) -> bool:
        """Return whether the instant `ts_ns` (UTC nanoseconds) lies in a window."""
        today = local_ordinal(self.zone, ts_ns)
        return any(start_ns <= ts_ns < end_ns for start_ns, end_ns in map(self._window, (today - 1, today)))

    def _window(self, ordinal: int) -> tuple[int, int]:
        """Return start and end of the window that starts on a local date; (0, 0) if none does."""
        if date.fromordinal(ordinal).weekday() not in self.weekdays:
            return 0, 0
        end_day = ordinal if self.end > self.start else ordinal + 1
        return local_ns(self.zone, ordinal, self.start), local_ns(self.zone, end_day, self.end)
