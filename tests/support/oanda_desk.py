"""A client of the OANDA simulator that sees every byte, and the decorator that gives a test one."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tests.oanda_simulator import NETTING_ACCOUNT, AccountSettings, Limits, OandaSimulator
from tests.oanda_simulator.values import parse_time

WEDNESDAY: Final = parse_time("2026-11-18T15:00:00Z", "start")  # 10:00 in New York, winter time
_PATIENCE_S: Final = 10.0


@dataclass
class Answer:
    """What came back. ``body`` is the JSON, or the bytes when it is none."""

    status: int
    headers: dict[str, str]
    body: Any

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class Wire:
    """One socket to the venue."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, url: str) -> Wire:
        """Connect."""
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: venue", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Return status and headers (names in lower case)."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), _PATIENCE_S)
        first, *fields = head.decode().rstrip().split("\r\n")
        pairs = (field.split(": ", 1) for field in fields)
        return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}

    async def answer(self) -> Answer:
        """Return an answer with a length. Raises what a client sees of a broken one."""
        status, headers = await self.head()
        data = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), _PATIENCE_S)
        return Answer(status, headers, json.loads(data) if headers["content-type"] == "application/json" else data)

    async def chunk(self) -> bytes:
        """Return the next chunk of a stream; empty at its end."""
        size = int(await asyncio.wait_for(self.reader.readuntil(b"\r\n"), _PATIENCE_S), 16)
        data = await asyncio.wait_for(self.reader.readexactly(size + 2), _PATIENCE_S)
        return data[:-2]

    async def line(self) -> Any:
        """Return the next line of a stream that comes in one chunk."""
        return json.loads(await self.chunk())

    async def ended(self) -> bool:
        """Return whether the venue closes the connection without another byte."""
        return await asyncio.wait_for(self.reader.read(1), _PATIENCE_S) == b""

    def close(self) -> None:
        """Go away."""
        self.writer.close()


class Desk:
    """A simulator and a client of one of its accounts."""

    def __init__(self, sim: OandaSimulator, account_id: str) -> None:
        self.sim = sim
        self.account_id = account_id
        self.account = sim.account(account_id)
        self.headers = {"Authorization": f"Bearer {sim.token}"}
        self._wire: Wire | None = None
        self._wires: list[Wire] = []

    @property
    def path(self) -> str:
        """The beginning of the account's paths."""
        return f"/v3/accounts/{self.account_id}"

    def full(self, path: str, query: dict[str, Any]) -> str:
        """Return a whole path; one that begins with ``/`` is taken as it is."""
        whole = path if path.startswith("/") else f"{self.path}/{path}".rstrip("/")
        return f"{whole}?{urlencode(query)}" if query else whole

    async def rest(self) -> Wire:
        """Return a new connection to the REST side."""
        return await self._connect(self.sim.rest_url)

    async def stream_side(self) -> Wire:
        """Return a new connection to the stream side."""
        return await self._connect(self.sim.stream_url)

    async def _connect(self, url: str) -> Wire:
        wire = await Wire.to(url)
        self._wires.append(wire)
        return wire

    def hang_up(self) -> None:
        """Close every connection."""
        for wire in self._wires:
            wire.close()

    async def ask(self, method: str, path: str, body: Any = None, headers: Any = None, **query: Any) -> Answer:
        """Ask on a kept connection."""
        if self._wire is None:
            self._wire = await self.rest()
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self._wire.ask(method, self.full(path, query), {**self.headers, **(headers or {})}, data)
        return await self._wire.answer()

    async def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        return await self.ask("GET", path, None, None, **query)

    async def order(self, **order: Any) -> Answer:
        """Send an order of 1000 EUR/USD at the market, or another."""
        return await self.ask("POST", "orders", {"order": {"instrument": "EUR_USD", "units": "1000", **order}})

    @asynccontextmanager
    async def stream(self, kind: str, headers: Any = None, **query: Any) -> AsyncIterator[Wire]:
        """Open a stream."""
        wire = await self.stream_side()
        try:
            wire.ask("GET", self.full(f"{kind}/stream", query), {**self.headers, **(headers or {})})
            status, _ = await wire.head()
            assert status == 200
            yield wire
        finally:
            wire.close()

    def kinds_since(self, number: int) -> list[str]:
        """Return the types of the transactions after a number."""
        return [entry["type"] for entry in self.account.log.since(number)]


def at_the_venue(
    account: AccountSettings | None = None, **options: Any
) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Run an asynchronous test with a desk: on a Wednesday of a clock that stands, without limits."""
    chosen = {"start_ns": WEDNESDAY, "limits": Limits.loose(), "price_window_s": 0, **options}
    settings = account or AccountSettings(NETTING_ACCOUNT)

    def decorate(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        async def run(**arguments: Any) -> None:
            async with OandaSimulator([settings], **chosen) as sim:
                sim.quote("EUR_USD", "1.10000", "1.10010")
                desk = Desk(sim, settings.id)
                try:
                    await test(desk, **arguments)
                finally:
                    desk.hang_up()

        @functools.wraps(test)
        def wrapped(**arguments: Any) -> None:
            asyncio.run(run(**arguments))

        signature = inspect.signature(test)
        left = [each for each in signature.parameters.values() if each.name != "desk"]
        wrapped.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return wrapped

    return decorate
