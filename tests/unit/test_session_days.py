"""Times that come back each day, over the four changes of summer time that matter."""

from __future__ import annotations

import pytest

from atrader.clock import iso_from_ns, parse_time
from atrader.session_days import DailyTime, SessionDays

NEW_YORK, LONDON = "America/New_York", "Europe/London"


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        (NEW_YORK, "2024-03-08T20:45:00Z", "2024-03-09T20:45:00Z"),  # the moment itself is not after itself
        (NEW_YORK, "2024-03-09T21:00:00Z", "2024-03-10T19:45:00Z"),  # the day of the change, 23 hours later
        (NEW_YORK, "2024-11-02T20:00:00Z", "2024-11-03T20:45:00Z"),
        (LONDON, "2024-03-30T16:00:00Z", "2024-03-31T14:45:00Z"),
        (LONDON, "2024-10-26T16:00:00Z", "2024-10-27T15:45:00Z"),
        ("Asia/Tokyo", "2024-03-09T21:00:00Z", "2024-03-10T06:45:00Z"),
    ],
)
def test_a_daily_time_keeps_its_local_hour(zone: str, after: str, expected: str) -> None:
    assert iso_from_ns(DailyTime("15:45", zone).next_after(parse_time(after))) == expected


def spans(days: SessionDays, moment: str) -> list[str]:
    return [iso_from_ns(ns) for ns in days.at(parse_time(moment))]


def test_a_night_belongs_to_the_date_on_which_it_ends() -> None:
    days = SessionDays(NEW_YORK, "18:00", "09:30", "15:00")
    monday = ["2024-03-10T22:00:00Z", "2024-03-11T13:30:00Z", "2024-03-11T19:00:00Z", "2024-03-12T13:30:00Z"]
    friday = ["2024-03-07T23:00:00Z", "2024-03-08T14:30:00Z", "2024-03-08T20:00:00Z", "2024-03-11T13:30:00Z"]
    assert spans(days, "2024-03-11T13:30:00Z") == monday
    assert spans(days, "2024-03-12T13:29:59Z") == monday
    assert spans(days, "2024-03-11T13:29:59Z") == friday, "the weekend has no day of its own"


def test_entries_may_go_on_until_the_date_after() -> None:
    days = SessionDays(LONDON, "20:00", "21:00", "02:00", ("fri",))
    week = ["2024-10-25T19:00:00Z", "2024-10-25T20:00:00Z", "2024-10-26T01:00:00Z", "2024-11-01T21:00:00Z"]
    assert spans(days, "2024-10-31T12:00:00Z") == week


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"zone": "Mars/Base"}, "IANA zone"),
        ({"range_end": "9:30"}, "range_end: expected a local time"),
        ({"weekdays": ("monday",)}, "expected some of mon, tue"),
        ({"weekdays": ()}, "expected some of mon, tue"),
    ],
)
def test_what_is_no_time_zone_or_weekday_is_refused(changed: dict[str, object], said: str) -> None:
    usual = {"zone": NEW_YORK, "range_start": "18:00", "range_end": "09:30", "entry_end": "15:00"}
    with pytest.raises(ValueError, match=said):
        SessionDays(**{**usual, **changed})  # type: ignore[arg-type]
