"""What is chosen on and what is judged on: nothing of the second in the first, nothing judged twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.clock import parse_time
from atrader.errors import ConfigError
from manager.searches.wish import Judging
from research.optimisation.windows import DAY_NS, FEWEST_DAYS, Split, WalkForward, Window

HOUR_NS = DAY_NS // 24
BEGIN = parse_time("2024-01-01")
DAYS = BEGIN + DAY_NS * np.arange(1, 695)


def days_in(part: slice) -> list[int]:
    return list(range(part.start, part.stop))


def test_a_million_minutes_have_seventeen_windows_of_180_and_30_days() -> None:
    windows = WalkForward(train_days=180, test_days=30).windows(DAYS)
    assert len(windows) == 17
    assert windows[0] == Window(slice(0, 180), slice(180, 210))
    assert windows[1] == Window(slice(30, 210), slice(210, 240))


@pytest.mark.parametrize(("days", "windows"), [(209, 0), (210, 1), (239, 1), (240, 2)])
def test_a_last_window_is_judged_that_fits_to_the_day(days: int, windows: int) -> None:
    rule = WalkForward(train_days=180, test_days=30)
    if not windows:
        with pytest.raises(ConfigError, match="no window"):
            rule.windows(DAYS[:days])
        return
    found = rule.windows(DAYS[:days])
    assert (len(found), found[-1].test.stop) == (windows, 180 + 30 * windows)


def test_anchored_trainings_grow_from_the_first_day() -> None:
    windows = WalkForward(train_days=180, test_days=30, is_anchored=True).windows(DAYS)
    assert [one.train for one in windows[:3]] == [slice(0, 180), slice(0, 210), slice(0, 240)]
    assert [one.test for one in windows[:2]] == [slice(180, 210), slice(210, 240)]


def test_purge_shortens_the_training_and_embargo_the_test() -> None:
    window = WalkForward(train_days=180, test_days=30, purge_days=3, embargo_days=2).windows(DAYS)[0]
    assert window == Window(slice(0, 177), slice(182, 210))


@pytest.mark.parametrize("cut", ["2024-07-03", "2024-07-02T22:00:00Z"])
def test_a_gap_of_hours_leaves_a_whole_day_out_wherever_in_a_day_the_cut_lies(cut: str) -> None:
    days = DAYS - 2 * HOUR_NS  # they end at 22:00, as those of FX do in winter
    whole = Split(at_ns=parse_time(cut)).windows(days)[0]
    assert days[whole.train.stop - 1] == parse_time("2024-07-02T22:00:00Z")
    assert whole.test.start == whole.train.stop
    (purged,) = Split(at_ns=parse_time(cut), purge_days=1 / 24).windows(days)
    assert purged == whole._replace(train=slice(0, whole.train.stop - 1))
    (embargoed,) = Split(at_ns=parse_time(cut), embargo_days=1 / 24).windows(days)
    assert embargoed == whole._replace(test=slice(whole.test.start + 1, len(days)))


def test_a_weekend_is_time_enough_for_a_gap_of_a_day() -> None:
    days = DAYS[np.arange(len(DAYS)) % 7 < 5]  # the first day is a Monday
    (window,) = Split(at_ns=BEGIN + 33 * DAY_NS, embargo_days=1).windows(days)
    assert days[window.test.start] == BEGIN + 36 * DAY_NS  # Monday: it begins two days after the end of Friday


def test_weekends_are_no_rows_but_count_as_time() -> None:
    days = DAYS[np.arange(len(DAYS)) % 7 < 5]
    window = WalkForward(train_days=28, test_days=14).windows(days)[0]
    assert (len(days_in(window.train)), len(days_in(window.test))) == (20, 10)


@given(
    train=st.floats(6, 200),
    test=st.floats(6, 100),
    purge=st.floats(0, 5),
    embargo=st.floats(0, 5),
    anchored=st.booleans(),
    gone=st.sets(st.integers(0, 693), max_size=300),
)
def test_no_day_is_judged_twice_or_chosen_on_and_judged_in_one_window(
    train: float, test: float, purge: float, embargo: float, *, anchored: bool, gone: set[int]
) -> None:
    days = np.delete(DAYS, sorted(gone))
    rule = WalkForward(train_days=train, test_days=test, purge_days=purge, embargo_days=embargo, is_anchored=anchored)
    try:
        windows = rule.windows(days)
    except ConfigError:
        return
    judged = [day for window in windows for day in days_in(window.test)]
    assert judged == sorted(set(judged))
    for window in windows:
        assert min(len(days_in(window.train)), len(days_in(window.test))) >= FEWEST_DAYS
        begin_ns, end_ns = days[window.test.start] - DAY_NS, days[window.train.stop - 1]
        assert begin_ns >= end_ns
        assert begin_ns - end_ns >= round(purge * DAY_NS) + round(embargo * DAY_NS)


def test_a_split_is_a_share_of_the_days_or_a_moment() -> None:
    assert Split(share=0.7).windows(DAYS) == [Window(slice(0, 486), slice(486, 694))]
    at_ns = parse_time("2024-07-01")
    (window,) = Split(at_ns=at_ns, purge_days=1, embargo_days=1).windows(DAYS)
    assert DAYS[window.train.stop - 1] == at_ns - DAY_NS
    assert DAYS[window.test.start] == at_ns + 2 * DAY_NS


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Split(share=0.999), "split elsewhere"),
        (Split(at_ns=BEGIN - DAY_NS), "split elsewhere"),
        (WalkForward(train_days=680, test_days=30), "no window"),
        (WalkForward(train_days=4, test_days=30), "no window"),
        (WalkForward(train_days=0, test_days=30), "longer than nothing"),
        (WalkForward(train_days=30, test_days=30, purge_days=-0.5), "must not be negative"),
        (Split(share=0.7, purge_days=-0.5), "must not be negative"),
        (Split(share=0.7, embargo_days=-0.5), "must not be negative"),
    ],
)
def test_rules_that_leave_nothing_are_refused(rule: Split | WalkForward, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rule.windows(DAYS)


def test_five_days_are_enough_on_each_side_of_a_split_and_four_are_not() -> None:
    assert Split(at_ns=int(DAYS[4])).windows(DAYS[:10]) == [Window(slice(0, 5), slice(5, 10))]
    for days in (DAYS[1:10], DAYS[:9]):
        with pytest.raises(ConfigError, match="leaves less than 5 days before or after it"):
            Split(at_ns=int(DAYS[4])).windows(days)


@pytest.mark.parametrize(("purge_days", "embargo_days"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_only_options_that_were_given_are_to_be_shortened(purge_days: float, embargo_days: float) -> None:
    with pytest.raises(ConfigError) as refused:
        WalkForward(train_days=99, test_days=9, purge_days=purge_days, embargo_days=embargo_days).windows(DAYS[:50])
    assert ("--purge" in str(refused.value)) == bool(purge_days or embargo_days)


def test_the_words_of_the_command_line_become_a_rule() -> None:
    assert Judging().rule() == Split(share=0.7)
    assert Judging(split="60%").rule() == Split(share=0.6)
    assert Judging(split="2024-07-01", purge="1d").rule() == Split(at_ns=parse_time("2024-07-01"), purge_days=1.0)
    assert Judging(train="180d", test="30d", anchored=True, embargo="12h").rule() == WalkForward(
        train_days=180.0, test_days=30.0, is_anchored=True, embargo_days=0.5
    )


@pytest.mark.parametrize(
    ("judging", "said"),
    [
        (Judging(split="1.2"), "between 0 and 1"),
        (Judging(split="soon"), "expected a date, or a share"),
        (Judging(split="0.5", train="1d", test="1d"), "one or the other"),
        (Judging(train="180d"), "both --train and --test"),
        (Judging(train="half a year", test="30d"), "--train 'half a year'"),
        (Judging(anchored=True), "--anchored"),
    ],
)
def test_words_that_do_not_go_together_are_refused_by_option(judging: Judging, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        judging.rule()
