"""Trading calendars against instants written by hand, with care for the weeks in which summer time begins or ends.

In 2024 New York changed on 10 March and 3 November, Europe on 31 March and 27 October. 17:00 New York is 22:00 UTC in
winter and 21:00 UTC in summer; European dates must change nothing.
"""

import pickle
from itertools import pairwise

import numpy as np
import pytest

from atrader.calendars import Calendar, Period
from atrader.clock import iso_from_ns, parse_time
from atrader.timeframes import Timeframe

pytestmark = pytest.mark.unit

FX = Calendar.get("fx")
ALWAYS = Calendar.get("24/7")

# (opens Sunday, closes Friday): the weeks round the four changes of summer time
WEEKS = [
    ("2024-03-03T22:00Z", "2024-03-08T22:00Z"),  # both on winter time
    ("2024-03-10T21:00Z", "2024-03-15T21:00Z"),  # New York changed that Sunday morning
    ("2024-03-17T21:00Z", "2024-03-22T21:00Z"),  # New York on summer time, Europe not yet
    ("2024-03-24T21:00Z", "2024-03-29T21:00Z"),
    ("2024-03-31T21:00Z", "2024-04-05T21:00Z"),  # Europe changed: no effect
    ("2024-10-20T21:00Z", "2024-10-25T21:00Z"),
    ("2024-10-27T21:00Z", "2024-11-01T21:00Z"),  # Europe is back on winter time, New York is not
    ("2024-11-03T22:00Z", "2024-11-08T22:00Z"),  # New York changed that Sunday morning
]


def tf(text: str) -> Timeframe:
    return Timeframe.parse(text)


def iso(ts_ns: int | None) -> str:
    assert ts_ns is not None
    return iso_from_ns(ts_ns).replace(":00Z", "Z")


@pytest.mark.parametrize(("opens", "closes"), WEEKS)
def test_fx_is_open_from_sunday_to_friday_17_new_york(opens, closes):
    open_ns, close_ns = parse_time(opens), parse_time(closes)
    assert not FX.is_open(open_ns - 1)
    assert FX.is_open(open_ns)
    assert FX.is_open(close_ns - 1)
    assert not FX.is_open(close_ns)


@pytest.mark.parametrize(("opens", "closes"), WEEKS)
def test_fx_tells_its_next_opening_and_closing(opens, closes):
    open_ns, close_ns = parse_time(opens), parse_time(closes)
    assert FX.next_open(open_ns - 1) == open_ns
    assert FX.next_open(open_ns - 36 * 3_600_000_000_000) == open_ns
    assert FX.next_close(open_ns - 1) == close_ns
    assert FX.next_close(open_ns) == close_ns
    assert FX.next_close(close_ns - 1) == close_ns


@pytest.mark.parametrize(("this", "following"), [(a, b) for a, b in pairwise(WEEKS) if a != WEEKS[4]])
def test_fx_changes_are_strictly_after_the_instant(this, following):
    assert FX.next_open(parse_time(this[0])) == parse_time(following[0])
    assert FX.next_close(parse_time(this[1])) == parse_time(following[1])


def test_a_market_that_never_closes_has_no_next_change():
    now_ns = parse_time("2024-03-10T06:59Z")
    assert ALWAYS.is_open(now_ns)
    assert ALWAYS.next_open(now_ns) is None
    assert ALWAYS.next_close(now_ns) is None


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-03-08T21:59:59.999999999Z", "2024-03-07T22:00Z"),  # the last winter Friday
        ("2024-03-09T12:00Z", "2024-03-08T22:00Z"),  # Saturday is a (closed) day too
        ("2024-03-10T20:59Z", "2024-03-09T22:00Z"),  # 23 hours long
        ("2024-03-10T21:00Z", "2024-03-10T21:00Z"),
        ("2024-11-03T21:59Z", "2024-11-02T21:00Z"),  # 25 hours long
        ("2024-11-03T22:00Z", "2024-11-03T22:00Z"),
        ("1965-07-01T00:00Z", "1965-06-30T21:00Z"),  # before the epoch
    ],
)
def test_fx_days_begin_at_17_new_york(moment, day):
    assert iso(FX.day_start(parse_time(moment))) == day


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2013-02-03T22:00Z", "2013-02-04"),  # Sunday evening: Monday
        ("2013-02-04T21:59Z", "2013-02-04"),
        ("2013-02-04T22:00Z", "2013-02-05"),
        ("2013-02-28T22:00Z", "2013-03-01"),
    ],
)
def test_fx_days_are_called_by_the_date_on_which_they_end(moment, day):
    assert FX.date_of(parse_time(moment)).isoformat() == day
    assert Calendar.get("24/7").date_of(parse_time(moment)).isoformat() == moment[:10]


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        ("2024-03-08T12:00Z", "2024-03-03T22:00Z"),
        ("2024-03-10T20:59Z", "2024-03-03T22:00Z"),  # the closed days end the week before
        ("2024-03-10T21:00Z", "2024-03-10T21:00Z"),
        ("2024-11-01T12:00Z", "2024-10-27T21:00Z"),
        ("2024-11-03T22:00Z", "2024-11-03T22:00Z"),
    ],
)
def test_fx_weeks_begin_on_sunday_17_new_york(moment, week):
    assert iso(FX.bar_open(parse_time(moment), tf("1w"))) == week


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        ("2024-03-15T00:00Z", "2024-02-29T22:00Z"),  # Friday 1 March began on Thursday evening
        ("2024-02-29T21:59Z", "2024-01-31T22:00Z"),
        ("2024-03-31T20:59Z", "2024-02-29T22:00Z"),
        ("2024-04-01T00:00Z", "2024-03-31T21:00Z"),
        ("2024-06-01T12:00Z", "2024-04-30T21:00Z"),  # Saturday 1 June is closed: still May
        ("2024-06-02T21:00Z", "2024-06-02T21:00Z"),  # June begins with Monday the 3rd
        ("2024-12-31T22:00Z", "2024-12-31T22:00Z"),
    ],
)
def test_fx_months_begin_with_their_first_open_day(moment, month):
    assert iso(FX.bar_open(parse_time(moment), tf("1M"))) == month


def test_the_calendar_without_closing_follows_utc():
    moment = parse_time("2024-03-10T07:30Z")  # a Sunday
    assert iso(ALWAYS.day_start(moment)) == "2024-03-10T00:00Z"
    assert iso(ALWAYS.bar_open(moment, tf("1w"))) == "2024-03-04T00:00Z"
    assert iso(ALWAYS.bar_open(moment, tf("1M"))) == "2024-03-01T00:00Z"
    assert iso(ALWAYS.next_bar_open(parse_time("2024-02-29T23:59Z"), tf("1M"))) == "2024-03-01T00:00Z"


@pytest.mark.parametrize(
    ("moment", "timeframe", "opens", "following"),
    [
        ("2024-03-12T13:14:15.5Z", "5s", "2024-03-12T13:14:15Z", "2024-03-12T13:14:20Z"),
        ("2024-03-12T13:14:15Z", "1m", "2024-03-12T13:14Z", "2024-03-12T13:15Z"),
        ("2024-03-12T13:14:15Z", "15m", "2024-03-12T13:00Z", "2024-03-12T13:15Z"),
        ("2024-03-12T13:14:15Z", "1h", "2024-03-12T13:00Z", "2024-03-12T14:00Z"),
        ("2024-03-07T13:14:15Z", "4h", "2024-03-07T10:00Z", "2024-03-07T14:00Z"),  # winter: 22, 2, 6, 10, 14, 18
        ("2024-03-12T13:14:15Z", "4h", "2024-03-12T13:00Z", "2024-03-12T17:00Z"),  # summer: 21, 1, 5, 9, 13, 17
        ("2024-03-12T20:59Z", "8h", "2024-03-12T13:00Z", "2024-03-12T21:00Z"),
        ("2024-03-12T20:59Z", "5h", "2024-03-12T17:00Z", "2024-03-12T21:00Z"),  # the day's last bar is short
        ("2024-03-12T13:14Z", "45m", "2024-03-12T12:45Z", "2024-03-12T13:30Z"),
        ("2024-03-12T13:14Z", "1d", "2024-03-11T21:00Z", "2024-03-12T21:00Z"),
        ("2024-03-06T13:14Z", "1w", "2024-03-03T22:00Z", "2024-03-10T21:00Z"),
        ("2024-10-30T13:14Z", "1w", "2024-10-27T21:00Z", "2024-11-03T22:00Z"),
        ("2024-03-12T13:14Z", "1M", "2024-02-29T22:00Z", "2024-03-31T21:00Z"),
    ],
)
def test_fx_bars_begin_where_the_rule_says(moment, timeframe, opens, following):
    ts_ns = parse_time(moment)
    assert FX.bar_open(ts_ns, tf(timeframe)) == parse_time(opens)
    assert FX.next_bar_open(ts_ns, tf(timeframe)) == parse_time(following)


def test_the_last_bar_of_the_fx_week_ends_when_the_market_closes():
    close_ns = parse_time("2024-03-15T21:00Z")
    for timeframe in ("1s", "1m", "1h", "4h", "1d"):
        assert FX.next_bar_open(close_ns - 1, tf(timeframe)) == close_ns


@pytest.mark.parametrize(("opens", "closes"), WEEKS)
def test_an_fx_week_has_7200_minutes_120_hours_30_fours_and_5_days(opens, closes):
    open_ns, close_ns = parse_time(opens), parse_time(closes)
    around = (open_ns - 40 * 3_600_000_000_000, close_ns + 40 * 3_600_000_000_000)
    for timeframe, bars in (("1m", 7200), ("1h", 120), ("4h", 30), ("1d", 5), ("1w", 1)):
        expected = FX.expected_bars(*around, tf(timeframe))
        assert (expected.dtype, len(expected)) == (np.dtype(np.int64), bars)
        assert expected[0] == open_ns
        assert expected[-1] < close_ns


def test_expected_bars_include_the_start_and_exclude_the_end():
    start_ns, end_ns = parse_time("2024-03-12T13:00Z"), parse_time("2024-03-12T13:03Z")
    assert [iso(int(t)) for t in FX.expected_bars(start_ns, end_ns, tf("1m"))] == [
        "2024-03-12T13:00Z",
        "2024-03-12T13:01Z",
        "2024-03-12T13:02Z",
    ]
    assert len(FX.expected_bars(start_ns + 1, end_ns, tf("1m"))) == 2
    assert len(FX.expected_bars(end_ns, start_ns, tf("1m"))) == 0
    assert len(FX.expected_bars(start_ns, start_ns, tf("1d"))) == 0


def test_expected_bars_over_a_weekend_skip_the_closed_hours():
    opens = FX.expected_bars(parse_time("2024-03-08T21:00Z"), parse_time("2024-03-10T23:00Z"), tf("1h"))
    assert [iso(int(t)) for t in opens] == ["2024-03-08T21:00Z", "2024-03-10T21:00Z", "2024-03-10T22:00Z"]


def test_expected_months_begin_on_open_days():
    opens = FX.expected_bars(parse_time("2024-01-01"), parse_time("2024-07-01"), tf("1M"))
    assert [iso(int(t)) for t in opens] == [
        "2024-01-31T22:00Z",
        "2024-02-29T22:00Z",
        "2024-03-31T21:00Z",
        "2024-04-30T21:00Z",
        "2024-06-02T21:00Z",
        "2024-06-30T21:00Z",
    ]


def test_crypto_has_every_minute_of_a_month():
    assert len(ALWAYS.expected_bars(parse_time("2024-03-01"), parse_time("2024-04-01"), tf("1m"))) == 31 * 1440


def test_an_unknown_calendar_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match=r"'fx', '24/7'.*'nyse'"):
        Calendar.get("nyse")


def test_calendars_are_shared_and_survive_pickling():
    assert Calendar.get("fx") is FX
    assert pickle.loads(pickle.dumps(FX)) is FX
    assert (FX.name, repr(FX)) == ("fx", "Calendar.get('fx')")


def test_answers_do_not_depend_on_the_order_of_questions():
    moments = [parse_time(w[0]) + k * 7 * 3_600_000_000_000 for w in WEEKS for k in range(24)]
    shuffled = list(np.random.default_rng(7).permutation(moments))
    fresh = {m: (FX.is_open(m), FX.bar_open(m, tf("1M")), FX.bar_open(m, tf("4h"))) for m in moments}
    again = {
        int(m): (FX.is_open(int(m)), FX.bar_open(int(m), tf("1M")), FX.bar_open(int(m), tf("4h"))) for m in shuffled
    }
    assert fresh == again


# -- holidays and closed periods


@pytest.mark.parametrize(
    ("closes", "opens"),
    [
        ("2013-12-24T22:00Z", "2013-12-25T22:00Z"),  # a Wednesday
        ("2024-12-31T22:00Z", "2025-01-01T22:00Z"),
        ("2023-12-22T22:00Z", "2023-12-25T22:00Z"),  # Monday: the weekend is a day longer
        ("2020-12-24T22:00Z", "2020-12-27T22:00Z"),  # Friday: it begins a day earlier
        ("2021-12-24T22:00Z", "2021-12-26T22:00Z"),  # Saturday: nothing changes
        ("2022-12-23T22:00Z", "2022-12-25T22:00Z"),  # Sunday: Monday's day begins that evening as always
    ],
)
def test_fx_is_closed_at_christmas_and_new_year(closes, opens):
    close_ns, open_ns = parse_time(closes), parse_time(opens)
    assert FX.is_open(close_ns - 1)
    assert not FX.is_open(close_ns)
    assert not FX.is_open(open_ns - 1)
    assert FX.is_open(open_ns)
    assert FX.next_close(close_ns - 1) == close_ns
    assert FX.next_open(close_ns - 1) == FX.next_open(close_ns) == open_ns


def test_a_holiday_is_no_gap_and_no_weekend():
    start_ns, end_ns = parse_time("2013-12-23T22:00Z"), parse_time("2013-12-26T22:00Z")
    days = [iso(int(day)) for day in FX.expected_bars(start_ns, end_ns, tf("1d"))]
    assert days == ["2013-12-23T22:00Z", "2013-12-25T22:00Z"]
    assert len(FX.expected_bars(start_ns, end_ns, tf("1m"))) == 2 * 1440
    assert not FX.is_weekend(parse_time("2013-12-25T12:00Z"))
    assert FX.is_weekend(parse_time("2013-12-28T12:00Z"))


def test_holidays_move_no_boundary():
    new_year = parse_time("2014-01-01T12:00Z")
    assert iso(FX.bar_open(new_year, tf("1M"))) == iso(FX.day_start(new_year)) == "2013-12-31T22:00Z"
    christmas_monday = parse_time("2023-12-25T12:00Z")
    assert iso(FX.bar_open(christmas_monday, tf("1w"))) == "2023-12-24T22:00Z"
    weeks = FX.expected_bars(christmas_monday - 7 * 86_400 * 10**9, christmas_monday, tf("1w"))
    assert [iso(int(week)) for week in weeks] == ["2023-12-24T22:00Z"]  # it begins closed, and has bars all the same


def test_crypto_knows_no_holidays():
    assert ALWAYS.is_open(parse_time("2024-12-25T12:00Z"))


EARLY = Period(parse_time("2015-12-24T19:00Z"), parse_time("2015-12-24T22:00Z"))


def test_an_early_close_of_the_configuration_joins_the_holiday():
    fx = Calendar.get("fx", (EARLY,))
    assert fx.is_open(EARLY.start_ns - 1)
    assert not fx.is_open(EARLY.start_ns)
    assert FX.is_open(EARLY.start_ns)
    assert fx.next_close(EARLY.start_ns - 1) == EARLY.start_ns
    assert iso(fx.next_open(EARLY.start_ns)) == "2015-12-27T22:00Z"  # 25 December 2015 was a Friday
    day = (parse_time("2015-12-23T22:00Z"), parse_time("2015-12-24T22:00Z"))
    assert len(fx.expected_bars(*day, tf("1h"))) == 21
    assert [iso(int(bar)) for bar in fx.expected_bars(*day, tf("4h"))][-1] == "2015-12-24T18:00Z"  # open for an hour
    assert pickle.loads(pickle.dumps(fx)) is fx


def test_a_pause_inside_a_bar_gives_the_bar_once():
    start_ns = parse_time("2024-03-12T13:00Z")
    fx = Calendar.get("fx", (Period(start_ns + 600 * 10**9, start_ns + 1200 * 10**9),))
    assert fx.expected_bars(start_ns, start_ns + 3600 * 10**9, tf("1h")).tolist() == [start_ns]
    assert len(fx.expected_bars(start_ns, start_ns + 3600 * 10**9, tf("1m"))) == 50


def test_a_market_without_weekend_opens_again_after_a_closed_period():
    always = Calendar.get("24/7", (EARLY,))
    assert always.next_close(EARLY.start_ns - 86_400 * 10**9) == EARLY.start_ns
    assert always.next_open(EARLY.start_ns) == EARLY.end_ns
    assert always.next_close(EARLY.start_ns) is None
    assert always.next_open(EARLY.end_ns) is None
