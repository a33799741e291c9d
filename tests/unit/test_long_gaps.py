"""Gaps of long periods are found piece by piece, and are those that one look at everything finds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.timeframes import Timeframe
from data_layer.bars import Gap, find_gaps

START, END = parse_time("2024-03-07T03:17:11Z"), parse_time("2024-03-19T12:00Z")


@pytest.mark.parametrize("calendar", ["fx", "24/7"])
@pytest.mark.parametrize("timeframe", ["7m", "1h", "1d"])
@pytest.mark.parametrize("at_once", [7, 60, 1440])
def test_gaps_do_not_depend_on_how_many_bars_are_looked_at_together(
    calendar: str, timeframe: str, at_once: int
) -> None:
    chance = np.random.default_rng(at_once)
    of, frame = Calendar.get(calendar), Timeframe.parse(timeframe)
    expected = of.expected_bars(START, END, frame)
    kept = np.repeat(chance.random(len(expected) // 20 + 1) < 0.5, 20)[: len(expected)]
    half = (END + START) // 2
    answered = [(half, half + 86_400 * 10**9)]
    for stored in (expected[kept], expected, expected[:0]):
        whole = find_gaps(stored, frame, of, START, END, answered, 10**9)
        assert find_gaps(stored, frame, of, START, END, answered, at_once) == whole
        assert find_gaps(stored, frame, of, START, END, (), at_once) == find_gaps(stored, frame, of, START, END)
    assert sum(gap.count for gap in find_gaps(expected[kept], frame, of, START, END)) == len(expected) - kept.sum()


def test_years_of_seconds_without_a_bar_are_one_gap_and_little_memory() -> None:
    start_ns, end_ns = parse_time("2022-01-01"), parse_time("2023-01-01")
    tracemalloc.start()
    try:
        gaps = find_gaps(np.empty(0, np.int64), Timeframe.parse("1s"), Calendar.get("24/7"), start_ns, end_ns)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert gaps == [Gap(start_ns, end_ns - 10**9, 365 * 86_400)]
    assert most < 60e6
