"""The table of last prices in shared memory: what a reader sees of it, and what it refuses to read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from atrader.clock import host_now_ns
from atrader.market import Tick
from atrader.messages.data import SharedPrices
from data_layer.shared import LastPrice, NotShared, PriceReader, PriceTable, _compiled, memory
from data_layer.shared.layout import ALIVE, HEADER, LAYOUT, MACHINE, PRICE, PRICES, SILENCE_NS, Header

EPOCH = 77


@pytest.fixture
def table() -> Iterator[PriceTable]:
    table = PriceTable(EPOCH, slots=4)
    yield table
    table.close()


@contextmanager
def reader_of(where: SharedPrices) -> Iterator[PriceReader]:
    reader = PriceReader()
    reader.attach(where)
    yield reader
    reader.close()


def tick(instrument: str = "EUR/USD", number: int = 1) -> Tick:
    now_ns = host_now_ns()
    return Tick(instrument, now_ns - 2_000_000_000, now_ns, 1.0 + number, 2.0 + number)


def bid(reader: PriceReader, instrument: str) -> float:
    price = reader.read(instrument)
    assert price is not None
    return price.bid


def test_a_reader_sees_each_price_with_both_times_and_the_age_of_the_older_one(table: PriceTable):
    first = tick()
    table.put(first)
    with reader_of(table.where()) as reader:
        price = reader.read("EUR/USD")
        assert price is not None
        assert price == LastPrice(*first, age_s=price.age_s)
        assert 2.0 <= price.age_s < 60.0
        table.put(tick(number=5))
        assert bid(reader, "EUR/USD") == 6.0


def test_an_instrument_without_a_price_has_none_until_it_gets_one(table: PriceTable):
    with reader_of(table.where()) as reader:
        assert reader.read("EUR/USD") is None
        table.put(tick())
        assert bid(reader, "EUR/USD") == 2.0


def test_a_price_from_the_future_is_of_age_zero(table: PriceTable):
    ahead_ns = host_now_ns() + 10**12
    table.put(Tick("EUR/USD", ahead_ns, ahead_ns, 1.0, 2.0))
    with reader_of(table.where()) as reader:
        price = reader.read("EUR/USD")
        assert price is not None
        assert price.age_s == 0.0


def test_a_table_that_is_full_goes_on_in_a_larger_one_and_its_readers_are_told(table: PriceTable):
    for number in range(4):
        table.put(tick(f"I{number}", number))
    with reader_of(table.where()) as reader:
        assert bid(reader, "I3") == 4.0
        table.put(tick("I4", 4))
        with pytest.raises(NotShared):
            reader.read("I3")
        assert reader.wants_table
        reader.attach(table.where())
        assert [bid(reader, f"I{number}") for number in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_name_too_long_for_the_table_is_left_to_the_bus(table: PriceTable):
    table.put(tick("X" * 64))
    table.put(tick("Y" * 63))
    with reader_of(table.where()) as reader:
        assert bid(reader, "Y" * 63) == 2.0
        with pytest.raises(NotShared, match="no room"):
            reader.read("X" * 64)


def test_a_table_that_was_closed_is_not_read(table: PriceTable):
    other = PriceTable(EPOCH)
    other.put(tick())
    with reader_of(other.where()) as reader:
        other.close()
        with pytest.raises(NotShared):
            reader.read("EUR/USD")


def test_a_writer_that_says_nothing_is_taken_for_dead(table: PriceTable, monkeypatch: pytest.MonkeyPatch):
    table.put(tick())
    with reader_of(table.where()) as reader:
        silent_ns = host_now_ns() + SILENCE_NS + 1
        monkeypatch.setattr("data_layer.shared.price_reader.host_now_ns", lambda: silent_ns)
        with pytest.raises(NotShared):
            reader.read("EUR/USD")


def test_a_writer_that_stopped_in_the_middle_does_not_stop_its_readers(table: PriceTable):
    table.put(tick())
    words = memoryview(table._table.mapping).cast("q")
    words[PRICE.offset(0) // 8 + 5] += 1  # the first thing a write does
    with reader_of(table.where()) as reader:
        with pytest.raises(NotShared, match="in the middle"):
            reader.read("EUR/USD")
        assert not reader.wants_table  # the table is as good as before for all other instruments
        table.put(tick(number=3))
        assert bid(reader, "EUR/USD") == 4.0
    words.release()


@pytest.mark.skipif(not _compiled.is_there, reason="the compiled reading was not built")
def test_the_compiled_reading_gives_what_python_gives_and_leaves_to_it_what_is_odd(table: PriceTable):
    def compiled(silence_ns: int = SILENCE_NS) -> LastPrice | None:
        return _compiled.slots.last_price(reader._words, reader._offsets, "EUR/USD", LastPrice, ALIVE, silence_ns)

    words = memoryview(table._table.mapping).cast("q")
    with reader_of(table.where()) as reader:
        assert compiled() is None, "a name that was not looked for yet"
        for number in range(50):
            table.put(first := tick(number=number))
            before, price, after = reader._read_in_steps("EUR/USD"), compiled(), reader._read_in_steps("EUR/USD")
            assert before is not None
            assert price is not None
            assert after is not None
            assert type(price) is LastPrice
            assert price[:-1] == before[:-1] == first
            assert 0.0 < before.age_s <= price.age_s <= after.age_s
        assert compiled(silence_ns=0) is None, "an owner that was silent for so long"
        for last, found in ((words[PRICE.offset(0) // 8], True), (0, False), (2**62, False)):
            words[PRICE.offset(0) // 8 + 5] = last  # the first thing a write does
            assert (compiled() is not None) is found
        words[PRICE.offset(0) // 8] = words[PRICE.offset(0) // 8 + 5] = 0
        assert compiled() is None
    assert compiled() is None, "a table that was let go"
    words.release()


def test_numbers_that_were_cleared_for_a_write_are_not_taken_for_equal(table: PriceTable):
    table.put(tick())
    words = memoryview(table._table.mapping).cast("q")
    words[PRICE.offset(0) // 8] = words[PRICE.offset(0) // 8 + 5] = 0
    with reader_of(table.where()) as reader, pytest.raises(NotShared):
        reader.read("EUR/USD")
    words.release()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": PRICES + 1},
        {"layout": LAYOUT + 1},
        {"machine": MACHINE + 1},
        {"epoch": EPOCH + 1},
        {"slots": 2},
    ],
)
def test_memory_of_another_layout_machine_or_owner_is_not_read(wrong: dict[str, int]):
    good = Header(PRICES, LAYOUT, MACHINE, EPOCH, os.getpid(), 1, 0, host_now_ns())
    descriptor, mapping = memory.create_mapped("test", PRICE.offset(1) + 64)
    where = SharedPrices(pid=os.getpid(), descriptor=descriptor, epoch=EPOCH)
    HEADER.pack_into(mapping, 0, *good)
    with reader_of(where) as reader:
        assert reader.read("EUR/USD") is None
    HEADER.pack_into(mapping, 0, *good._replace(**wrong))
    with reader_of(where) as reader:
        with pytest.raises(NotShared):
            reader.read("EUR/USD")
        assert not reader.wants_table  # not at once again
    mapping.close()
    os.close(descriptor)


def test_what_is_no_memory_of_a_data_layer_is_not_opened():
    read_end, write_end = os.pipe()
    for descriptor in (-1, read_end, 10**6):
        where = SharedPrices(pid=os.getpid(), descriptor=descriptor, epoch=EPOCH)
        with reader_of(where) as reader, pytest.raises(NotShared):
            reader.read("EUR/USD")
    os.close(read_end)
    os.close(write_end)


def test_a_reader_can_neither_write_nor_shrink_what_it_maps(table: PriceTable):
    mapping = memory.map_of(os.getpid(), table.where().descriptor)
    with pytest.raises(TypeError):
        mapping[0] = 1
    mapping.close()
    writable = os.open(f"/proc/self/fd/{table.where().descriptor}", os.O_RDWR)
    for attack in (lambda: os.write(writable, b"x"), lambda: os.ftruncate(writable, 0)):
        with pytest.raises(PermissionError):
            attack()
    os.close(writable)


def test_memory_says_whether_somebody_maps_it():
    descriptor = memory.create("test", 100)
    assert not memory.is_used(descriptor)
    mapping = memory.map_of(os.getpid(), descriptor)
    assert memory.is_used(descriptor)
    mapping.close()
    assert not memory.is_used(descriptor)
    os.close(descriptor)
