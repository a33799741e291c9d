"""The bus between real processes that die, fork and exit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import zmq

from atrader.bus import Gap, Message, SocketOptions, StreamClient, StreamServer, SyncCallClient, close_context
from atrader.errors import DeadlineExceeded, UnknownOutcome
from tests.support.bus import Act, Echo, child, line_of, raw_socket, until

pytestmark = pytest.mark.usefixtures("closed_context")

SERVER = """
import asyncio, os, sys
sys.path.append(os.getcwd())
from atrader.bus import CallServer, StreamServer
from tests.support.bus import Act, Echo, EchoAnswer, QUOTE

async def handle(request, caller):
    await asyncio.sleep(getattr(request, "delay_s", 3600))
    return EchoAnswer(text=request.text, pid=os.getpid())

async def main(directory):
    calls = CallServer(f"ipc://{directory}/calls", {Echo: handle, Act: handle})
    await calls.start()
    stream = StreamServer(f"ipc://{directory}/stream")
    print("ready", flush=True)
    while True:
        stream.publish("t", QUOTE, ("EUR/USD", 1, 1.5))
        stream.heartbeat()
        await asyncio.sleep(0.01)

asyncio.run(main(sys.argv[1]))
"""


LAZY = """
import os, sys, time
sys.path.append(os.getcwd())
from pathlib import Path
from atrader.bus import CurveKeys, SocketOptions, StreamClient, StreamServer
from tests.support.bus import QUOTE

curve = CurveKeys.generate(Path(sys.argv[1]))
options = SocketOptions(hwm=10, heartbeat_ms=10, reconnect_ms=1, reconnect_max_ms=1)
server = StreamServer("tcp://127.0.0.1:0", curve=curve, options=options)
client = StreamClient(server.endpoint, curve=curve, options=options)
client.subscribe("t")
while client.counters["received"] < 300:
    for _ in range(1000):
        server.publish("t", QUOTE, ("EUR/USD", 1, 1.5))
    time.sleep(0.1)
    client.drain(15)
print("lives")
"""


def test_a_far_subscriber_that_reads_nothing_for_many_heartbeats_lives(tmp_path: Path):
    with child(LAZY, tmp_path / "keys") as lazy:
        line_of(lazy, "lives")


def ask_until_answered(client: SyncCallClient, text: str) -> int:
    """Return the pid that answered; calls sent in the moment of a death go down with it."""

    def answered() -> int:
        try:
            return int(client.call(Echo(text=text), 0.5).pid)
        except DeadlineExceeded:
            return 0

    return int(until(answered, "an answer"))


def test_a_server_killed_in_mid_call_leaves_an_unknown_outcome_and_its_successor_answers_the_same_client(
    tmp_path: Path,
):
    client = SyncCallClient(f"ipc://{tmp_path}/calls")
    for _ in range(2):
        with child(SERVER, tmp_path) as server:
            line_of(server, "ready")
            assert ask_until_answered(client, "alive") == server.pid
            with pytest.raises(UnknownOutcome):
                client.call(Act(), 0.2)  # the handler is at work when its process is killed
            server.kill()
            server.wait()
            with pytest.raises(DeadlineExceeded):
                client.call(Echo(text="to nobody"), 0.1)
    client.close()


def test_a_frozen_server_is_silence_and_its_late_answers_are_dropped_when_it_thaws(tmp_path: Path):
    client = SyncCallClient(f"ipc://{tmp_path}/calls")
    stream = StreamClient(f"ipc://{tmp_path}/stream")
    stream.subscribe("t")
    with child(SERVER, tmp_path) as server:
        line_of(server, "ready")
        ask_until_answered(client, "alive")
        until(stream.drain, "the stream")
        assert stream.is_alive(5)
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(DeadlineExceeded):
            client.call(Echo(text="frozen"), 0.2)
        until(lambda: not stream.drain() and not stream.is_alive(0.1), "the silence to be noticed")
        os.kill(server.pid, signal.SIGCONT)
        assert client.call(Echo(text="thawed"), 10).text == "thawed"
        until(lambda: stream.is_alive(0.1), "the stream to go on")
    client.close()
    stream.close()


def test_a_second_server_at_the_address_of_a_living_one_is_refused_even_when_that_one_is_frozen(tmp_path: Path):
    client = SyncCallClient(f"ipc://{tmp_path}/calls")
    with child(SERVER, tmp_path) as server:
        line_of(server, "ready")
        os.kill(server.pid, signal.SIGSTOP)
        with child(SERVER, tmp_path) as second:
            assert second.stdout is not None
            assert "another process serves it already" in second.stdout.read()
        os.kill(server.pid, signal.SIGCONT)
        assert ask_until_answered(client, "still the first") == server.pid
    client.close()


def test_a_killed_publisher_shows_as_silence_and_its_successor_as_a_new_epoch(tmp_path: Path):
    stream = StreamClient(f"ipc://{tmp_path}/stream")
    stream.subscribe("t")
    items: list[Message | Gap] = []
    with child(SERVER, tmp_path) as server:
        line_of(server, "ready")
        items += until(stream.drain, "the stream")

    def is_silent() -> bool:
        items.extend(stream.drain())
        return not stream.is_alive(0.2)

    until(is_silent, "the silence to be noticed")
    assert not any(isinstance(item, Gap) for item in items)
    with child(SERVER, tmp_path) as server:
        line_of(server, "ready")
        after: list[Message | Gap] = until(stream.drain, "the stream of the successor")
    last = items[-1]
    assert isinstance(last, Message)
    assert isinstance(after[0], Gap)
    assert (after[0].topic, after[0].expected, after[0].epoch_changed) == ("t", last.seq + 1, True)
    stream.close()


EXITING = """
import asyncio, os, sys
sys.path.append(os.getcwd())
from atrader.bus import BeatSender, StreamServer, SyncCallClient, close_context
from atrader.errors import AtraderError
from tests.support.bus import Act, QUOTE

directory, how = sys.argv[1:]
client = SyncCallClient(f"ipc://{directory}/nobody")
try:
    client.call(Act(text="queued"), 0.01)
except AtraderError:
    pass
beats = BeatSender(f"ipc://{directory}/nobody", "w")
beats.send("beat", {})
stream = StreamServer(f"ipc://{directory}/stream")
print("listening", flush=True)
while not stream.has_subscriber("t"):
    pass
for number in range(20_000):
    stream.publish("t", QUOTE, ("x" * 1000, number, 1.5))
print("exiting", flush=True)
if how == "close":
    close_context()
    os._exit(0)
if how == "raise":
    raise SystemExit(0)
"""


@pytest.mark.parametrize("how", ["return", "raise", "close"])
def test_a_process_with_queued_messages_to_absent_and_slow_peers_exits_at_once(tmp_path: Path, how: str):
    with child(EXITING, tmp_path, how) as process, raw_socket(zmq.SUB, RCVHWM=1) as never_reads:
        line_of(process, "listening")
        never_reads.setsockopt(zmq.SUBSCRIBE, b"t|")
        never_reads.connect(f"ipc://{tmp_path}/stream")
        line_of(process, "exiting")
        assert process.wait(timeout=90) == 0


FORKING = """
import os, sys
sys.path.append(os.getcwd())
from atrader.bus import SyncCallClient, close_context
from tests.support.bus import Echo

client = SyncCallClient(f"ipc://{sys.argv[1]}/calls")
assert client.call(Echo(text="parent"), 10).text == "parent"
pid = os.fork()
if pid == 0:
    own = SyncCallClient(f"ipc://{sys.argv[1]}/calls")
    assert own.call(Echo(text="child"), 10).text == "child"
    own.close()
    close_context()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert client.call(Echo(text="parent again"), 10).text == "parent again"
client.close()
print("good", flush=True)
"""


def test_a_forked_child_makes_sockets_of_its_own_and_leaves_those_of_its_parent_alone(tmp_path: Path):
    with child(SERVER, tmp_path) as server:
        line_of(server, "ready")
        with child(FORKING, tmp_path) as parent:
            line_of(parent, "good")
            assert parent.wait(timeout=60) == 0


def test_importing_the_bus_starts_nothing():
    code = """
import os, threading
before = len(os.listdir("/proc/self/fd"))
import atrader.bus
assert len(os.listdir("/proc/self/fd")) == before, os.listdir("/proc/self/fd")
assert threading.active_count() == 1 and len(os.listdir("/proc/self/task")) == 1
print("good")
"""
    with child(code) as process:
        line_of(process, "good")


def test_closing_the_context_ends_every_thread_and_descriptor_even_of_sockets_left_open(tmp_path: Path):
    before = set(os.listdir("/proc/self/fd")), set(os.listdir("/proc/self/task"))
    server = StreamServer(f"ipc://{tmp_path}/stream", options=SocketOptions(hwm=5))
    stream = StreamClient(f"ipc://{tmp_path}/stream")
    assert set(os.listdir("/proc/self/task")) != before[1]
    close_context()
    until(lambda: len(os.listdir("/proc/self/task")) == len(before[1]), "the threads to end")
    assert len(os.listdir("/proc/self/fd")) == len(before[0])
    stream.close()
    server.close()
