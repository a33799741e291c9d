"""Bars in shared memory: views of what is published, whole and in order, and what happens when columns end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from atrader.clock import host_now_ns
from atrader.market import Bar, Bars
from data_layer.shared import BarReader, BarShare, NotShared
from data_layer.shared.layout import SILENCE_NS, WHOLE_NS
from data_layer.shared.segment import ROW_BYTES

EPOCH = 3
Key = tuple[str, str]
KEY: Key = ("EUR/USD", "1m")
MINUTE_NS = 60_000_000_000


def bar(number: int) -> Bar:
    return Bar(number * MINUTE_NS, *(float(number * 10 + column) for column in range(9)))


def bars(first: int, last: int) -> Bars:
    count = np.arange(first, last + 1)
    return Bars(count * MINUTE_NS, *(count * 10.0 + column for column in range(9)))


def numbers(found: Bars) -> list[int]:
    """Return the numbers of bars whose values all fit together."""
    result = [int(time_ns) // MINUTE_NS for time_ns in found.open_time_ns]
    assert [found.row(index) for index in range(len(found))] == [bar(number) for number in result]
    return result


@pytest.fixture
def share() -> Iterator[BarShare]:
    share = BarShare(EPOCH, max_bytes=100_000 * ROW_BYTES)
    yield share
    share.close()


@pytest.fixture
def reader() -> Iterator[BarReader]:
    reader = BarReader()
    yield reader
    reader.close()


def begin(
    share: BarShare, reader: BarReader, found: Bars, *, from_ns: int = WHOLE_NS, key: Key = KEY, seq: int = 10
) -> bool:
    """Share a series and map it; False when it is not shared."""
    begun = share.begin(key)
    where = share.commit(key, begun, found, from_ns, seq)
    share.abandon(key)
    return where is not None and reader.attach(*key, where, EPOCH)


def read(reader: BarReader, *, key: Key = KEY, start=None, end=None, count=None) -> Bars:
    start_ns, end_ns = (None if number is None else number * MINUTE_NS for number in (start, end))
    return reader.read(*key, start_ns, end_ns, count)[0]


def test_a_reader_sees_what_is_shared_and_what_is_published_later(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 5))
    found, epoch, seq = reader.read(*KEY, None, None, None)
    assert (numbers(found), epoch, seq) == ([1, 2, 3, 4, 5], EPOCH, 10)
    share.append(KEY, bar(6), 11)
    later, _, seq = reader.read(*KEY, None, None, None)
    assert (numbers(later), seq) == ([1, 2, 3, 4, 5, 6], 11)
    assert numbers(found) == [1, 2, 3, 4, 5], "a view stays as it is"


def test_a_query_by_times_and_count_gives_what_the_bus_gives(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 9))
    assert numbers(read(reader, start=3)) == [3, 4, 5, 6, 7, 8, 9]
    assert numbers(read(reader, start=3, end=6)) == [3, 4, 5]
    assert numbers(read(reader, start=3, end=6, count=2)) == [4, 5]
    assert numbers(read(reader, end=4, count=2)) == [2, 3]
    assert numbers(read(reader, count=2)) == [8, 9]
    assert numbers(read(reader, count=0)) == []
    assert numbers(read(reader, count=100)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert numbers(read(reader, start=6, end=3)) == []
    assert numbers(read(reader, start=100)) == []


def test_what_does_not_reach_back_far_enough_is_left_to_the_bus(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(5, 9), from_ns=5 * MINUTE_NS)
    assert numbers(read(reader, count=5)) == [5, 6, 7, 8, 9]
    assert numbers(read(reader, start=5)) == [5, 6, 7, 8, 9]
    queries: tuple[dict[str, Any], ...] = (
        {"count": 6},
        {"start": 4},
        {},
        {"end": 7},
        {"end": 7, "count": 3},
        {"count": -1},
    )
    for query in queries:
        with pytest.raises(NotShared, match="so far back"):
            read(reader, **query)


def test_views_are_read_only_and_outlive_reader_and_writer():
    share, reader = BarShare(EPOCH, 10**6), BarReader()
    assert begin(share, reader, bars(1, 3))
    found = read(reader)
    with pytest.raises(ValueError, match="read-only"):
        found.open[0] = 1.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.open.flags.writeable = True
    share.close()
    with pytest.raises(NotShared):
        read(reader)
    reader.close()
    assert numbers(found) == [1, 2, 3]


def test_a_series_without_bars_can_be_shared_before_its_first_one(share: BarShare, reader: BarReader):
    assert begin(share, reader, Bars.empty())
    assert len(read(reader)) == 0
    share.append(KEY, bar(1), 1)
    assert numbers(read(reader)) == [1]


def test_bars_published_while_the_store_was_read_are_neither_lost_nor_doubled(share: BarShare, reader: BarReader):
    begun = share.begin(KEY)
    for number in (4, 5, 6):  # the store had the first of them when it was read
        share.append(KEY, bar(number), number)
    where = share.commit(KEY, begun, bars(1, 4), WHOLE_NS, 4)
    assert where is not None
    assert reader.attach(*KEY, where, EPOCH)
    found, _, seq = reader.read(*KEY, None, None, None)
    assert (numbers(found), seq) == ([1, 2, 3, 4, 5, 6], 6)


def test_a_revision_while_the_store_was_read_lets_nothing_be_shared(share: BarShare):
    begun = share.begin(KEY)
    share.drop("EUR/USD")
    assert share.commit(KEY, begun, bars(1, 4), WHOLE_NS, 4) is None


@pytest.mark.parametrize("revise", [lambda share: share.drop("EUR/USD"), lambda share: share.append(KEY, bar(2), 11)])
def test_a_revised_bar_ends_the_columns_and_the_next_ones_have_it(share: BarShare, reader: BarReader, revise):
    assert begin(share, reader, bars(1, 3))
    held = read(reader)
    revise(share)
    with pytest.raises(NotShared, match="other columns"):
        read(reader)
    assert numbers(held) == [1, 2, 3]
    assert begin(share, reader, bars(2, 4))
    assert numbers(read(reader)) == [2, 3, 4]


def test_columns_that_are_full_end_and_others_take_their_place(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 3))
    number = 3
    with pytest.raises(NotShared, match="other columns"):  # noqa: PT012 - the room is an inner matter
        while True:
            number += 1
            share.append(KEY, bar(number), number)
            share.beat()
            assert len(read(reader, count=2)) == 2
            assert number < 10_000
    assert begin(share, reader, bars(1, number))
    assert numbers(read(reader, count=2)) == [number - 1, number]


def test_another_series_in_the_same_slot_is_not_taken_for_the_first(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 3))
    share.drop("EUR/USD")
    assert begin(share, BarReader(), bars(7, 9), key=("GBP/USD", "1m"))
    with pytest.raises(NotShared):
        read(reader)


def test_the_forming_bar_is_shown_whole_until_it_is_complete(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 3))
    assert reader.forming(*KEY) is None
    share.show_forming(KEY, bar(4))
    assert reader.forming(*KEY) == bar(4)
    share.append(KEY, bar(4), 4)
    assert reader.forming(*KEY) is None
    share.show_forming(KEY, bar(5))
    share.show_forming(KEY, None)
    assert reader.forming(*KEY) is None


def test_memory_is_bounded_and_what_nobody_maps_makes_room(share: BarShare, reader: BarReader):
    for number in range(6):  # 40,000 bars each, 100,000 fit
        key = (f"I{number}", "1m")
        other = BarReader()
        assert begin(share, other, bars(1, 40_000), key=key)
        other.close()
        assert share.size <= 100_000 * ROW_BYTES
    assert len(share) == 2
    assert begin(share, reader, bars(1, 60_000), key=("A", "1m"))
    assert begin(share, reader, bars(1, 40_000), key=("B", "1m"))
    assert not begin(share, BarReader(), bars(1, 40_000), key=("C", "1m")), "all that is shared is in use"
    share.beat()
    assert numbers(read(reader, key=("A", "1m"), count=1)) == [60_000]


def test_a_series_is_dropped_when_nobody_asks_for_it_or_maps_it(
    share: BarShare, reader: BarReader, monkeypatch: pytest.MonkeyPatch
):
    assert begin(share, reader, bars(1, 3))
    assert begin(share, BarReader(), bars(1, 3), key=("GBP/USD", "1m"))
    share.tidy()
    assert len(share) == 2
    monkeypatch.setattr("data_layer.shared.bar_writer._UNUSED_S", 0.0)
    share.tidy()
    assert len(share) == 1
    assert numbers(read(reader)) == [1, 2, 3]
    reader.close()
    share.tidy()
    assert len(share) == 0


def test_a_writer_that_says_nothing_is_taken_for_dead(
    share: BarShare, reader: BarReader, monkeypatch: pytest.MonkeyPatch
):
    assert begin(share, reader, bars(1, 3))
    silent_ns = host_now_ns() + SILENCE_NS + 1
    monkeypatch.setattr("data_layer.shared.bar_reader.host_now_ns", lambda: silent_ns)
    with pytest.raises(NotShared, match="somebody writes"):
        read(reader)


def test_columns_of_another_life_or_number_are_not_mapped(share: BarShare, reader: BarReader):
    begun = share.begin(KEY)
    where = share.commit(KEY, begun, bars(1, 3), WHOLE_NS, 1)
    assert where is not None
    for wrong, epoch in (
        (where, EPOCH + 1),
        (where.model_copy(update={"number": where.number + 1}), EPOCH),
        (where.model_copy(update={"descriptor": where.table}), EPOCH),
        (where.model_copy(update={"pid": 2**22 + 1}), EPOCH),
    ):
        assert not reader.attach(*KEY, wrong, epoch)
        assert not reader.wants
    assert reader.attach(*KEY, where, EPOCH)


def test_a_reader_keeps_only_so_many_series_mapped(share: BarShare, reader: BarReader):
    for number in range(70):
        assert begin(share, reader, bars(1, 2), key=(f"I{number}", "1m"))
    assert numbers(read(reader, key=("I69", "1m"))) == [1, 2]
    with pytest.raises(NotShared, match="not mapped"):
        read(reader, key=("I0", "1m"))


def test_a_view_of_many_bars_costs_no_copy(share: BarShare, reader: BarReader):
    assert begin(share, reader, bars(1, 50_000))
    one, two = read(reader), read(reader)
    assert np.shares_memory(one.close, two.close)
