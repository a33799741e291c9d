"""Ranges painted over each other against the plainest model: a list with one owner for each instant."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from data_layer.store.ranges import TimeRange, painted, spans

_SIZE = 20
_RANGES = st.lists(
    st.tuples(st.integers(0, _SIZE - 1), st.integers(1, 8), st.sampled_from("abc")).map(
        lambda one: TimeRange(one[0], min(_SIZE, one[0] + one[1]), one[2])
    ),
    max_size=12,
)


@given(_RANGES)
def test_painted_ranges_say_for_each_instant_who_came_last(news: list[TimeRange]) -> None:
    ranges: list[TimeRange] = []
    owners: list[str | None] = [None] * _SIZE
    for new in news:
        ranges = painted(ranges, new, over_holes=False)
        owners[new.start_ns : new.end_ns] = [new.source] * (new.end_ns - new.start_ns)
        told = [next((one.source for one in ranges if one.start_ns <= at < one.end_ns), None) for at in range(_SIZE)]
        assert told == owners
        assert all(a.end_ns < b.start_ns or a.source != b.source for a, b in itertools.pairwise(ranges))
        covered = [any(low <= at < high for low, high in spans(ranges, 0, _SIZE)) for at in range(_SIZE)]
        assert covered == [owner is not None for owner in owners]


@given(_RANGES)
def test_over_holes_no_instant_with_an_owner_changes(news: list[TimeRange]) -> None:
    ranges: list[TimeRange] = []
    owners: list[str | None] = [None] * _SIZE
    for new in news:
        ranges = painted(ranges, new, over_holes=True)
        owners[new.start_ns : new.end_ns] = [new.source] * (new.end_ns - new.start_ns)
    for at, owner in enumerate(owners):
        told = next((one.source for one in ranges if one.start_ns <= at < one.end_ns), None)
        assert owner is None or told == owner
    assert all(a.source != b.source for a, b in itertools.pairwise(ranges))
