from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pytest

from atrader.errors import WireError
from atrader.wire import find_stream_schema, stream_schema


class Pair(NamedTuple):
    left: int
    right: int


class Side(StrEnum):
    BUY = "buy"


QUOTE = stream_schema("test-stream.quote", 1, (("instrument", str), ("time_ns", int), ("bid", float)))
EVENT = stream_schema(
    "test-stream.event", 1, (("side", str), ("units", Decimal), ("stop", Decimal | None), ("tags", list), ("ok", bool))
)


def over_the_wire(values: list[object]) -> list[object]:
    read: list[object] = msgpack.unpackb(msgpack.packb(values))
    return read


def test_values_come_back_by_name():
    for _ in range(2):  # the second time by the table of known combinations
        values = QUOTE.unpack(over_the_wire(QUOTE.pack(("EUR/USD", 5, 1.25))))
        assert (values.instrument, values.time_ns, values.bid) == ("EUR/USD", 5, 1.25)
        assert type(values).__name__ == "TestStreamQuoteValues"


def test_decimals_keep_every_digit_and_none_stays_none():
    for _ in range(2):
        values = EVENT.unpack(over_the_wire(EVENT.pack(("buy", Decimal("1.10"), None, ["a", 1], True))))
        assert str(values.units) == "1.10"
        assert values.stop is None
        assert values.tags == ["a", 1]


def test_ints_and_numpy_floats_are_taken_for_floats_and_string_enums_for_strings():
    assert QUOTE.pack(("EUR/USD", 5, 1)) == ["EUR/USD", 5, 1.0]
    assert type(QUOTE.pack(("EUR/USD", 5, 1))[2]) is float
    assert type(QUOTE.pack(("EUR/USD", 5, np.float64(1.5)))[2]) is float
    assert type(EVENT.pack((Side.BUY, Decimal(1), None, [], True))[0]) is str


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("EUR/USD", 5),
        ("EUR/USD", 5, 1.5, 1),
        (b"EUR/USD", 5, 1.5),
        (None, 5, 1.5),
        ("EUR/USD", 5.0, 1.5),
        ("EUR/USD", True, 1.5),
        ("EUR/USD", 5, "1.5"),
        ("EUR/USD", 5, True),
        ("EUR/USD", 5, 10**400),
    ],
)
def test_wrong_values_are_refused_where_they_enter(values: tuple[object, ...]):
    with pytest.raises(WireError, match=r"test-stream\.quote"):
        QUOTE.pack(values)
    with pytest.raises(WireError, match=r"test-stream\.quote"):
        QUOTE.unpack(list(values) if 10**400 not in values else ["EUR/USD", 5, None])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "x", "", 1, 1.5, None])
def test_a_decimal_from_the_wire_must_be_a_finite_number_as_text(number: object):
    with pytest.raises(WireError, match=r"test-stream\.event\.units: expected Decimal"):
        EVENT.unpack(["buy", number, None, [], True])


def test_what_is_no_list_is_refused():
    not_lists: list[Any] = [{}, "abc", None, 3]
    for values in not_lists:
        with pytest.raises(WireError, match="expected a list"):
            QUOTE.unpack(values)


def test_a_schema_is_found_by_kind_and_version():
    assert find_stream_schema("test-stream.quote", 1) is QUOTE
    for kind, version in (("test-stream.quote", 2), ("test-stream.none", 1), ([], 1), ("test-stream.quote", True)):
        with pytest.raises(WireError, match="not known"):
            find_stream_schema(kind, version)


def test_the_same_kind_and_version_cannot_be_defined_twice():
    with pytest.raises(TypeError, match="exists already"):
        stream_schema("test-stream.quote", 1, (("other", int),))


def test_values_are_handed_out_in_the_named_tuple_of_who_defines_the_kind_and_no_other_fits():
    schema = stream_schema("test-stream.pair", 1, (("left", int), ("right", int)), values_type=Pair)
    values = schema.unpack([1, 2])
    assert type(values) is Pair
    assert values == Pair(1, 2)
    with pytest.raises(TypeError, match="other fields"):
        stream_schema("test-stream.turned", 1, (("right", int), ("left", int)), values_type=Pair)


@pytest.mark.parametrize("declared", [object, set, Decimal | str, int | complex])
def test_a_field_type_without_a_form_on_the_wire_is_refused(declared: object):
    with pytest.raises(TypeError, match="no form"):
        stream_schema("test-stream.bad", 1, (("value", declared),))
