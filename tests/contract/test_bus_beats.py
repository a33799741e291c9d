"""One-way messages and the poller."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import msgpack
import numpy as np
import pytest
import zmq

from atrader.bus import Beat, BeatSender, BeatServer, CurveKeys, Poller, SocketOptions, StreamClient
from atrader.bus import StreamServer as Publisher
from atrader.errors import WireError
from tests.support.bus import QUOTE, auntil, raw_socket, until

pytestmark = pytest.mark.usefixtures("closed_context")


@pytest.fixture(params=["ipc", "tcp"])
def curve(request: pytest.FixtureRequest, tmp_path: Path) -> CurveKeys | None:
    return CurveKeys.generate(tmp_path / "keys") if request.param == "tcp" else None


def test_a_beat_arrives_with_its_sender_kind_body_and_frames(curve: CurveKeys | None, tmp_path: Path):
    async def scene() -> None:
        beats: list[Beat] = []
        server = BeatServer("tcp://127.0.0.1:0" if curve else f"ipc://{tmp_path}/b", beats.append, curve=curve)
        await server.start()
        sender = BeatSender(server.endpoint, "worker-1", curve=curve)
        column = np.arange(50_000, dtype=np.int64)
        await auntil(lambda: sender.send("beat", {"progress": 3, "none": None}, [column]), "the connection")
        await auntil(lambda: beats, "the beat")
        assert beats[0][:3] == ("worker-1", "beat", {"progress": 3, "none": None})
        assert np.array_equal(np.frombuffer(beats[0].frames[0], np.int64), column)
        sender.close()
        await server.close()
        assert server.counters["received"] == 1

    asyncio.run(scene())


def test_messages_that_take_long_leave_turns_of_the_loop_to_others(tmp_path: Path):
    async def scene() -> None:
        turns, handled_in_turn = 0, []

        def work(_: Beat) -> None:
            handled_in_turn.append(turns)
            began_s = time.monotonic()
            while time.monotonic() - began_s < 0.011:  # more than a turn has
                pass

        server = BeatServer(f"ipc://{tmp_path}/b", work)
        await server.start()
        sender = BeatSender(server.endpoint, "worker-1")
        await auntil(lambda: sender.send("beat", {}), "the connection")
        for _ in range(30):
            sender.send("beat", {})
        while len(handled_in_turn) < 31:
            turns += 1
            await asyncio.sleep(0)
        assert max(map(handled_in_turn.count, handled_in_turn)) <= 2  # the socket's signal, the pump's own
        sender.close()
        await server.close()

    asyncio.run(scene())


def test_sending_to_nobody_drops_at_once(tmp_path: Path):
    sender = BeatSender(f"ipc://{tmp_path}/nobody", "worker-1")
    began_s = time.monotonic()
    assert not any(sender.send("beat", {"n": n}) for n in range(5000))
    assert time.monotonic() - began_s < 30
    assert sender.counters == {"dropped": 5000}
    sender.close()


def test_a_listener_that_does_not_read_costs_the_sender_nothing(tmp_path: Path):
    with raw_socket(zmq.ROUTER, RCVHWM=5) as listener:
        listener.bind(f"ipc://{tmp_path}/b")
        sender = BeatSender(f"ipc://{tmp_path}/b", "worker-1", options=SocketOptions(hwm=5, linger_ms=0))
        until(lambda: sender.send("beat", {}), "the connection")
        before = sender.counters["dropped"]
        until(lambda: not sender.send("beat", {"text": "x" * 10_000}), "the buffers to be full")
        assert sender.counters["dropped"] == before + 1
        sender.close()


def test_beats_go_on_when_the_listener_comes_back(tmp_path: Path):
    async def scene() -> None:
        beats: list[Beat] = []
        sender = BeatSender(f"ipc://{tmp_path}/b", "worker-1")
        for life in range(3):
            server = BeatServer(f"ipc://{tmp_path}/b", beats.append)
            await server.start()

            def arrived(life: int = life) -> bool:
                sender.send("beat", {"life": life})
                return any(beat.body["life"] == life for beat in beats)

            await auntil(arrived, f"a beat in life {life}")
            await server.close()
        sender.close()

    asyncio.run(scene())


def test_malformed_beats_and_failing_handlers_are_counted_and_do_not_stop_the_server(tmp_path: Path):
    errors: list[BaseException] = []
    heard: list[Beat] = []

    def on_beat(beat: Beat) -> None:
        heard.append(beat)
        if beat.kind == "bad":
            raise RuntimeError("handler")

    garbage = [
        [b""],
        [b"\xc1"],
        [msgpack.packb({"v": 1, "kind": "beat", "body": {}})],
        [msgpack.packb({"v": 1, "kind": "beat", "body": {"sender": 1, "body": {}}})],
        [msgpack.packb({"v": 1, "kind": "beat", "body": {"sender": "x", "body": []}})],
        [msgpack.packb({"v": 1, "kind": "beat", "body": {"sender": "x", "body": {}, "more": 1}})],
        [msgpack.packb({"v": 2, "kind": "beat", "body": {"sender": "x", "body": {}}})],
    ]

    async def scene() -> None:
        server = BeatServer(f"ipc://{tmp_path}/b", on_beat, on_error=lambda error, doing: errors.append(error))
        await server.start()
        with raw_socket(zmq.DEALER) as raw:
            raw.connect(str(server.endpoint))
            for frames in garbage:
                raw.send_multipart(frames)
            await auntil(lambda: server.counters["malformed"] == len(garbage), "the garbage")
        sender = BeatSender(server.endpoint, "w")
        await auntil(lambda: sender.send("bad", {}), "the connection")
        sender.send("good", {})
        await auntil(lambda: len(heard) == 2, "both beats")
        sender.close()
        await server.close()
        assert server.counters["failed"] == 1

    asyncio.run(scene())
    assert [type(error) for error in errors] == [WireError, RuntimeError]


def test_a_body_without_a_form_on_the_wire_is_refused_by_the_sender(tmp_path: Path):
    sender = BeatSender(f"ipc://{tmp_path}/b", "w")
    with pytest.raises(WireError):
        sender.send("beat", {"what": object()})
    sender.close()


def test_the_poller_names_the_streams_and_descriptors_that_can_be_read(tmp_path: Path):
    servers = [Publisher(f"ipc://{tmp_path}/{n}") for n in range(2)]
    clients = [StreamClient(server.endpoint) for server in servers]
    for client in clients:
        client.subscribe("t")
    until(lambda: all(server.has_subscriber("t") for server in servers), "the subscriptions")
    read_end, write_end = os.pipe()
    poller = Poller()
    sources: list[StreamClient | int] = [*clients, read_end]
    for source in sources:
        poller.register(source)
    assert poller.poll(0.0) == []
    began_s = time.monotonic()
    assert poller.poll(0.05) == []
    assert time.monotonic() - began_s >= 0.04

    servers[1].publish("t", QUOTE, ("EUR/USD", 1, 1.5))
    assert poller.poll(5) == [clients[1]]
    assert len(clients[1].drain()) == 1
    os.write(write_end, b"x")
    assert poller.poll(5) == [read_end]
    os.read(read_end, 1)
    assert poller.poll(0.0) == []

    poller.unregister(clients[1])
    poller.unregister(read_end)
    servers[1].publish("t", QUOTE, ("EUR/USD", 2, 1.5))
    os.write(write_end, b"x")
    servers[0].publish("t", QUOTE, ("EUR/USD", 1, 1.5))
    assert poller.poll(5) == [clients[0]]
    for client in clients:
        client.close()
    for server in servers:
        server.close()
    os.close(read_end)
    os.close(write_end)
