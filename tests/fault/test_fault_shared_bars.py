"""The writer of shared bars dies at any moment: readers never see half a bar, and keep what they hold."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
from pydantic import BaseModel

from atrader.market import Bar, Bars
from atrader.messages.data import SharedBars
from data_layer.shared import BarReader, BarShare, NotShared
from data_layer.shared.layout import WHOLE_NS
from tests.support.floods import flooding

EPOCH = 5
KEY = ("EUR/USD", "1m")


def bar(number: int) -> Bar:
    return Bar(number, *(float(number * 10 + column) for column in range(9)))


def append_for_ever(tell: Callable[[BaseModel], None]) -> None:
    """Append bars, shown as forming first; everything in a bar follows from its number."""
    share = BarShare(EPOCH, 100_000_000)
    begun = share.begin(KEY)
    numbers = np.arange(1, 50_001)
    past = Bars(numbers, *(numbers * 10.0 + column for column in range(9)))
    where = share.commit(KEY, begun, past, WHOLE_NS, 50_000)
    share.abandon(KEY)
    assert where is not None
    tell(where)
    number = 50_000
    while True:
        number += 1
        share.show_forming(KEY, bar(number)._replace(volume=-1.0))
        share.append(KEY, bar(number), number)
        share.beat()


def check(found: Bars, seq: int) -> None:
    """Fail when a bar is torn, missing or there twice."""
    numbers = found.open_time_ns
    assert numbers[-1] == seq, "the number in the stream belongs to the last bar"
    assert (np.diff(numbers) == 1).all()
    for column, values in enumerate(found.columns[1:]):
        assert (values == numbers * 10.0 + column).all()


def read_all(reader: BarReader, seconds: float) -> tuple[int, bool]:
    """Read and check until the time is over; return how many answers there were, and whether the columns ended."""
    good = 0
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        try:
            found, _, seq = reader.read(*KEY, None, None, 200)
            forming = reader.forming(*KEY)
        except NotShared as why:
            if "in the middle" not in str(why):
                return good, True
            continue
        check(found, seq)
        assert forming is None or forming == bar(forming.open_time_ns)._replace(volume=-1.0), "half a forming bar"
        good += 1
    return good, False


def read_whole(reader: BarReader) -> tuple[Bars, int]:
    """Return all bars and the number of the last; a reader gives up while the writer does not have the processor."""
    while True:
        try:
            found, _, seq = reader.read(*KEY, None, None, None)
        except NotShared as why:
            if "in the middle" not in str(why):
                raise
        else:
            return found, seq


def test_readers_of_columns_that_grow_flat_out_see_whole_bars_only():
    with closing(BarReader()) as reader, flooding(append_for_ever) as writer:
        where = SharedBars.model_validate_json(writer.told)
        assert reader.attach(*KEY, where, EPOCH)
        good, ended = read_all(reader, 120.0)
    assert good > 100
    assert ended, "the columns were full before the time was over"


def test_a_writer_killed_in_the_middle_of_an_append_leaves_whole_bars():
    chance = random.Random(815)
    held: list[tuple[Bars, int]] = []
    for _ in range(20):
        with closing(BarReader()) as reader, flooding(append_for_ever) as writer:
            assert reader.attach(*KEY, SharedBars.model_validate_json(writer.told), EPOCH)
            held.append(read_whole(reader))
            read_all(reader, chance.uniform(0.0, 0.02))
            writer.kill()
            read_all(reader, 0.005)
    for found, seq in held:  # their writers, and the readers that mapped them, are long gone
        check(found, seq)
