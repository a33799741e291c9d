"""Streams over real sockets: what a subscriber gets, and what it learns of what it did not get."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import msgpack
import pytest
import zmq

from atrader.bus import (
    AsyncStreamClient,
    CurveKeys,
    Gap,
    Message,
    Poller,
    SocketOptions,
    StreamClient,
    StreamServer,
    latest_by_topic,
    read_body,
)
from atrader.bus.stream_messages import HEARTBEAT_TOPIC
from atrader.errors import ConfigError, WireError
from tests.support.bus import QUOTE, auntil, raw_socket, until

pytestmark = pytest.mark.usefixtures("closed_context")

TOPIC = "tick|EUR/USD"


@pytest.fixture(params=["ipc", "tcp"])
def curve(request: pytest.FixtureRequest, tmp_path: Path) -> CurveKeys | None:
    return CurveKeys.generate(tmp_path / "keys") if request.param == "tcp" else None


@pytest.fixture
def address(curve: CurveKeys | None, tmp_path: Path) -> str:
    return "tcp://127.0.0.1:0" if curve else f"ipc://{tmp_path}/stream"


@pytest.fixture
def local(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/stream"


def send(server: StreamServer, *times_ns: int, topic: str = TOPIC) -> None:
    for time_ns in times_ns:
        server.publish(topic, QUOTE, ("EUR/USD", time_ns, 1.5))


def joined(server: StreamServer, *topics: str, **more: object) -> StreamClient:
    """Return a client whose subscriptions have reached the server."""
    client = StreamClient(server.endpoint, **more)  # type: ignore[arg-type]
    own = f"only this client|{id(client)}"  # the server tells of each topic once, whoever asked for it first
    for topic in (*topics, own):
        client.subscribe(topic)
    until(lambda: server.has_subscriber(own), "the subscription")
    return client


def come_back(client: StreamClient, server: StreamServer) -> None:
    """Wait for a client to find a new publisher; it must look at its socket for that, as every loop does."""
    until(lambda: (client.poll(1), server.has_subscriber(TOPIC))[1], "the client to come back")


def read(client: StreamClient, count: int) -> list[Message | Gap]:
    """Drain until so many items came."""
    items: list[Message | Gap] = []
    read_up_to(client, items, count)
    return items


def test_messages_arrive_in_order_with_numbers_from_one_and_values_by_name(address: str, curve: CurveKeys | None):
    server = StreamServer(address, curve=curve)
    client = joined(server, TOPIC, curve=curve)
    send(server, 10, 20)
    first, second = read(client, 2)
    assert isinstance(first, Message)
    assert (first.topic, first.kind, first.seq, first.epoch) == (TOPIC, "test-bus.quote", 1, server.epoch)
    assert (first.values.instrument, first.values.time_ns, first.values.bid) == ("EUR/USD", 10, 1.5)
    assert isinstance(second, Message)
    assert second.seq == 2
    assert server.last(TOPIC) == (server.epoch, 2)
    client.close()
    server.close()


def test_a_poller_is_woken_for_each_message_also_after_somebody_looked_at_the_socket(
    address: str, curve: CurveKeys | None
):
    server = StreamServer(address, curve=curve)
    client = joined(server, TOPIC, curve=curve)
    poller, seen = Poller(), 0
    poller.register(client)
    for number in range(1, 30):
        send(server, number)
        if number % 2:
            until(client.look, "the message")  # with libzmq the descriptor may say nothing of it any more
        assert poller.poll(20.0) == [client]
        seen += len(client.drain())
        assert seen == number
    assert poller.poll(0.0) == []
    poller.unregister(client)
    client.close()
    server.close()


def test_a_subscription_matches_whole_words_only(local: str):
    server = StreamServer(local)
    exact = joined(server, "bar|EUR/USD|1m")
    all_frames = joined(server, "bar|EUR/USD")
    for topic in ("bar|EUR/USD|1mo", "bar|EUR/USD|15m", "bar|EUR/USD:X|1m", "bar|EUR/USD|1m"):
        send(server, 1, topic=topic)
    assert [item.topic for item in read(exact, 1)] == ["bar|EUR/USD|1m"]
    assert [item.topic for item in read(all_frames, 3)] == ["bar|EUR/USD|1mo", "bar|EUR/USD|15m", "bar|EUR/USD|1m"]
    for closing in (exact, all_frames, server):
        closing.close()


def test_after_unsubscribing_nothing_more_comes(local: str):
    server = StreamServer(local)
    client = joined(server, "a", "b")
    client.unsubscribe("a")
    until(lambda: not server.has_subscriber("a"), "the end of the subscription")
    send(server, 1, topic="a")
    send(server, 1, topic="b")
    assert [item.topic for item in read(client, 1)] == ["b"]
    client.close()
    server.close()


def test_a_slow_subscriber_costs_the_publisher_nothing_and_learns_of_the_gap(local: str):
    count, batch = 30_000, 500
    server = StreamServer(local, options=SocketOptions(hwm=1000, linger_ms=0), keep=1)
    slow = joined(server, TOPIC, options=SocketOptions(hwm=10, linger_ms=0))
    fast = joined(server, TOPIC)
    seen: list[Message | Gap] = []
    for start in range(0, count, batch):  # far more than all the buffers between the two hold
        send(server, *range(start, start + batch))
        read_up_to(fast, seen, start + batch)
    assert [item.seq for item in seen if isinstance(item, Message)] == list(range(1, count + 1))

    def knows_the_end() -> bool:
        server.heartbeat()
        slow.poll(10)
        slow.drain()
        return slow.counters["missed"] + slow.counters["received"] == count

    until(knows_the_end, "the slow one to know of every message it did not get")
    assert slow.counters["gaps"] >= 1
    for closing in (slow, fast, server):
        closing.close()


def read_up_to(client: StreamClient, seen: list[Message | Gap], count: int) -> None:
    """Drain into a list until it has so many items."""

    def enough() -> bool:
        seen.extend(client.drain())
        return len(seen) >= count

    until(enough, f"{count} items")


def cut_off(client: StreamClient, server: StreamServer) -> None:
    """Take the connection away, as a broken network does."""
    client._link.disconnect()
    until(lambda: (client.poll(1), not server.has_subscriber(TOPIC))[1], "the disconnection")


def test_a_lost_tail_is_learned_from_the_heartbeat_and_can_be_fetched(local: str):
    server = StreamServer(local)
    client = joined(server, TOPIC)
    send(server, 1)
    assert len(read(client, 1)) == 1
    cut_off(client, server)
    send(server, 2, 3)
    client._link.connect()

    def gap_seen() -> list[Message | Gap]:
        server.heartbeat()
        client.poll(10)
        return client.drain()

    [gap] = until(gap_seen, "the gap")
    assert gap == Gap(TOPIC, 2, 4, False)
    bodies = server.replay(TOPIC, gap.expected, gap.got - 1)
    assert bodies is not None
    assert [(m.seq, m.values.time_ns) for m in (read_body(TOPIC, body) for body in bodies)] == [(2, 2), (3, 3)]
    client.close()
    server.close()


def test_a_restarted_publisher_is_found_again_and_its_new_epoch_is_reported(address: str, curve: CurveKeys | None):
    first = StreamServer(address, curve=curve)
    address = str(first.endpoint)
    client = joined(first, TOPIC, curve=curve)
    send(first, 1, 2)
    assert len(read(client, 2)) == 2
    first.close()

    second = StreamServer(address, curve=curve)
    assert second.epoch != first.epoch
    come_back(client, second)
    send(second, 7)
    gap, message = read(client, 2)
    assert gap == Gap(TOPIC, 3, 1, True)
    assert isinstance(message, Message)
    assert (message.seq, message.epoch, message.values.time_ns) == (1, second.epoch, 7)
    client.close()
    second.close()


def test_the_epoch_of_a_silent_publisher_is_learned_from_its_heartbeat(local: str):
    server = StreamServer(local)
    client = joined(server, TOPIC)
    send(server, 1)
    read(client, 1)
    server.close()
    server = StreamServer(local, epoch=5)
    come_back(client, server)
    server.heartbeat()
    assert read(client, 1) == [Gap(TOPIC, 2, 1, True)]
    client.close()
    server.close()


def test_a_stream_without_news_sends_heartbeats_seldom_and_news_bring_them_back(local: str):
    server = StreamServer(local)

    def sent_in(turns: int) -> int:
        before = server.counters["heartbeats"]
        for _ in range(turns):
            server.heartbeat_when_due()
        return server.counters["heartbeats"] - before

    assert sent_in(4) == 4, "at the start subscribers learn who publishes"
    assert sent_in(20) == 4
    send(server, 1)
    assert sent_in(5) == 5, "the message may have been lost"
    assert sent_in(20) == 4
    server.close()


def test_snapshot_and_stream_join_without_loss_or_repeat(local: str):
    server = StreamServer(local)
    send(server, 1, 2, 3)
    client = joined(server, TOPIC)
    send(server, 4)
    epoch, seq = server.last(TOPIC)  # what a snapshot would carry
    send(server, 5)
    client.resume(TOPIC, epoch, seq)
    items = read(client, 1)
    assert [item.seq for item in items if isinstance(item, Message)] == [5]
    assert client.counters["duplicates"] == 1
    client.close()
    server.close()


def test_replay_gives_what_is_kept_nothing_new_and_none_when_it_is_too_old(local: str):
    server = StreamServer(local, keep=5)
    send(server, *range(1, 11))

    def numbers(from_seq: int, to_seq: int) -> list[int] | None:
        bodies = server.replay(TOPIC, from_seq, to_seq)
        return None if bodies is None else [read_body(TOPIC, body).seq for body in bodies]

    assert numbers(6, 10) == [6, 7, 8, 9, 10]
    assert numbers(7, 8) == [7, 8]
    assert numbers(9, 99) == [9, 10]
    assert numbers(11, 20) == []
    assert numbers(8, 7) == []
    assert numbers(5, 10) is None
    assert server.replay("tick|unheard", 1, 9) == []
    assert server.counters["replay_misses"] == 1
    server.close()


@pytest.mark.parametrize("values", [(), ("EUR/USD", 1.5, 1.5), ("EUR/USD", 2**64, 1.5)])
def test_values_that_do_not_fit_use_up_no_number(local: str, values: tuple[object, ...]):
    server = StreamServer(local)
    send(server, 1)
    with pytest.raises(WireError):
        server.publish(TOPIC, QUOTE, values)
    assert server.publish(TOPIC + "|", QUOTE, ("EUR/USD", 2, 1.5)) == 2
    bodies = server.replay(TOPIC, 1, 2)
    assert bodies is not None
    assert [read_body(TOPIC, body).values.time_ns for body in bodies] == [1, 2]
    with pytest.raises(WireError, match="topic"):
        server.publish("", QUOTE, ("EUR/USD", 2, 1.5))
    server.close()


def test_a_publisher_is_alive_while_messages_or_heartbeats_come(local: str):
    server = StreamServer(local)
    client = joined(server, TOPIC)
    assert client.is_alive(60)
    until(lambda: not client.is_alive(0.05), "silence to be noticed")
    server.heartbeat()
    until(lambda: client.is_alive(0.05), "the heartbeat to be noticed before it is read")
    assert client.drain() == []
    assert client.is_alive(60)
    assert client.counters["heartbeats"] == 1
    client.close()
    server.close()


def test_drain_reads_no_more_than_asked_and_never_blocks(local: str):
    server = StreamServer(local)
    client = joined(server, TOPIC)
    assert client.drain() == []
    send(server, *range(1, 8), 100)
    read_first = until(lambda: client.drain(max_messages=3), "messages")
    assert len(read_first) <= 3
    rest = read(client, 8 - len(read_first))
    assert latest_by_topic([*read_first, *rest])[TOPIC].values.time_ns == 100
    client.close()
    server.close()


def test_malformed_messages_are_counted_reported_once_and_do_not_stop_the_client(local: str):
    errors: list[str] = []
    good = ["test-bus.quote", 1, 9, 1, ["EUR/USD", 1, 1.5]]
    garbage = [
        [b"t|"],
        [b"t|", msgpack.packb(good), b"more"],
        [b"t|", b"\xc1"],
        [b"\xff\xfe", msgpack.packb(good)],
        [b"t|", msgpack.packb(["test-bus.unheard", 1, 9, 1, []])],
        [b"t|", msgpack.packb(["test-bus.quote", 9, 9, 1, ["EUR/USD", 1, 1.5]])],
        [b"t|", msgpack.packb(["test-bus.quote", 1, 9, 1, ["EUR/USD", 1]])],
        [b"t|", msgpack.packb(["test-bus.quote", 1, 9, -1, ["EUR/USD", 1, 1.5]])],
        [HEARTBEAT_TOPIC, b""],
        [HEARTBEAT_TOPIC, msgpack.packb([1, 9, {"t": "x"}])],
        [HEARTBEAT_TOPIC, msgpack.packb([7, 9, {}])],
    ]
    with raw_socket(zmq.PUB) as raw:
        raw.bind(local)
        client = StreamClient(local, on_error=lambda error, doing: errors.append(str(error)))
        client.subscribe("")
        until(lambda: raw.send_multipart([b"t|", msgpack.packb(good)]) or client.drain(), "the connection")
        for frames in garbage:
            raw.send_multipart(frames)
        raw.send_multipart([b"t|", msgpack.packb(["test-bus.quote", 1, 9, 1000, ["EUR/USD", 1, 1.5]])])
        until(lambda: [i for i in client.drain() if isinstance(i, Message) and i.seq == 1000], "the good one")
        assert client.counters["malformed"] == len(garbage)
        client.close()
    assert len(errors) == 1


def test_batches_come_in_asyncio_as_they_arrive_and_silence_ends_by_its_time(local: str):
    async def scene() -> None:
        server = StreamServer(local)
        client = AsyncStreamClient(local)
        client.subscribe(TOPIC)
        await auntil(lambda: server.has_subscriber(TOPIC), "the subscription")
        assert await client.batch(timeout_s=0.02) == []
        seen: list[int] = []
        sending = asyncio.create_task(_send_slowly(server, 50))
        async for batch in client:
            seen += [item.seq for item in batch if isinstance(item, Message)]
            if len(seen) == 50:
                break
        await sending
        assert seen == list(range(1, 51))
        client.close()
        server.close()

    asyncio.run(scene())


async def _send_slowly(server: StreamServer, count: int) -> None:
    for number in range(count):
        send(server, number)
        server.heartbeat()
        await asyncio.sleep(0.001 if number % 10 == 0 else 0)


def test_an_async_client_that_is_busy_elsewhere_does_not_keep_the_loop_spinning(local: str):
    async def scene() -> None:
        server = StreamServer(local)
        client = AsyncStreamClient(local)
        client.subscribe(TOPIC)
        await auntil(lambda: server.has_subscriber(TOPIC), "the subscription")
        send(server, 1)
        assert len(await client.batch(5)) == 1
        send(server, 2)
        spent_s = time.process_time()
        await asyncio.sleep(0.3)  # nobody reads meanwhile
        assert time.process_time() - spent_s < 0.15
        assert len(await client.batch(5)) == 1
        client.close()
        server.close()

    asyncio.run(scene())


def test_a_second_publisher_at_the_same_address_is_refused(address: str, curve: CurveKeys | None):
    server = StreamServer(address, curve=curve)
    with pytest.raises(ConfigError, match=r"serves it already|cannot bind"):
        StreamServer(server.endpoint, curve=curve)
    client = joined(server, TOPIC, curve=curve)
    send(server, 1)
    assert len(read(client, 1)) == 1
    client.close()
    server.close()
