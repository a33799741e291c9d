"""Floors: what the disk, the kernel and the interpreter cost before any of our code runs."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks._support.report import median

ROW = bytes(300)
"""About the size of a journal row."""

_WARM_UP = 20

IMPORTS = "import asyncio, msgpack, numpy, pydantic, sqlite3, structlog, zmq, worker.process"
"""What a worker has imported when it begins to work."""


def timed_s(work: Callable[[], object], rounds: int, pause_s: float = 0.0) -> list[float]:
    """Return how long each round took, seconds, without the pause before it."""
    took = []
    for _ in range(rounds):
        if pause_s:  # a pause of nothing gives the processor away, too
            time.sleep(pause_s)
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return took


def fsync_append_s(directory: Path, rounds: int, pause_s: float = 0.0) -> list[float]:
    """Append a row-sized record and have it on disk, on the file system of a directory, so often or so seldom."""
    descriptor = os.open(directory / "floor.dat", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def append() -> None:
        os.write(descriptor, ROW)
        os.fdatasync(descriptor)

    try:
        return timed_s(append, rounds, pause_s)
    finally:
        os.close(descriptor)


def sqlite_commit_s(directory: Path, rounds: int) -> list[float]:
    """Insert one row and commit, WAL and synchronous=FULL, with nothing around it."""
    connection = sqlite3.connect(directory / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (body) VALUES (?)", (ROW,))
        connection.execute("COMMIT")

    try:
        return timed_s(insert, rounds)
    finally:
        connection.close()


_PIPE_ECHO = """
import os
while data := os.read(0, 4096):
    os.write(1, data)
"""


def pipe_round_trip_s(rounds: int, size: int = 64) -> list[float]:
    """Send bytes through a pipe to another process and back."""
    with _python(_PIPE_ECHO) as echo:
        assert echo.stdin is not None
        assert echo.stdout is not None
        to, back, message = echo.stdin.fileno(), echo.stdout.fileno(), bytes(size)

        def ping() -> None:
            os.write(to, message)
            os.read(back, 4096)

        timed_s(ping, 100)
        took = timed_s(ping, rounds)
        echo.stdin.close()
        return took


_ZMQ_ECHO = """
import os, sys, zmq
router = zmq.Context().socket(zmq.ROUTER)
router.linger = 0
router.bind(sys.argv[1])
os.write(1, b"r")
while True:
    frames = router.recv_multipart()
    if not frames[1]:
        break
    router.send_multipart(frames)
"""


def zmq_round_trip_s(directory: Path, rounds: int, size: int = 64) -> list[float]:
    """Send one frame from a DEALER to a ROUTER in another process and back, over ipc, with nothing around it."""
    import zmq

    endpoint, message = f"ipc://{directory}/echo", bytes(size)
    context = zmq.Context()
    with _python(_ZMQ_ECHO, endpoint) as echo:
        assert echo.stdout is not None
        echo.stdout.read(1)
        dealer = context.socket(zmq.DEALER)
        dealer.connect(endpoint)

        def ping() -> None:
            dealer.send(message)
            dealer.recv()

        timed_s(ping, 100)
        took = timed_s(ping, rounds)
        dealer.send(b"")
        dealer.close(linger=1000)
    context.term()
    return took


_FOLLOWER = """
import os, sys, time, zmq
context = zmq.Context()
ticks, orders = context.socket(zmq.SUB), context.socket(zmq.DEALER)
ticks.connect(sys.argv[1])
ticks.subscribe(b"")
orders.connect(sys.argv[2])
os.write(1, b"r")
while sent_ns := int(ticks.recv()):
    orders.send(bytes(300))
    orders.recv()
    os.write(1, b"%d\\n" % (time.monotonic_ns() - sent_ns))
"""

_KEEPER = """
import os, sys, zmq
router = zmq.Context().socket(zmq.ROUTER)
router.bind(sys.argv[1])
file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
os.write(1, b"r")
while True:
    frames = router.recv_multipart()
    os.write(file, frames[1])
    os.fdatasync(file)
    router.send_multipart(frames)
"""


def woken_chain_s(directory: Path, rounds: int, pause_s: float) -> list[float]:
    """Take the way of an order through three bare processes: a stream's message, a call, one fsync before its answer.

    Between two rounds all of them sleep for `pause_s`, as those of a fleet do between two quotes: waking a process
    whose core has gone idle costs several times what a hop does between two that have just talked to each other.
    """
    import zmq

    stream, calls = f"ipc://{directory}/chain-stream", f"ipc://{directory}/chain-calls"
    context = zmq.Context()
    publisher = context.socket(zmq.PUB)
    publisher.bind(stream)
    took = []
    with _python(_KEEPER, calls, f"{directory}/chain.dat") as keeper, _python(_FOLLOWER, stream, calls) as follower:
        assert keeper.stdout is not None
        assert follower.stdout is not None
        try:
            keeper.stdout.read(1)
            follower.stdout.read(1)
            for _ in range(rounds + _WARM_UP):
                time.sleep(pause_s)
                publisher.send(b"%d" % time.monotonic_ns())
                if select.select([follower.stdout], [], [], 5.0)[0]:  # else it had not subscribed yet
                    took.append(int(follower.stdout.readline()) / 1e9)
        finally:
            follower.kill()
            keeper.kill()
    publisher.close(linger=0)
    context.term()
    return took[-rounds:]


def cold_spawn_s(rounds: int) -> list[float]:
    """Start a Python that imports what a worker needs, and wait until it is there."""
    return timed_s(lambda: subprocess.run([sys.executable, "-P", "-c", IMPORTS], check=True), rounds)


_FORK_SERVER = f"""
import gc, os, signal
{IMPORTS}
gc.collect()
gc.freeze()
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.write(1, b"r")
while os.read(0, 1):
    if os.fork() == 0:
        os.write(1, os.getpid().to_bytes(4, "big"))
        signal.pause()
"""


class BareForkServer:
    """A preloaded, frozen interpreter that forks on request and does nothing else; children wait for a signal."""

    def __init__(self) -> None:
        self._server = _python(_FORK_SERVER)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._to, self._back = self._server.stdin.fileno(), self._server.stdout.fileno()
        self.children: list[int] = []
        os.read(self._back, 1)

    def fork(self) -> int:
        """Have one child forked and wait until it runs; returns its pid."""
        os.write(self._to, b"f")
        pid = int.from_bytes(os.read(self._back, 4), "big")
        self.children.append(pid)
        return pid

    def kill_and_notice_s(self, pid: int) -> float:
        """Kill a child and return how long its pidfd took to say so."""
        descriptor = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            began = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            poll.poll(5000)
            return time.perf_counter() - began
        finally:
            os.close(descriptor)
            self.children.remove(pid)

    def close(self) -> None:
        """End the children and the server."""
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        self.children.clear()
        self._server.__exit__(None, None, None)


def bare_restart_s(rounds: int) -> tuple[float, float]:
    """Return how long a death is noticed after, and how long a fork takes until it runs: medians, of bare ones."""
    bare = BareForkServer()
    try:
        forks = timed_s(bare.fork, rounds)
        return median([bare.kill_and_notice_s(pid) for pid in list(bare.children)]), median(forks)
    finally:
        bare.close()


def _python(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-c", program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
