"""The writer of the price table dies at any moment: readers never see half a price, and never wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from pydantic import BaseModel

from atrader.market import Tick
from atrader.messages.data import SharedPrices
from data_layer.shared import NotShared, PriceReader, PriceTable
from tests.support.floods import flooding


def put_for_ever(tell: Callable[[BaseModel], None]) -> None:
    """Write two prices as fast as possible; everything in a price follows from one number."""
    table = PriceTable(epoch=1, slots=8)
    ticks = [
        Tick(name, number, number * 2, number * 3.0, number * 4.0) for number in range(1, 65) for name in ("A", "B")
    ]
    for tick in ticks:
        table.put(tick)
    tell(table.where())
    while True:
        for tick in ticks:
            table.put(tick)
        table.beat()


def read_all(reader: PriceReader, seconds: float) -> tuple[int, int, bool]:
    """Read until the time is over or nobody writes; return good and refused reads, and whether the writer is gone."""
    good = refused = 0
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        for name in ("A", "B") * 50:
            began = time.perf_counter()
            try:
                price = reader.read(name)
            except NotShared:
                refused += 1
                assert time.perf_counter() - began < 2.0, "a reader waited"
                if reader.wants_table:
                    return good, refused, True
                continue
            assert price is not None
            number = price.bid / 3
            assert (price.time_ns, price.received_ns, price.ask) == (number, number * 2, number * 4), f"torn: {price}"
            good += 1
    return good, refused, False


def test_no_price_is_torn_while_a_writer_floods_the_same_slots():
    reader = PriceReader()
    with flooding(put_for_ever) as writer:
        reader.attach(SharedPrices.model_validate_json(writer.told))
        good = 0
        while good < 200_000:
            more, _, gone = read_all(reader, 0.2)
            assert not gone
            good += more
    reader.close()


def test_a_writer_killed_in_the_middle_of_writing_neither_tears_a_price_nor_stops_a_reader():
    chance = random.Random(4711)
    reader = PriceReader()
    for _ in range(100):
        with flooding(put_for_ever) as writer:
            reader.attach(SharedPrices.model_validate_json(writer.told))
            read_all(reader, chance.uniform(0.0, 0.01))
            writer.kill()
            read_all(reader, 0.005)
        reader.close()
    with flooding(put_for_ever) as writer:
        reader.attach(SharedPrices.model_validate_json(writer.told))
        writer.kill()
        assert read_all(reader, 60.0)[2], "its death is noticed, and the bus is asked from then on"
