"""What holds for every calendar, timeframe and instant."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atrader.calendars import Calendar, Period
from atrader.clock import iso_from_ns, parse_time
from atrader.timeframes import Timeframe

pytestmark = pytest.mark.property

NS_PER_DAY = 86_400_000_000_000
NAMES = ("1s", "5s", "7s", "1m", "7m", "15m", "45m", "1h", "90m", "2h", "4h", "5h", "12h", "1d", "1w", "1M")

CLOSED = (
    Period(parse_time("2024-03-11T13:30Z"), parse_time("2024-03-11T15:00:07Z")),
    Period(parse_time("2024-03-31T18:20Z"), parse_time("2024-03-31T18:40Z")),
    Period(parse_time("2024-10-26T00:00Z"), parse_time("2024-10-29T12:00Z")),
)
calendars = st.builds(Calendar.get, st.sampled_from(["fx", "24/7"]), st.sampled_from([(), CLOSED]))
timeframes = st.sampled_from(NAMES).map(Timeframe.parse)
near_changes = st.sampled_from(
    ["2024-03-10", "2024-03-31", "2024-10-27", "2024-11-03", "2024-06-01", "1970-01-01", "2024-12-25"]
)
instants = st.integers(parse_time("1960-01-01"), parse_time("2060-01-01")) | st.builds(
    lambda day, shift_ns: parse_time(day) + shift_ns, near_changes, st.integers(-4 * NS_PER_DAY, 4 * NS_PER_DAY)
)


@given(calendars, timeframes, instants)
def test_the_open_of_a_bar_is_its_own_open_and_the_end_opens_the_next(calendar, timeframe, ts_ns):
    open_ns = calendar.bar_open(ts_ns, timeframe)
    end_ns = calendar.next_bar_open(ts_ns, timeframe)
    assert open_ns <= ts_ns < end_ns
    assert calendar.bar_open(open_ns, timeframe) == open_ns
    assert calendar.bar_open(end_ns - 1, timeframe) == open_ns
    assert calendar.bar_open(end_ns, timeframe) == end_ns
    assert calendar.next_bar_open(open_ns, timeframe) == end_ns


@given(calendars, timeframes, instants, instants)
def test_later_instants_never_have_earlier_bars(calendar, timeframe, first_ns, second_ns):
    early_ns, late_ns = sorted((first_ns, second_ns))
    assert calendar.bar_open(early_ns, timeframe) <= calendar.bar_open(late_ns, timeframe)


@given(calendars, instants)
def test_shorter_bars_lie_inside_longer_ones(calendar, ts_ns):
    opens = [calendar.bar_open(ts_ns, Timeframe.parse(name)) for name in ("1s", "1m", "15m", "1h", "4h", "1d")]
    assert opens == sorted(opens, reverse=True)


@given(calendars, timeframes, instants, st.integers(0, 3 * NS_PER_DAY))
def test_expected_bars_hold_open_hours_and_none_is_missing(calendar, timeframe, start_ns, length_ns):
    end_ns = start_ns + (length_ns if timeframe.seconds >= 60 else length_ns // 100)
    bars = calendar.expected_bars(start_ns, end_ns, timeframe).tolist()
    walked: list[int] = []
    open_ns = calendar.bar_open(start_ns, timeframe)
    while open_ns < end_ns and len(walked) < 400:
        next_ns = calendar.next_bar_open(open_ns, timeframe)
        opens_ns = calendar.next_open(open_ns)
        if open_ns >= start_ns and (calendar.is_open(open_ns) or (opens_ns is not None and opens_ns < next_ns)):
            walked.append(open_ns)
        open_ns = next_ns
    assert bars[: len(walked)] == walked
    assert len(walked) == 400 or len(bars) == len(walked)
    assert np.all(np.diff(bars) > 0)
    assert all(start_ns <= b < end_ns for b in bars)


@given(instants, st.sampled_from([(), CLOSED]))
@example(parse_time("2024-03-11T14:00Z"), CLOSED)
@example(parse_time("2024-12-25T14:00Z"), ())
def test_fx_opening_and_closing_alternate(ts_ns, closed):
    fx = Calendar.get("fx", closed)
    opens_ns, closes_ns = fx.next_open(ts_ns), fx.next_close(ts_ns)
    assert opens_ns is not None
    assert closes_ns is not None
    assert fx.is_open(opens_ns)
    assert not fx.is_open(opens_ns - 1)
    assert not fx.is_open(closes_ns)
    assert fx.is_open(closes_ns - 1)
    assert (closes_ns < opens_ns) == fx.is_open(ts_ns)


@given(st.integers(-(2**61), 2**62))
def test_iso_text_is_read_back_to_the_nanosecond(ts_ns):
    assert parse_time(iso_from_ns(ts_ns)) == ts_ns
