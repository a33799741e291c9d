"""Waiting and asking for the tests of the bus."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import zmq

from atrader.bus import CallClient, CurveKeys, SyncCallClient
from atrader.wire import Answer, Request, stream_schema

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60.0


class EchoAnswer(Answer):
    text: str
    pid: int = 0


class Echo(Request):
    """Asks for its own text back, after a while."""

    kind: ClassVar[str] = "test-bus.echo"
    answer: ClassVar[type[Answer]] = EchoAnswer
    text: str = ""
    delay_s: float = 0.0


class Act(Request):
    """Does something that must not be repeated."""

    kind: ClassVar[str] = "test-bus.act"
    answer: ClassVar[type[Answer]] = EchoAnswer
    acts: ClassVar[bool] = True
    text: str = ""


QUOTE = stream_schema("test-bus.quote", 1, (("instrument", str), ("time_ns", int), ("bid", float)))


def until(condition: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Return the first true value of a condition."""
    end_s = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain for {what}"
        time.sleep(0.002)
    return found


async def auntil(condition: Callable[[], Any], what: str, limit_s: float = LIMIT_S) -> Any:
    """Return the first true value of a condition, while the loop goes on."""
    end_s = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"waited {limit_s:g} s in vain for {what}"
        await asyncio.sleep(0.002)
    return found


class Asker:
    """One way of asking for both clients; the plain one runs in a thread, since its server is in our loop."""

    def __init__(self, kind: str, endpoint: object, curve: CurveKeys | None = None) -> None:
        make: type[CallClient | SyncCallClient] = CallClient if kind == "async" else SyncCallClient
        self.client = make(str(endpoint), curve=curve)

    async def ask(self, request: Request, timeout_s: float = LIMIT_S) -> Any:
        return (await self.ask_frames(request, timeout_s))[0]

    async def ask_frames(
        self, request: Request, timeout_s: float = LIMIT_S, frames: Sequence[Any] = ()
    ) -> tuple[Any, list[memoryview]]:
        if isinstance(self.client, CallClient):
            return await self.client.call_frames(request, timeout_s, frames)
        return await asyncio.to_thread(self.client.call_frames, request, timeout_s, frames)

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *_: object) -> None:
        if isinstance(self.client, CallClient):
            await self.client.close()
        else:
            self.client.close()


@contextmanager
def child(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python code in a process of its own; it is killed at the end at the latest."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str], expected: str) -> None:
    """Read lines of a child until one says what is expected."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.strip() == expected:
            return
    raise AssertionError(f"the child ended without saying {expected!r}: {''.join(lines)}")


@contextmanager
def raw_socket(kind: int, **options: int) -> Iterator[zmq.Socket[bytes]]:
    """Open a socket the bus knows nothing of, in a context of its own."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    for name, value in options.items():
        socket.setsockopt(getattr(zmq, name), value)
    try:
        yield socket
    finally:
        context.destroy(linger=0)
