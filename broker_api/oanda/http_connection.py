"""One connection to a server of HTTP/1.1: a request goes out in one piece, what comes back is read as it comes."""

from __future__ import annotations

import asyncio
import base64
import select
import ssl
from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from broker_api.oanda.http_answer import AnswerReader, BadAnswer

_UNREAD_BYTES: Final = 1024 * 1024  # beyond that nothing is read from the network until somebody takes it


class Unsent(Exception):
    """Raised when not a byte of a request left this host."""


class Route(NamedTuple):
    """How a server is reached.

    Attributes
    ----------
    certificates : ssl.SSLContext or None
        None: in the clear.
    proxy : urllib.parse.SplitResult or None
        Asked for a tunnel first.
    """

    host: str
    port: int
    certificates: ssl.SSLContext | None
    proxy: SplitResult | None = None

    @classmethod
    def of(cls, url: str, certificates: ssl.SSLContext | None, proxy: str | None = None) -> Route:
        """Make it of ``http(s)://host[:port]``."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.hostname or "", port, certificates, None if proxy is None else urlsplit(proxy))


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time. `open_connection` makes it.

    Attributes
    ----------
    answer : AnswerReader
        Of the request that was sent last.
    is_kept : bool
        Whether it served requests before: the server may have closed it meanwhile.
    idle_since_s : float
        When its owner put it aside, in seconds of its own clock.
    """

    def __init__(self) -> None:
        self.answer = AnswerReader()
        self.is_kept = False
        self.idle_since_s = 0.0
        self._transport: asyncio.Transport
        self._sent = False
        self._parts: list[bytes] = []
        self._unread = 0
        self._lost: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._gone = asyncio.Event()

    def send(self, request: bytes, *, is_tunnel: bool = False) -> None:
        """Begin a request: hand all of it to the kernel, before this returns.

        Raises
        ------
        Unsent
            The connection was lost before; the request may go over another one.
        """
        if self._lost is None and self._sent and self._has_news():
            self._lost = ConnectionError("it was closed, or something came unasked")
        if self._lost is not None:
            raise Unsent
        self.is_kept, self._sent = self._sent and not is_tunnel, True
        self.answer = AnswerReader(is_tunnel=is_tunnel)
        self._transport.write(request)
        if self._transport.is_closing():  # the kernel took nothing: a send that fails takes no byte
            raise Unsent

    async def head(self) -> None:
        """Wait until `answer` has a status.

        Raises
        ------
        OSError, BadAnswer
            The connection was lost, or what came is no answer.
        """
        while not self.answer.status:
            await self._news()

    async def part(self) -> bytes:
        """Wait for some of the body; empty at its end. Raises as `head` does."""
        while not self._parts:
            if self.answer.is_done:
                return b""
            await self._news()
        parts, self._parts, unread, self._unread = self._parts, [], self._unread, 0
        if unread > _UNREAD_BYTES and not self._transport.is_closing():
            self._transport.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @property
    def may_follow(self) -> bool:
        """Whether another request may go over it."""
        return self._lost is None and not self._unread and self.answer.may_follow

    def abort(self) -> None:
        """Close it, in the next turn of the loop; what was not sent is dropped."""
        self._transport.abort()

    async def close(self) -> None:
        """Close it, and wait until that is done, which depends on nobody else."""
        self._transport.abort()
        await self._gone.wait()

    @property
    def is_gone(self) -> bool:
        """Whether it is closed."""
        return self._gone.is_set()

    async def secure(self, certificates: ssl.SSLContext, host: str) -> None:
        """Go on encrypted, as agreed with a proxy. Raises OSError when the other end is not `host`."""
        made = await asyncio.get_running_loop().start_tls(self._transport, self, certificates, server_hostname=host)
        assert made is not None
        self._transport = made
        self._sent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the way out from the loop."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes from the loop."""
        try:
            part = self.answer.feed(data)
        except BadAnswer as error:
            self._lost = error
            self._transport.abort()
        else:
            if part:
                self._parts.append(part)
                self._unread += len(part)
                if self._unread > _UNREAD_BYTES:
                    self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Hear of the end from the loop."""
        if error is None:
            self.answer.end()
        if self._lost is None:
            self._lost = error or ConnectionError("the connection was closed")
        self._gone.set()
        self._wake()

    def _has_news(self) -> bool:
        """Tell whether the kernel has something to read, such as an end: nothing should come unasked."""
        descriptor = self._transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(0))

    async def _news(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


async def open_connection(route: Route) -> Connection:
    """Connect, through the proxy if there is one.

    Raises
    ------
    OSError, BadAnswer
        Nobody there, or it is not who it should be. No request was sent.
    """
    near = route.proxy
    if near is None:
        return await _connect(route.host, route.port, route.certificates)
    is_secret = near.scheme == "https"
    connection = await _connect(near.hostname or "", near.port or (443 if is_secret else 80),
                                route.certificates if is_secret else None)  # fmt: skip
    try:
        await _tunnel(connection, route, near)
    except BaseException:
        connection.abort()
        raise
    return connection


async def _connect(host: str, port: int, certificates: ssl.SSLContext | None) -> Connection:
    _, made = await asyncio.get_running_loop().create_connection(Connection, host, port, ssl=certificates)
    return made


async def _tunnel(connection: Connection, route: Route, proxy: SplitResult) -> None:
    """Have a proxy hand everything on."""
    there = f"{route.host}:{route.port}"
    lines = [f"CONNECT {there} HTTP/1.1", f"Host: {there}"]
    if proxy.username is not None:
        credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}")
    connection.send("\r\n".join([*lines, "", ""]).encode(), is_tunnel=True)
    await connection.head()
    if connection.answer.status != 200:
        raise ConnectionError(f"the proxy {proxy.hostname} refuses: status {connection.answer.status}")
    if route.certificates is not None:
        await connection.secure(route.certificates, route.host)
