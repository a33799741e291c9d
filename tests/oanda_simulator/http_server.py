"""HTTP/1.1 on a raw socket, so that every byte and every close is in the simulator's hand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

_REASONS: Final = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_LARGEST_BODY: Final = 1 << 20


@dataclass(frozen=True)
class Request:
    """What a client asked. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One client's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def read(self, idle_s: float) -> Request | None:
        """Return the next request; None when the client goes away or asks nothing for `idle_s` seconds."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), idle_s)
            line, *fields = head.decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ", 2)
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields if f)
            }
            length = int(headers.get("content-length", "0"))
            body = await self.reader.readexactly(min(length, _LARGEST_BODY))
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return None
        url = urlsplit(target)
        return Request(method, unquote(url.path), dict(parse_qsl(url.query, keep_blank_values=True)), headers, body)

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket."""
        if not self.writer.is_closing():
            self.writer.write(data)

    async def gone(self) -> None:
        """Wait until the client goes away; what it still sends is ignored."""
        with suppress(OSError):
            while await self.reader.read(65_536):
                pass

    def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        sock: socket.socket | None = self.writer.get_extra_info("socket")
        if sock is not None and not self.writer.is_closing():
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Send what waits and close."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return data as one chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class HttpServer:
    """A listening socket on 127.0.0.1 whose connections are served by one function each.

    Attributes
    ----------
    failures : list of Exception
        What went wrong in it; each ended the connection that it happened on.
    """

    def __init__(self, serve: Callable[[Connection], Awaitable[None]]) -> None:
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Connection] = set()
        self.failures: list[Exception] = []

    async def start(self, port: int = 0) -> int:
        """Listen. Returns the port."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port, limit=1 << 20)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        connection = Connection(reader, writer)
        if task:
            self._tasks.add(task)
        self._connections.add(connection)
        try:
            await self._serve(connection)
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the server is stopping: nobody is left to tell
        except Exception as error:  # noqa: BLE001 - a defect of the simulator: raised where it ends
            self.failures.append(error)
        finally:
            self._connections.discard(connection)
            if task:
                self._tasks.discard(task)
            writer.close()

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def drop_all(self, reset: bool = False) -> None:
        """End every connection at once."""
        for connection in list(self._connections):
            if reset:
                connection.reset()
            else:
                connection.writer.close()

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._tasks)
        for connection in list(self._connections):
            connection.writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None
