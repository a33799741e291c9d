"""A subscriber that reads its socket itself is to publishers of ZeroMQ like any other, and outlives what is none."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import zmq

from atrader.bus import Message, Poller, StreamClient, StreamServer, close_context
from atrader.bus.zmtp import GREETING, check_greeting, frame
from atrader.errors import WireError
from atrader.wire import stream_schema
from tests.support.bus import raw_socket, until

NUMBER = stream_schema("test-ipc.number", 1, (("number", int),))
TOPIC = "n|EUR/USD"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stream"


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    close_context()


def numbers(client: StreamClient) -> list[int]:
    return [item.values.number for item in client.drain() if isinstance(item, Message)]


def test_whoever_has_subscribed_gets_all_that_is_published_from_then_on_without_having_looked(path: Path) -> None:
    server = StreamServer(f"ipc://{path}")
    client = StreamClient(f"ipc://{path}")
    client.subscribe(TOPIC)
    until(lambda: server.has_subscriber(TOPIC), "the subscription")
    for number in range(3000):
        server.publish(TOPIC, NUMBER, (number,))
    seen: list[int] = []

    def has_all() -> bool:
        seen.extend(numbers(client))
        return len(seen) == 3000

    until(has_all, "all of them")
    assert seen == list(range(3000))
    client.close()
    server.close()


def test_a_long_message_arrives_whole(path: Path) -> None:
    with raw_socket(zmq.PUB) as publisher:
        publisher.bind(f"ipc://{path}")
        told: list[str] = []
        client = StreamClient(f"ipc://{path}", on_error=lambda error, doing: told.append(str(error)))
        client.subscribe("")
        body = os.urandom(3_000_000)
        until(lambda: publisher.send_multipart([b"t|", body]) or client.poll(1), "the connection")
        until(lambda: client.drain() or client.counters["malformed"], "the message")
        assert told[0].startswith("stream message on 't'")  # the body is no message of ours, but it came
        client.close()


def test_what_a_limit_left_is_told_by_the_poller_although_nothing_more_comes(path: Path) -> None:
    server = StreamServer(f"ipc://{path}")
    client = StreamClient(f"ipc://{path}")
    client.subscribe(TOPIC)
    until(lambda: server.has_subscriber(TOPIC), "the subscription")
    for number in range(10):
        server.publish(TOPIC, NUMBER, (number,))
    poller, seen = Poller(), 0
    poller.register(client)
    while seen < 10:
        assert poller.poll(5.0) == [client]
        seen += len(client.drain(max_messages=3))
    assert poller.poll(0.0) == []
    client.close()
    server.close()


def test_a_publisher_that_comes_late_or_comes_back_is_found(path: Path) -> None:
    client = StreamClient(f"ipc://{path}")
    client.subscribe(TOPIC)
    for life in range(3):
        assert not client.poll(20)
        server = StreamServer(f"ipc://{path}")
        began_s = time.monotonic()
        until(lambda: (client.poll(1), server.has_subscriber(TOPIC))[1], "the subscription")  # noqa: B023
        assert time.monotonic() - began_s < 10.0
        server.publish(TOPIC, NUMBER, (life,))
        until(lambda: client.poll(10), "the message")
        assert numbers(client) == [life]
        server.close()
    client.close()


RUBBISH = {
    "no ZeroMQ": b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 64,
    "unknown flags": GREETING + b"\x08\x00",
    "endless frame": GREETING + b"\x02" + b"\xff" * 8,
    "refusal": GREETING + frame(b"\x05ERROR\4away", flags=4),
    "half a greeting": GREETING[:30],
    "nothing": b"",
}


@pytest.mark.parametrize("says", RUBBISH.values(), ids=RUBBISH)
def test_something_else_at_the_address_is_left_and_tried_again(path: Path, says: bytes) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(50)
        listener.settimeout(0.0)
        client = stack.enter_context(closing(StreamClient(f"ipc://{path}", on_error=lambda error, doing: None)))
        for _ in range(3):
            connection = until(lambda: (client.poll(1), client.drain(), accepted(listener))[2], "a connection")
            stack.enter_context(connection)
            connection.sendall(says)
            if len(says) < 64:
                connection.shutdown(socket.SHUT_RDWR)
        spent_s = time.process_time()
        end_s = time.monotonic() + 0.2
        while time.monotonic() < end_s:
            client.poll(50)
            client.drain()
        assert time.process_time() - spent_s < 0.15, "it does not spin"
        assert client.counters["received"] == 0


def accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except BlockingIOError:
        return None


def test_closing_leaves_no_descriptor_and_may_be_repeated(path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    makers: list[Callable[[], StreamClient]] = [lambda: StreamClient(f"ipc://{path}")] * 5
    clients = [make() for make in makers]
    assert descriptors() > before
    for client in clients:
        client.close()
        client.close()
    assert descriptors() == before


def test_a_greeting_of_another_mechanism_is_no_publisher() -> None:
    with pytest.raises(WireError, match="no publisher"):
        check_greeting(GREETING.replace(b"NULL", b"CURV"))
