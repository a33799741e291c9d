"""The simulator for tests that are not asynchronous: in a thread of this process, or in a process of its own."""

from __future__ import annotations

import asyncio
import http.client
import inspect
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tests.oanda_simulator.simulator import OandaSimulator

_START_S: Final = 30.0
_ANSWER_S: Final = 30.0
_ANY_PORTS: Final = ("--port", "0", "--stream-port", "0", "--control-port", "0")
_ROOT: Final = Path(__file__).resolve().parents[2]


class HostedSimulator:
    """A simulator in another thread. ``call`` is the only way to touch it."""

    def __init__(self, simulator: OandaSimulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self._loop = loop
        self.rest_url = simulator.rest_url
        self.stream_url = simulator.stream_url
        self.token = simulator.token

    def call(self, action: Callable[[OandaSimulator], Any], timeout_s: float = 30.0) -> Any:
        """Run a function with the simulator, in its thread, and return its (awaited) result."""

        async def run() -> Any:
            found = action(self._simulator)
            return await found if inspect.isawaitable(found) else found

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout_s)


@contextmanager
def in_thread(**options: Any) -> Iterator[HostedSimulator]:
    """Run a simulator in a thread; the options are those of `OandaSimulator`."""
    ready: list[HostedSimulator] = []
    failed: list[BaseException] = []
    started = threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with OandaSimulator(**options) as simulator:
            ready.append(HostedSimulator(simulator, loop))
            stop.append(lambda: loop.call_soon_threadsafe(ended.set))
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the start
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="oanda-simulator")
    thread.start()
    started.wait(_START_S)
    if not ready:
        thread.join()
        raise failed[0] if failed else RuntimeError("the simulator did not start")
    try:
        yield ready[0]
    finally:
        stop[0]()
        thread.join()
    if failed:
        raise failed[0]


class RemoteSimulator:
    """A simulator in another process, by its control endpoint (see `tests.oanda_simulator.control`)."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.rest_url: str = told["rest_url"]
        self.stream_url: str = told["stream_url"]
        self.control_url: str = told["control_url"]
        self.token: str = told["token"]
        self.accounts: list[str] = told["accounts"]

    def do(self, command: str, **arguments: Any) -> Any:
        """Run a command of the control endpoint. Raises ValueError with its words when it refuses."""
        parts = urlsplit(self.control_url)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_ANSWER_S)) as connection:
            connection.request("POST", f"/{command}", json.dumps(arguments))
            answer = json.load(connection.getresponse())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer.get("result")


@contextmanager
def in_process(*arguments: str) -> Iterator[RemoteSimulator]:
    """Run ``python -m tests.oanda_simulator`` with some options; it ends with the context."""
    command = [sys.executable, "-P", "-m", "tests.oanda_simulator", "--json", *_ANY_PORTS, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"the simulator did not start: it ended with {process.wait()}")
            yield RemoteSimulator(json.loads(line))
        finally:
            process.terminate()
            process.wait()
