"""Clocks, and the passage between nanoseconds, datetimes and text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from atrader.clock import (
    NS_PER_S,
    Clock,
    ClockJump,
    MarketClock,
    SteadyClock,
    SystemClock,
    iso_from_ns,
    ns_from_utc,
    parse_time,
    utc_from_ns,
)

pytestmark = pytest.mark.unit

NOON_NS = 1_710_072_000 * NS_PER_S  # 2024-03-10T12:00:00Z


class HandClock:
    """A clock whose two readings a test sets by hand."""

    def __init__(self) -> None:
        self.wall_s = 1_000_000.0
        self.mono_s = 5.0

    def now_ns(self) -> int:
        return int(self.wall_s * NS_PER_S)

    def monotonic_s(self) -> float:
        return self.mono_s

    def pass_time(self, seconds: float) -> None:
        self.wall_s += seconds
        self.mono_s += seconds


def test_the_system_clock_moves_forward_and_lives_in_this_century():
    clock: Clock = SystemClock()
    first_ns, first_s = clock.now_ns(), clock.monotonic_s()
    assert parse_time("2024-01-01") < first_ns <= clock.now_ns() < parse_time("2100-01-01")
    assert clock.monotonic_s() >= first_s


def test_the_market_clock_follows_the_newest_time_and_never_runs_backwards():
    clock: Clock = MarketClock(NOON_NS)
    assert isinstance(clock, MarketClock)
    clock.advance(NOON_NS + 3 * NS_PER_S)
    clock.advance(NOON_NS + 1 * NS_PER_S)
    assert clock.now_ns() == NOON_NS + 3 * NS_PER_S
    assert clock.monotonic_s() == 3.0


def test_the_market_clock_stands_still_between_two_times():
    clock = MarketClock(NOON_NS)
    assert (clock.now_ns(), clock.monotonic_s()) == (NOON_NS, 0.0)
    assert (clock.now_ns(), clock.monotonic_s()) == (NOON_NS, 0.0)


def test_time_that_passes_is_no_jump():
    clock = HandClock()
    jump = ClockJump(clock)
    clock.pass_time(86_400)
    assert jump.check() == 0.0


@pytest.mark.parametrize("shift_s", [-3600.0, -0.75, 0.75, 7200.0])
def test_a_jump_is_reported_once_with_its_sign(shift_s):
    clock = HandClock()
    jump = ClockJump(clock, tolerance_s=0.5)
    clock.pass_time(10)
    clock.wall_s += shift_s
    assert jump.check() == pytest.approx(shift_s, abs=1e-3)
    clock.pass_time(10)
    assert jump.check() == 0.0


def test_a_difference_within_the_tolerance_is_no_jump():
    clock = HandClock()
    jump = ClockJump(clock, tolerance_s=0.5)
    clock.wall_s += 0.4
    assert jump.check() == 0.0


def test_a_suspended_host_shows_as_a_jump_forward():
    clock = HandClock()
    jump = ClockJump(clock)
    clock.wall_s += 900  # the monotonic clock slept
    assert jump.check() == pytest.approx(900)


@pytest.mark.parametrize("tolerance_s", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_not_positive_is_refused(tolerance_s):
    with pytest.raises(ValueError, match="tolerance_s"):
        ClockJump(SystemClock(), tolerance_s)


def test_nanoseconds_become_an_aware_utc_datetime_cut_to_microseconds():
    assert utc_from_ns(NOON_NS + 1_999) == datetime(2024, 3, 10, 12, 0, 0, 1, tzinfo=UTC)
    assert utc_from_ns(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


def test_a_datetime_of_any_zone_becomes_exact_nanoseconds():
    madrid = timezone(timedelta(hours=1))
    assert ns_from_utc(datetime(2024, 3, 10, 13, 0, 0, 1, tzinfo=madrid)) == NOON_NS + 1_000


def test_a_datetime_without_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        ns_from_utc(datetime(2024, 3, 10))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(
    ("ts_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NOON_NS, "2024-03-10T12:00:00Z"),
        (NOON_NS + 500_000_000, "2024-03-10T12:00:00.5Z"),
        (NOON_NS + 1, "2024-03-10T12:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_iso_text_keeps_every_digit_both_ways(ts_ns, text):
    assert iso_from_ns(ts_ns) == text
    assert parse_time(text) == ts_ns


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-10T12:00:00Z",
        "2024-03-10 12:00Z",
        "2024-03-10T13:00:00+01:00",
        "2024-03-10T08:00:00.000-04:00",
        " 2024-03-10T12:00:00,000Z ",
        "2024-03-10T12:00:00.0000000009Z",  # what is below a nanosecond is cut
    ],
)
def test_one_instant_may_be_written_in_many_ways(text):
    assert parse_time(text) == NOON_NS


def test_a_date_means_its_beginning_in_utc():
    assert parse_time("2024-03-10") == NOON_NS - 12 * 3600 * NS_PER_S


def test_a_time_without_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        parse_time("2024-03-10T12:00:00")


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-02-30", "10/03/2024", "2024-03-10T25:00Z"])
def test_text_that_is_no_time_is_refused_and_quoted(text):
    with pytest.raises(ValueError, match="time: expected an ISO 8601"):
        parse_time(text)


@pytest.mark.parametrize("text", ["0001-01-01", "1699-12-31T23:59Z", "2200-01-01", "9999-12-31T23:59:59Z"])
def test_a_year_in_which_nanoseconds_leave_their_64_bits_is_refused_here_and_not_where_they_do(text):
    with pytest.raises(ValueError, match=f"time: expected a year from 1700 to 2199, was '{text}'"):
        parse_time(text)


class _Host:
    """A host whose clocks a test sets."""

    def __init__(self) -> None:
        self.wall_ns = 1_000 * NS_PER_S
        self.mono_s = 5.0

    def now_ns(self) -> int:
        return self.wall_ns

    def monotonic_s(self) -> float:
        return self.mono_s


def test_a_steady_clock_follows_the_wall_forwards_and_the_monotonic_clock_when_it_is_set_back():
    host = _Host()
    clock = SteadyClock(host)
    assert clock.now_ns() == 1_000 * NS_PER_S
    host.wall_ns, host.mono_s = 90_000 * NS_PER_S, 6.0
    assert clock.now_ns() == 90_000 * NS_PER_S
    host.wall_ns, host.mono_s = 2_000 * NS_PER_S, 8.0
    assert clock.now_ns() == 90_002 * NS_PER_S
    host.wall_ns, host.mono_s = 95_000 * NS_PER_S, 9.0
    assert clock.now_ns() == 95_000 * NS_PER_S
