"""Whatever bytes come in, reading them gives a message or a WireError."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from atrader.bus.stream_messages import read_body, read_heartbeat
from atrader.errors import AtraderError, WireError
from atrader.wire import (
    Answer,
    Request,
    pack_answer,
    pack_error,
    pack_request,
    stream_schema,
    unpack_answer,
    unpack_map,
    unpack_request,
)


class Leg(Answer):
    price: Decimal
    sizes: dict[int, float] = {}


class Order(Request):
    kind: ClassVar[str] = "test-bytes.order"
    answer: ClassVar[type[Answer]] = Leg
    legs: tuple[Leg, ...]
    note: str | None = None
    at_ns: int = 0


EVENT = stream_schema("test-bytes.event", 1, (("text", str), ("n", int), ("x", float), ("d", Decimal | None)))

decimals = st.decimals(allow_nan=False, allow_infinity=False)
int64s = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | int64s | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text() | int64s | st.binary(), inner, max_size=5),
    max_leaves=20,
)
near_misses = st.fixed_dictionaries(
    {},
    optional={
        "v": st.just(1) | values,
        "kind": st.sampled_from(["test-bytes.order", "answer", "error"]) | values,
        "deadline_ns": st.integers(0, 2**62) | values,
        "body": st.fixed_dictionaries(
            {},
            optional={"legs": values, "note": values, "price": values, "code": values, "message": st.text()},
        )
        | values,
        "more": values,
    },
)
READERS: tuple[Callable[[bytes], object], ...] = (
    unpack_request,
    unpack_map,
    lambda data: unpack_answer(data, Leg),
    lambda data: read_body("topic", data),
    read_heartbeat,
)


def assert_read_or_refused(data: bytes) -> None:
    for read in READERS:
        try:
            read(data)
        except WireError:
            continue
        except AtraderError:
            assert b"error" in data  # an error message, well read


@given(st.binary(max_size=200))
def test_random_bytes_are_read_or_refused(data: bytes):
    assert_read_or_refused(data)


@given(near_misses | values)
def test_messages_of_any_shape_are_read_or_refused(message: object):
    assert_read_or_refused(msgpack.packb(message))


@given(
    st.tuples(st.just("test-bytes.event") | values, st.just(1) | values, int64s | values, int64s | values, values)
    | st.tuples(st.just(1), int64s, values)
)
def test_stream_messages_of_any_shape_are_read_or_refused(message: tuple[object, ...]):
    assert_read_or_refused(msgpack.packb(message))


@given(st.data())
def test_damaged_messages_are_read_or_refused(data: st.DataObject):
    good = data.draw(
        st.sampled_from(
            [
                pack_request(Order(legs=(Leg(price=Decimal("1.5"), sizes={1: 2.0}),)), 2**60),
                pack_answer(Leg(price=Decimal(1))),
                pack_error(WireError("text", details={"a": [1]})),
            ]
        )
    )
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert_read_or_refused(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))


@given(st.lists(decimals, max_size=4), st.none() | st.text(), int64s, st.integers(0, 2**63 - 1))
def test_every_request_comes_back_as_it_was(prices: list[Decimal], note: str | None, at_ns: int, deadline_ns: int):
    request = Order(legs=tuple(Leg(price=price) for price in prices), note=note, at_ns=at_ns)
    read, read_deadline_ns = unpack_request(pack_request(request, deadline_ns))
    assert (read, read_deadline_ns) == (request, deadline_ns)
    assert [str(leg.price) for leg in read.legs] == [str(price) for price in prices]  # type: ignore[attr-defined]


@given(st.text(), int64s, st.floats(allow_nan=False), st.none() | decimals)
def test_every_stream_value_comes_back_as_it_was(text: str, n: int, x: float, d: Decimal | None):
    assert EVENT.unpack(msgpack.unpackb(msgpack.packb(EVENT.pack((text, n, x, d))))) == (text, n, x, d)
