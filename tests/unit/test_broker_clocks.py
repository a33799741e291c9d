"""Calendars of brokers' clocks, against instants worked out by hand; and the old list of such clocks.

In 2024 New York changed on 10 March and 3 November, Europe on 31 March and 27 October. Midnight in Helsinki is
22:00 UTC in winter and 21:00 UTC in summer; the FX week opens and closes at 17:00 New York, which is the same hours.
"""

from __future__ import annotations

import pickle

import pytest

from atrader.broker_clock import read_broker_clocks
from atrader.calendars import Calendar
from atrader.clock import iso_from_ns, parse_time
from atrader.errors import ConfigError
from atrader.instruments import KNOWN
from atrader.timeframes import Timeframe
from data_layer.bars import aggregate
from tests.support.bar_sources import market_bars

HELSINKI = Calendar.get("Europe/Helsinki@00:00 fx")
HEADER = (
    "Broker;DSTStartMonth;DSTStartNth;DSTStartDay;DSTStartTime;DSTEndMonth;DSTEndNth;DSTEndDay;DSTEndTime;"
    "GMTOffsetStd;GMTOffsetDST;WeekStartDay;WeekStartHour;WeekEndDay;WeekEndHour"
)


def tf(text: str) -> Timeframe:
    return Timeframe.parse(text)


def iso(ts_ns: int) -> str:
    return iso_from_ns(ts_ns).replace(":00Z", "Z")


@pytest.mark.parametrize(
    ("moment", "timeframe", "opens", "following"),
    [
        ("2024-03-07T13:14Z", "1d", "2024-03-06T22:00Z", "2024-03-07T22:00Z"),  # both on winter time
        ("2024-03-12T13:14Z", "1d", "2024-03-11T22:00Z", "2024-03-12T22:00Z"),  # New York changed: no effect
        ("2024-03-31T12:00Z", "1d", "2024-03-30T22:00Z", "2024-03-31T21:00Z"),  # 23 hours long
        ("2024-04-02T12:00Z", "1d", "2024-04-01T21:00Z", "2024-04-02T21:00Z"),
        ("2024-10-27T12:00Z", "1d", "2024-10-26T21:00Z", "2024-10-27T22:00Z"),  # 25 hours long
        ("2024-10-30T12:00Z", "1d", "2024-10-29T22:00Z", "2024-10-30T22:00Z"),
        ("2024-03-12T13:14Z", "4h", "2024-03-12T10:00Z", "2024-03-12T14:00Z"),
        ("2024-04-02T13:14Z", "4h", "2024-04-02T13:00Z", "2024-04-02T17:00Z"),
        ("2024-03-31T20:30Z", "4h", "2024-03-31T18:00Z", "2024-03-31T21:00Z"),  # the last of 23 hours is short
        ("2024-03-12T13:14Z", "1w", "2024-03-09T22:00Z", "2024-03-16T22:00Z"),  # from Sunday on
        ("2024-03-29T13:14Z", "1w", "2024-03-23T22:00Z", "2024-03-30T22:00Z"),
        ("2024-04-02T13:14Z", "1w", "2024-03-30T22:00Z", "2024-04-06T21:00Z"),
        ("2024-03-12T13:14Z", "1M", "2024-02-29T22:00Z", "2024-03-31T21:00Z"),
        ("2024-06-01T12:00Z", "1M", "2024-05-31T21:00Z", "2024-06-30T21:00Z"),  # a Saturday begins June
    ],
)
def test_bars_begin_by_the_clock_of_the_broker(moment: str, timeframe: str, opens: str, following: str) -> None:
    at = parse_time(moment)
    assert iso(HELSINKI.bar_open(at, tf(timeframe))) == opens
    assert iso(HELSINKI.next_bar_open(at, tf(timeframe))) == following


@pytest.mark.parametrize(
    ("monday", "days"),
    [
        ("2024-03-04", 5),  # both on winter time: the week opens with Monday
        ("2024-03-11", 6),  # only New York on summer time: Sunday has an hour, Friday lacks one
        ("2024-03-25", 6),
        ("2024-04-01", 5),  # both on summer time
        ("2024-10-28", 6),  # Europe is back on winter time, New York is not
        ("2024-11-04", 5),
    ],
)
def test_between_the_two_changes_of_summer_time_a_week_has_an_hour_of_sunday(monday: str, days: int) -> None:
    bars = market_bars(Calendar.get("fx"), "2024-03-01", "2024-11-12", "1h")
    week = HELSINKI.bar_open(parse_time(monday), tf("1w"))
    end = HELSINKI.next_bar_open(week, tf("1w"))
    inside = bars[int(bars.open_time_ns.searchsorted(week)) : int(bars.open_time_ns.searchsorted(end))]
    assert len(inside) == 120
    daily = aggregate(inside, tf("1d"), HELSINKI)
    assert len(daily) == days
    assert daily.open_time_ns.tolist() == HELSINKI.expected_bars(week, end, tf("1d")).tolist()
    assert len(HELSINKI.expected_bars(week, end, tf("1h"))) == 120, "the hours of the market are those of New York"
    assert len(aggregate(inside, tf("1w"), HELSINKI)) == 1


def test_the_market_opens_and_closes_by_new_york_whatever_the_clock() -> None:
    for moment in ("2024-03-10T20:00Z", "2024-03-15T20:59Z", "2024-12-25T12:00Z", "2024-07-04T12:00Z"):
        at = parse_time(moment)
        assert HELSINKI.is_open(at) == Calendar.get("fx").is_open(at)
        assert HELSINKI.next_open(at) == Calendar.get("fx").next_open(at)
        assert HELSINKI.is_weekend(at) == Calendar.get("fx").is_weekend(at)
    assert HELSINKI.next_close(parse_time("2024-03-14T12:00Z")) == parse_time("2024-03-15T21:00Z")
    assert pickle.loads(pickle.dumps(HELSINKI)) is HELSINKI
    never = Calendar.get("Europe/Helsinki@00:00")
    assert never.next_close(parse_time("2024-03-14T12:00Z")) is None


def test_the_list_of_an_old_installation_gives_the_same_clock_as_the_zone_of_that_city() -> None:
    lines = [
        HEADER,
        '"Some broker";3;0;0;03:00;10;0;0;04:00;2;3;1;0;5;24',
        "New York close;3;2;0;02:00;11;1;0;02:00;2;3;1;0;5;24",
        "UTC;0;0;0;00:00;0;0;0;00:00;0;5;1;0;5;24",
    ]
    clocks = read_broker_clocks(lines, "broker-tz.csv")
    assert list(clocks) == ["Some broker", "New York close", "UTC"]
    ours, close, utc = (Calendar.get(clock.calendar()) for clock in clocks.values())
    fx = Calendar.get("fx")
    for day in range(0, 700, 3):
        at = parse_time("2023-01-02T11:00Z") + day * 86_400_000_000_000
        assert ours.day_start(at) == HELSINKI.day_start(at)
        assert close.day_start(at) == fx.day_start(at), "always seven hours ahead of New York"
        assert utc.day_start(at) == at - 11 * 3_600_000_000_000, "without months there is no summer time"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A;13;0;0;03:00;10;0;0;04:00;2;3", "broker-tz.csv:2: DSTStartMonth: .* from 0 to 12, was '13'"),
        ("A;3;0;0;late;10;0;0;04:00;2;3", "broker-tz.csv:2: DSTStartTime: expected HH:MM, was 'late'"),
        ("A;3;0;0;03:00;10;0;0;04:00;2.5;3", "broker-tz.csv:2: GMTOffsetStd: .* from -15 to 15, was '2.5'"),
        (";3;0;0;03:00;10;0;0;04:00;2;3", "broker-tz.csv:2: Broker: expected a name"),
    ],
)
def test_a_row_that_cannot_be_names_line_and_column(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_broker_clocks([HEADER, line], "broker-tz.csv")
    with pytest.raises(ConfigError, match="no column Broker"):
        read_broker_clocks(["Name;Offset"], "broker-tz.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nyse", "'fx', '24/7' or a clock"),
        ("Europe/Atlantis@00:00", "expected an IANA zone"),
        ("Asia/Kolkata@00:00", "whole hours from UTC"),
        ("Europe/Helsinki@00:30", "local hour"),
        ("Europe/Helsinki@24:00", "local hour"),
        ("Europe/Helsinki@00:00 nyse", "hours of one of fx, 24/7"),
    ],
)
def test_a_clock_that_cannot_be_says_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calendar.get(name)
    with pytest.raises(ValueError, match=message):
        KNOWN["EUR/USD"].model_validate({**KNOWN["EUR/USD"].model_dump(), "calendar": name})
