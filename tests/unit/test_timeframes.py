"""Lengths of bars."""

import pickle

import pytest

from atrader.timeframes import Timeframe

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("5s", 5), ("1m", 60), ("15m", 900), ("1h", 3600), ("4h", 14_400), ("23h", 82_800)],
)
def test_a_fixed_timeframe_knows_its_length(text, seconds):
    timeframe = Timeframe.parse(text)
    assert (timeframe.seconds, timeframe.ns, timeframe.name) == (seconds, seconds * 1_000_000_000, text)
    assert timeframe.is_fixed
    assert str(timeframe) == text


@pytest.mark.parametrize(("text", "seconds"), [("1d", 86_400), ("1w", 604_800), ("1M", 2_592_000)])
def test_a_calendar_timeframe_has_a_nominal_length_only(text, seconds):
    timeframe = Timeframe.parse(text)
    assert (timeframe.seconds, timeframe.name, timeframe.is_fixed) == (seconds, text, False)
    with pytest.raises(ValueError, match="no fixed length"):
        _ = timeframe.ns


@pytest.mark.parametrize(
    ("text", "name"), [("60s", "1m"), ("60m", "1h"), ("120m", "2h"), ("3600s", "1h"), ("90s", "90s")]
)
def test_equal_lengths_are_one_timeframe(text, name):
    assert Timeframe.parse(text) == Timeframe.parse(name)
    assert hash(Timeframe.parse(text)) == hash(Timeframe.parse(name))
    assert Timeframe.parse(text).name == name


def test_timeframes_order_by_length():
    names = ["1M", "1d", "5s", "4h", "1m", "1w", "1s", "1h"]
    assert [t.name for t in sorted(map(Timeframe.parse, names))] == ["1s", "5s", "1m", "1h", "4h", "1d", "1w", "1M"]


def test_a_minute_is_not_a_month():
    assert Timeframe.parse("1m") != Timeframe.parse("1M")


def test_a_timeframe_survives_pickling():
    assert pickle.loads(pickle.dumps(Timeframe.parse("4h"))) == Timeframe.parse("4h")


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "-1m", "1.5h", "1 h", "1H", "01m", "1min", "1m\n", "\u0661m", "1000000s"]
)
def test_text_of_another_form_is_refused_and_quoted(text):
    with pytest.raises(ValueError, match="timeframe: expected"):
        Timeframe.parse(text)


@pytest.mark.parametrize("text", ["2d", "3d", "2w", "3M"])
def test_several_days_weeks_or_months_are_refused(text):
    with pytest.raises(ValueError, match="one at a time"):
        Timeframe.parse(text)


@pytest.mark.parametrize("text", ["24h", "1440m", "86400s"])
def test_a_day_in_hours_is_refused_and_points_to_1d(text):
    with pytest.raises(ValueError, match="1d"):
        Timeframe.parse(text)
