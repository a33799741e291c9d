"""Compiled reading of plain messages gives what Python gives: the same items, numbers and counts, whatever comes."""

from __future__ import annotations

import select
import socket
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.bus import Gap, Message, Poller, StreamClient, reading
from atrader.bus.stream_messages import HEARTBEAT_TOPIC, heartbeat_body
from atrader.bus.subscriber_ipc import IpcSubscriber
from atrader.bus.zmtp import GREETING, Decoder, frame
from atrader.market import BAR, REVISION, TICK, Tick
from atrader.wire import PLAIN_SCHEMAS

pytestmark = pytest.mark.skipif(not reading.is_there, reason="the compiled reading was not built")

EPOCHS = st.sampled_from([0, 7, 2**62 + 1, 2**63 - 1, 2**63, -5])
NUMBERS = st.one_of(st.integers(1, 4), st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63]))
WHOLE = st.one_of(st.integers(-(2**63), 2**64 - 1), st.sampled_from([0, -1, -32, -33, 127, 128, -128, -129, 2**63]))
VALUES = st.one_of(WHOLE, st.floats(), st.text(max_size=3), st.booleans(), st.none(), st.binary(max_size=2))
TOPICS = st.sampled_from([b"tick|EUR/USD|", b"tick|\xff|", b"t|", b"|", b"", b"tick|EUR/USD"])
TEXTS = st.text(max_size=40)


def of_schema(kind: str, version: int, values: list[Any]) -> st.SearchStrategy[bytes]:
    """Make bodies with these values and any place in the stream."""
    return st.builds(lambda epoch, seq: msgpack.packb([kind, version, epoch, seq, values]), EPOCHS, NUMBERS)


TICKS = st.tuples(TEXTS, WHOLE, WHOLE, st.floats(), st.floats()).flatmap(lambda v: of_schema(TICK.kind, 1, list(v)))
BARS = st.tuples(TEXTS, WHOLE, *[st.floats()] * 9, st.booleans()).flatmap(
    lambda v: of_schema(BAR.kind, 1, [v[0], "1m", *v[1:]])
)
REVISIONS = st.tuples(TEXTS, TEXTS, WHOLE, WHOLE, WHOLE).flatmap(lambda v: of_schema(REVISION.kind, 1, list(v)))
ODD = st.lists(VALUES, max_size=6).flatmap(lambda v: of_schema(TICK.kind, 1, v))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Make a body of which one byte is another, or which is shorter or longer."""
    body = bytearray(draw(TICKS))
    body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(1, len(body)))]) + draw(st.sampled_from([b"", b"\0"]))


BODIES = st.one_of(TICKS, TICKS, BARS, REVISIONS, ODD, damaged(), st.binary(max_size=300))
BEATS = st.builds(lambda epoch, seq: [HEARTBEAT_TOPIC, heartbeat_body(epoch, {"tick|EUR/USD": seq})], EPOCHS, NUMBERS)
FRAMES = st.one_of(
    st.tuples(st.just(b"tick|EUR/USD|"), TICKS).map(list),
    st.tuples(TOPICS, BODIES).map(list),
    BEATS,
    st.lists(st.binary(max_size=4), max_size=3),
)


def run_of(first: int, count: int) -> list[list[bytes]]:
    """Return messages that follow each other."""
    bodies = ([TICK.kind, 1, 7, number, ["EUR/USD", number, 1, 1.5, 2.5]] for number in range(first, first + count))
    return [[b"tick|EUR/USD|", msgpack.packb(body)] for body in bodies]


RUNS = st.builds(run_of, st.integers(1, 4), st.integers(1, 4))
MESSAGES = st.lists(st.one_of(RUNS, FRAMES.map(lambda one: [one])), max_size=8).map(lambda lists: [*chain(*lists)])


class Taken:
    """In place of a subscriber."""

    is_between = False

    def __init__(self, messages: list[list[bytes]]) -> None:
        self.messages = messages

    def take(self, _: int) -> list[list[bytes]]:
        """Return everything."""
        return self.messages


def all_of(path: Path, messages: list[list[bytes]], read: Any) -> tuple[object, ...]:
    """Return what a client makes of these messages."""
    client = StreamClient(f"ipc://{path}/nobody", on_error=lambda *_: None)
    link = client._link
    try:
        client.subscribe("tick|EUR/USD")
        client._link = Taken(messages)  # type: ignore[assignment]
        with patch("atrader.bus.stream_client.read_plain", read):
            items = client.drain()
    finally:
        link.close()
    told = [(type(one), repr(one), one if isinstance(one, Gap) else tuple(map(type, one.values))) for one in items]
    counters = {name: count for name, count in client.counters.items() if count}
    return told, counters, client._tracker.seen, list(client._tracker.retired)


@given(messages=MESSAGES)
def test_a_client_makes_the_same_of_messages_with_and_without_the_compiled_part(
    tmp_path_factory: pytest.TempPathFactory, messages: list[list[bytes]]
) -> None:
    path = tmp_path_factory.getbasetemp()
    assert all_of(path, messages, reading.read_plain) == all_of(path, messages, reading.read_nothing)


def test_messages_one_after_the_other_are_all_read_by_the_compiled_part() -> None:
    bodies = [msgpack.packb(["tick", 1, 5, number, ["EUR/USD", number, 1, 1.5, 2.5]]) for number in (3, 4)]
    items: list[Any] = []
    seen = {"tick|EUR/USD": (5, 2)}
    messages = [[b"tick|EUR/USD|", body] for body in bodies]
    assert reading.read_plain(messages, 0, PLAIN_SCHEMAS, seen, (), Message, items) == 2
    assert [(item.seq, item.values.time_ns, item.values.ask) for item in items] == [(3, 3, 2.5), (4, 4, 2.5)]
    assert seen == {"tick|EUR/USD": (5, 4)}


def from_socket(path: Path, data: bytes, limit: int, read: Any) -> tuple[object, ...]:
    """Return what a client makes of these bytes, drained by so many messages at a time."""
    client = StreamClient(f"ipc://{path}/nobody", on_error=lambda *_: None)
    link = client._link
    assert isinstance(link, IpcSubscriber)
    near, far = socket.socketpair()
    with near, far, patch("atrader.bus.subscriber_ipc.receive_plain", read):
        client.subscribe("tick|EUR/USD")
        client.resume("tick|EUR/USD", 7, 0)
        far.setblocking(False)
        link._socket, link._source, link._greeting, link._is_between = far, far.fileno(), GREETING, True
        link._epoll.register(far, select.EPOLLIN)
        link._decoder = Decoder(1000)
        near.sendall(data)
        items, poller = list[Any](), Poller()  # it does not look before: the client reads the socket itself
        poller.register(client)
        while poller.poll(0):
            items += client.drain(limit)
        poller.unregister(client)
        rest, is_lost = bytes(link._decoder._rest), link._socket is None
        client.close()
    told = [(type(one), repr(one), one if isinstance(one, Gap) else tuple(map(type, one.values))) for one in items]
    counters = {name: count for name, count in client.counters.items() if count}
    return told, counters, client._tracker.seen, list(client._tracker.retired), rest, is_lost


@given(
    messages=MESSAGES,
    cut=st.integers(0, 100),
    limit=st.integers(1, 12),
)
def test_a_client_makes_the_same_of_the_bytes_of_a_socket_with_and_without_the_compiled_part(
    tmp_path_factory: pytest.TempPathFactory, messages: list[list[bytes]], cut: int, limit: int
) -> None:
    path = tmp_path_factory.getbasetemp()
    frames = [frame(part, int(part is not one[-1])) for one in messages for part in one]
    data = b"".join(frames) or b"\1"
    data = data[: max(1, len(data) - cut)]
    results = [from_socket(path, data, limit, read) for read in (reading.receive_plain, reading.receive_unread)]
    assert results[0] == results[1]


def test_a_plain_message_is_read_from_the_socket_in_one_step(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    with near, far:
        bodies = [msgpack.packb(["tick", 1, 5, number, ["EUR/USD", number, 1, 1.5, 2.5]]) for number in (3, 4, 5)]
        data = b"".join(frame(b"tick|EUR/USD|", 1) + frame(body) for body in bodies)
        near.sendall(data)
        buffer, items, seen = memoryview(bytearray(8192)), list[Any](), {"tick|EUR/USD": (5, 2)}
        read = reading.receive_plain(far.fileno(), buffer, 2, PLAIN_SCHEMAS, seen, (), Message, items)
        assert read == (len(data), len(data) // 3 * 2, 2)
        assert [(item.seq, type(item.values)) for item in items] == [(3, Tick), (4, Tick)]
        assert seen == {"tick|EUR/USD": (5, 4)}
        assert reading.receive_plain(far.fileno(), buffer, 2, PLAIN_SCHEMAS, seen, (), Message, items) == (-1, 0, 0)
        near.close()
        assert reading.receive_plain(far.fileno(), buffer, 2, PLAIN_SCHEMAS, seen, (), Message, items) == (0, 0, 0)


PIECES = st.one_of(
    st.tuples(st.binary(max_size=260), st.binary(max_size=260)).map(lambda two: frame(two[0], 1) + frame(two[1])),
    st.binary(max_size=20).map(lambda body: frame(body, 4)),
    st.binary(max_size=20).map(frame),
)


@given(pieces=st.lists(PIECES, max_size=6), cut=st.integers(0, 400))
def test_bytes_of_a_socket_are_the_same_messages_with_and_without_the_compiled_part(
    pieces: list[bytes], cut: int
) -> None:
    data = b"".join(pieces)
    data = data[: max(0, len(data) - cut)] or b"\1"
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        buffer, messages = memoryview(bytearray(8192)), list[list[bytes]]()
        assert reading.receive(far.fileno(), buffer, messages) == (-1, 0)
        near.sendall(data)
        count, done = reading.receive(far.fileno(), buffer, messages)
        near.sendall(data)
        again, _ = reading.receive_bytes(far.fileno(), buffer, messages)
        near.close()
        ends = [read(far.fileno(), buffer, messages) for read in (reading.receive, reading.receive_bytes)]
    assert (count, again, ends) == (len(data), len(data), [(0, 0), (0, 0)])
    assert messages + Decoder(1000).feed(data[done:]) == Decoder(1000).feed(data)
