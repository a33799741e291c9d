"""A server of calls and how to reach it, for the tests of calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from atrader.bus import Caller, CallServer, CurveKeys
from tests.support.bus import Asker, Echo, EchoAnswer


class Stage:
    """A server, and how to reach it."""

    def __init__(self, transport: str, client: str, directory: Path) -> None:
        self.client = client
        self.curve = CurveKeys.generate(directory / "keys") if transport == "tcp" else None
        self.address = "tcp://127.0.0.1:0" if transport == "tcp" else f"ipc://{directory}/calls"
        self.errors: list[tuple[BaseException, str]] = []

    async def serve(self, handlers: dict[Any, Any], **more: Any) -> CallServer:
        server = CallServer(
            self.address, handlers, curve=self.curve, on_error=lambda e, doing: self.errors.append((e, doing)), **more
        )
        await server.start()
        self.address = str(server.endpoint)  # a restarted one gets the same port
        return server

    def asker(self) -> Asker:
        return Asker(self.client, self.address, self.curve)


def echo(request: Echo, _: Caller) -> EchoAnswer:
    return EchoAnswer(text=request.text)


async def slow_echo(request: Echo, _: Caller) -> EchoAnswer:
    await asyncio.sleep(request.delay_s)
    return EchoAnswer(text=request.text)


def promised_echo(request: Echo, _: Caller) -> asyncio.Future[EchoAnswer]:
    promise: asyncio.Future[EchoAnswer] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(request.delay_s, promise.set_result, EchoAnswer(text=request.text))
    return promise
