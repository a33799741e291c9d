"""A slow subscriber and a dead peer: they cost the others nothing, and learn what they missed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from atrader.bus import CallClient, Gap, StreamClient, StreamServer, close_context
from atrader.errors import DeadlineExceeded, UnknownOutcome
from atrader.market import TICK, tick_topic
from atrader.wire import Answer, Request
from tests.support.fleet import START_S, wait_for

TOPIC = tick_topic("EUR/USD")
FLOOD = 30_000

SUBSCRIBER = """
import sys, time
from atrader.bus import StreamClient
client = StreamClient(sys.argv[1])
client.subscribe("tick|EUR/USD")
print("subscribed", flush=True)
while True:
    time.sleep(3600)
"""


class Echo(Answer):
    """What came in."""

    text: str


class Say(Request):
    """Say something."""

    kind: ClassVar[str] = "test-fault.say"
    answer: ClassVar[type[Answer]] = Echo
    text: str


SERVER = """
import asyncio, sys
sys.path.append(sys.argv[2])
from atrader.bus import CallServer
from tests.fault.test_fault_bus import Echo, Say

async def main():
    server = CallServer(sys.argv[1], {Say: lambda request, caller: Echo(text=request.text)})
    await server.start()
    print("serving", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code in a process of its own and wait for its first line."""
    process = subprocess.Popen([sys.executable, "-P", "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("subscribed", "serving")
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("fate", [signal.SIGSTOP, signal.SIGKILL])
def test_a_subscriber_that_hangs_or_dies_costs_publisher_and_neighbours_nothing(tmp_path: Path, fate: int) -> None:
    endpoint = f"ipc://{tmp_path}/stream"
    server = StreamServer(endpoint)
    good = StreamClient(endpoint)
    bad = python(SUBSCRIBER, endpoint)
    try:
        good.subscribe(TOPIC)
        wait_for(lambda: server.has_subscriber(TOPIC), "the subscriptions")
        os.kill(bad.pid, fate)
        before = psutil.Process().memory_info().rss
        received, slowest_s = 0, 0.0
        for number in range(FLOOD):
            began_s = time.perf_counter()
            server.publish(TOPIC, TICK, ("EUR/USD", number, number, 1.0, 1.1))
            slowest_s = max(slowest_s, time.perf_counter() - began_s)
            if number % 200 == 0:
                items = good.drain()
                assert not any(isinstance(item, Gap) for item in items)
                received += len(items)
        wait_for(lambda: not good.drain() and not good.poll(10), "the rest", interval_s=0.001)
        assert received > FLOOD // 2
        assert slowest_s < 10.0, "publishing never waits for anybody"
        assert psutil.Process().memory_info().rss - before < 100_000_000
    finally:
        # First of all: libzmq 4.3.5 aborts (session_base.cpp:233) when a peer that was in the middle of a message dies
        # after the socket was closed. A fleet stops its data layer last.
        end(bad)
        good.close()
        server.close()
        close_context()


def test_a_slow_subscriber_learns_that_it_missed_something_and_what(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/stream"
    server = StreamServer(endpoint)
    slow = StreamClient(endpoint)
    try:
        slow.subscribe(TOPIC)
        wait_for(lambda: server.has_subscriber(TOPIC), "the subscription")
        for number in range(FLOOD):
            server.publish(TOPIC, TICK, ("EUR/USD", number, number, 1.0, 1.1))
        server.heartbeat()
        items = []

        def drained() -> bool:
            server.heartbeat()
            items.extend(slow.drain())
            slow.poll(20)
            return slow.counters["received"] + slow.counters["missed"] == FLOOD

        wait_for(drained, "the end of the flood")
        missed = sum(item.got - item.expected for item in items if isinstance(item, Gap))
        assert missed > 0
        assert missed + sum(not isinstance(item, Gap) for item in items) == FLOOD
    finally:
        slow.close()
        server.close()
        close_context()


def test_a_call_to_a_dead_server_ends_at_its_deadline_and_the_next_life_answers(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/call"
    root = str(Path(__file__).resolve().parents[2])

    async def talk() -> None:
        client = CallClient(endpoint)
        first = python(SERVER, endpoint, root)
        try:
            assert (await client.call(Say(text="one"), START_S)).text == "one"
            os.kill(first.pid, signal.SIGSTOP)
            with pytest.raises((DeadlineExceeded, UnknownOutcome)):
                await client.call(Say(text="two"), 0.2)
        finally:
            end(first)
        second = python(SERVER, endpoint, root)
        try:
            assert (await client.call(Say(text="three"), START_S)).text == "three"
        finally:
            end(second)
            await client.close()

    asyncio.run(talk())
    close_context()
