"""Clocks: the only place where the program asks what time it is.

Instants are `int` nanoseconds since 1970-01-01 00:00 UTC; intervals are `float` seconds of a monotonic clock.
Everything that needs the time takes a `Clock`, so that a replay can run the same code on the time of its data.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
NS_PER_US: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR: Final = 1700
_END_YEAR: Final = 2200  # not included; 64 bits of ns end in 2262, and calendars look beyond what they are asked about
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FRACTION: Final = re.compile(r"(?<=:\d\d)[.,](\d+)", re.ASCII)


host_now_ns: Final = time.time_ns
"""`SystemClock.now_ns` without the cost of a method, for what has less than a microsecond."""


class Clock(Protocol):
    """What the rest of the program knows of time."""

    def now_ns(self) -> int:
        """Return the present instant as UTC nanoseconds since the epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds since an arbitrary start; never runs backwards."""
        ...


class SystemClock:
    """The clock of the host. Holds no state, so one instance may serve all threads."""

    __slots__ = ()

    # Not methods around these: a quote reads the clock a dozen times on its way.
    now_ns = staticmethod(time.time_ns)
    """Return the wall clock as UTC nanoseconds; it may jump when the host's time is set."""

    monotonic_s = staticmethod(time.monotonic)
    """Return the host's monotonic clock in seconds; it stands still while the host is suspended."""


class SteadyClock:
    """The clock of the host, never backwards: when the wall clock is set back it goes on from where it was.

    Market data must rise in time. For one thread.

    Parameters
    ----------
    host : Clock
        What it follows.
    """

    __slots__ = ("_host", "_last_ns", "_last_s")

    def __init__(self, host: Clock) -> None:
        self._host = host
        self._last_ns = 0
        self._last_s = host.monotonic_s()

    def now_ns(self) -> int:
        """Return the wall clock, or where it would be by the monotonic clock if it was set back, UTC nanoseconds."""
        now_s = self._host.monotonic_s()
        steady_ns = self._last_ns + int((now_s - self._last_s) * NS_PER_S)
        self._last_ns, self._last_s = max(self._host.now_ns(), steady_ns), now_s
        return self._last_ns

    def monotonic_s(self) -> float:
        """Return the host's monotonic clock in seconds."""
        return self._host.monotonic_s()


class MarketClock:
    """A clock whose present is the newest market time it was told.

    In a replay, sessions, staleness and swaps must follow the data and not the host. Between two `advance` calls the
    time stands still. It must not time sockets or processes: they live in the host's time.

    Parameters
    ----------
    start_ns : int, default 0
        The present before the first `advance`, UTC nanoseconds.
    """

    __slots__ = ("_now_ns", "_start_ns")

    def __init__(self, start_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._now_ns = start_ns

    def advance(self, ts_ns: int) -> None:
        """Move the present to `ts_ns` (UTC nanoseconds); an older time is ignored, since data may come out of order."""
        if ts_ns > self._now_ns:
            self._now_ns = ts_ns

    def now_ns(self) -> int:
        """Return the newest market time seen, UTC nanoseconds."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Return the seconds of market time since `start_ns`."""
        return (self._now_ns - self._start_ns) / NS_PER_S


class ClockJump:
    """Detects that the wall clock was set, by comparing it with the monotonic clock.

    A jump makes signed requests, session windows and ages wrong while all time-outs stay right. A host that wakes from
    suspension shows as a jump forward, as its monotonic clock stood still; that is wanted. Slow correction by NTP
    (at most 0.5 ms per second) stays below the tolerance when `check` is called every few minutes or oftener.

    Parameters
    ----------
    clock : Clock
        The clock to watch.
    tolerance_s : float, default 0.5
        Differences up to this size are not a jump: the two clocks are read one after the other, and a busy host may
        put some hundred milliseconds between the readings.

    Raises
    ------
    ValueError
        If `tolerance_s` is not positive.
    """

    __slots__ = ("_clock", "_offset_s", "tolerance_s")

    def __init__(self, clock: Clock, tolerance_s: float = 0.5) -> None:
        if not tolerance_s > 0:
            raise ValueError(f"tolerance_s: expected a positive number of seconds, was {tolerance_s!r}")
        self._clock = clock
        self.tolerance_s = tolerance_s
        self._offset_s = self._read_offset_s()

    def check(self) -> float:
        """Return by how many seconds the wall clock jumped since the last call; 0.0 if it did not.

        Positive: the clock was set forward. Each jump is reported once.
        """
        offset_s = self._read_offset_s()
        jump_s = offset_s - self._offset_s
        self._offset_s = offset_s
        return jump_s if abs(jump_s) > self.tolerance_s else 0.0

    def _read_offset_s(self) -> float:
        return self._clock.now_ns() / NS_PER_S - self._clock.monotonic_s()


def utc_from_ns(ts_ns: int) -> datetime:
    """Return the aware UTC `datetime` of `ts_ns`, cut (towards the past) to microseconds.

    Raises
    ------
    OverflowError
        If the instant lies outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=ts_ns // NS_PER_US)


def ns_from_utc(moment: datetime) -> int:
    """Return the UTC nanoseconds of an aware `datetime` of any zone, exactly.

    Raises
    ------
    ValueError
        If `moment` has no zone: the zone of the host must never decide what a time means.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"moment: expected a datetime with a zone, was {moment!r}")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * NS_PER_US


def iso_from_ns(ts_ns: int) -> str:
    """Return `ts_ns` as ISO 8601 text in UTC, such as `2024-03-10T06:59:59.5Z`, with no digit lost or superfluous."""
    whole_s, rest_ns = divmod(ts_ns, NS_PER_S)
    fraction = f".{rest_ns:09d}".rstrip("0") if rest_ns else ""
    return f"{utc_from_ns(whole_s * NS_PER_S):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def parse_time(text: str) -> int:
    """Return the UTC nanoseconds of an ISO 8601 date or date and time.

    Parameters
    ----------
    text : str
        A date (`2024-03-10`, meaning 00:00 UTC) or a date and time with its zone (`2024-03-10T08:00+01:00`,
        `2024-03-10 07:00:00.123456789Z`); up to nine digits of a second are kept.

    Raises
    ------
    ValueError
        If the text is neither, a date and time names no zone, or the year is one whose nanoseconds nobody can add to.
    """
    given = text.strip()
    text = f"{given}T00:00Z" if _DATE.fullmatch(given) else given
    fraction = _FRACTION.search(text)
    # datetime keeps six digits only, so the fraction goes round it
    whole = text if fraction is None else text[: fraction.start()] + text[fraction.end() :]
    rest_ns = 0 if fraction is None else int(fraction[1][:9].ljust(9, "0"))
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError as error:
        raise ValueError(f"time: expected an ISO 8601 date or date and time, was {given!r}") from error
    if moment.tzinfo is None:
        raise ValueError(f"time: expected a zone after the date and time (Z or +01:00), was {text!r}")
    if not _FIRST_YEAR <= moment.year < _END_YEAR:
        raise ValueError(f"time: expected a year from {_FIRST_YEAR} to {_END_YEAR - 1}, was {given!r}")
    return ns_from_utc(moment) + rest_ns
