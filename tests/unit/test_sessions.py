"""Session windows, with the summer time changes of the United States and Europe in 2024."""

import pytest

from atrader.clock import parse_time
from atrader.sessions import Session

pytestmark = pytest.mark.unit

LONDON = Session.parse("08:00", "16:30", "Europe/London")
NIGHT = Session.parse("22:00", "06:00", "America/New_York", ["sun", "mon", "tue", "wed", "thu"])


@pytest.mark.parametrize(
    ("session", "start", "end"),
    [
        (LONDON, "2024-03-28T08:00Z", "2024-03-28T16:30Z"),  # winter time
        (LONDON, "2024-04-01T07:00Z", "2024-04-01T15:30Z"),  # summer time
        (LONDON, "2024-10-25T07:00Z", "2024-10-25T15:30Z"),
        (LONDON, "2024-10-28T08:00Z", "2024-10-28T16:30Z"),
        (NIGHT, "2024-03-08T03:00Z", "2024-03-08T11:00Z"),  # Thursday night
        (NIGHT, "2024-03-11T02:00Z", "2024-03-11T10:00Z"),  # Sunday night after New York changed
        (NIGHT, "2024-11-04T03:00Z", "2024-11-04T11:00Z"),
    ],
)
def test_a_window_keeps_its_local_hours_and_excludes_its_end(session, start, end):
    start_ns, end_ns = parse_time(start), parse_time(end)
    assert not session.contains(start_ns - 1)
    assert session.contains(start_ns)
    assert session.contains(end_ns - 1)
    assert not session.contains(end_ns)


@pytest.mark.parametrize(("moment"), ["2024-03-30T12:00Z", "2024-03-31T12:00Z"])
def test_there_is_no_window_on_other_weekdays(moment):
    assert not LONDON.contains(parse_time(moment))


def test_a_window_over_midnight_belongs_to_the_weekday_on_which_it_starts():
    assert NIGHT.contains(parse_time("2024-03-15T05:00Z"))  # Friday 01:00, started on Thursday
    assert not NIGHT.contains(parse_time("2024-03-16T03:00Z"))  # Friday 23:00
    assert not NIGHT.contains(parse_time("2024-03-17T05:00Z"))  # Sunday 01:00, would have started on Saturday


def test_a_window_over_the_change_of_summer_time_lasts_an_hour_more_or_less():
    saturday = Session.parse("22:00", "06:00", "America/New_York", ["sat"])
    for opens, ends in (("2024-03-10T03:00Z", "2024-03-10T10:00Z"), ("2024-11-03T02:00Z", "2024-11-03T11:00Z")):
        assert [saturday.contains(parse_time(opens) - 1), saturday.contains(parse_time(opens))] == [False, True]
        assert [saturday.contains(parse_time(ends) - 1), saturday.contains(parse_time(ends))] == [True, False]


def test_equal_start_and_end_is_a_whole_day():
    monday = Session.parse("00:00", "00:00", "UTC", ["mon"])
    assert monday == Session.parse("00:00", "24:00", "UTC", ["mon"])
    assert monday.contains(parse_time("2024-03-11T23:59:59.999999999Z"))
    assert not monday.contains(parse_time("2024-03-12T00:00Z"))


def test_a_window_inside_the_skipped_hour_shifts_and_one_left_empty_does_not_take_place():
    skipped = Session.parse("02:15", "02:45", "America/New_York", ["sun"])
    assert skipped.contains(parse_time("2024-03-10T07:30Z"))  # 03:30 summer time, in place of 02:30
    emptied = Session.parse("02:30", "03:15", "America/New_York", ["sun"])
    assert not any(emptied.contains(parse_time("2024-03-10T07:00Z") + k * 60_000_000_000) for k in range(90))
    assert emptied.contains(parse_time("2024-03-17T07:14Z"))


def test_an_hour_shown_twice_counts_the_first_time():
    twice = Session.parse("01:15", "01:45", "America/New_York", ["sun"])
    assert twice.contains(parse_time("2024-11-03T05:30Z"))
    assert not twice.contains(parse_time("2024-11-03T06:30Z"))


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (("8", "16:00", "UTC", ["mon"]), "start"),
        (("08:00", "25:00", "UTC", ["mon"]), "end"),
        (("08:00+01:00", "16:00", "UTC", ["mon"]), "start"),
        (("08:00", "16:00", "Europe", ["mon"]), "zone"),
        (("08:00", "16:00", "Mars/Olympus", ["mon"]), "zone"),
        (("08:00", "16:00", "../etc/passwd", ["mon"]), "zone"),
        (("08:00", "16:00", "", ["mon"]), "zone"),
        (("08:00", "16:00", "UTC", ["monday"]), "weekdays"),
        (("08:00", "16:00", "UTC", []), "weekdays"),
    ],
)
def test_a_wrong_value_is_refused_by_name(arguments, parameter):
    with pytest.raises(ValueError, match=f"^{parameter}: expected"):
        Session.parse(*arguments)


def test_weekday_numbers_outside_the_week_are_refused():
    with pytest.raises(ValueError, match="weekdays"):
        Session(LONDON.start, LONDON.end, LONDON.zone, frozenset({7}))
