"""Bytes to OANDA and back: one attempt, never more than the broker allows, and every failure sorted.

Where the request certainly did not reach the broker the error is `Retryable`; where it may have, and it acts,
`UnknownOutcome`. What an answer *says* is the business of `broker_api.oanda.status`.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from typing import Final, NamedTuple, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from atrader.clock import Clock
from atrader.configuration.oanda import OandaSettings
from atrader.configuration.web_url import is_local
from atrader.errors import AtraderError, BrokerUnavailable, ConfigError, DeadlineExceeded, UnknownOutcome
from broker_api.oanda.connections import ConnectionGate
from broker_api.oanda.http_answer import MAX_BODY_BYTES, BadAnswer, unpacked
from broker_api.oanda.http_connection import Connection, Route, Unsent
from broker_api.oanda.http_pool import Pool
from broker_api.oanda.lines import lines_of

Query = Mapping[str, str | int]

POOL_SIZE: Final = 4
"""Connections for requests; as many as can be under way at once."""

_TURN_S: Final = 2.0  # for one of these connections
_REFUSED: Final = 401
_NO_QUERY: Final[Query] = {}
_COMPRESSED: Final = "Accept-Encoding: gzip, deflate\r\n"
_PLAIN: Final = "Accept-Encoding: identity\r\n"  # compressed, lines would wait in somebody's buffer

_Result = TypeVar("_Result")


class Answer(NamedTuple):
    """What came back, undecoded."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    data: bytes


class Transport(Protocol):
    """All that the client of OANDA needs of the network; tests and other HTTP libraries may take its place.

    Attributes
    ----------
    round_trip_s : float or None
        Of the newest request that was answered, seconds.
    """

    round_trip_s: float | None

    async def request(
        self, method: str, path: str, query: Query = _NO_QUERY, body: bytes | None = None, *, request_id: str = ""
    ) -> Answer:
        """Send one request and return its answer, whatever its status.

        Anything but a GET acts: it is sent once. Only where not a byte of it can have been worked in - a kept
        connection was closed by the broker before - is it sent again, on another connection.

        Parameters
        ----------
        path : str
            From ``/v3`` on.
        request_id : str
            Sent as ``ClientRequestID``; empty: none.

        Raises
        ------
        BrokerUnavailable
            It certainly was not sent (no connection); or it only reads, and no answer came.
        DeadlineExceeded
            It only reads, and no answer came in time.
        UnknownOutcome
            It acts, and may have been carried out.
        """

    def stream(
        self, path: str, query: Query = _NO_QUERY, *, silence_s: Callable[[], float]
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]] | Answer]:
        """Open a stream of lines, and close it at the end of the block.

        Gives the lines, those of a moment at once, or the answer when the broker refuses. The iteration raises
        `BrokerUnavailable` when the stream ends, breaks, or no whole line came for ``silence_s()``; opening it does
        when there is no connection.
        """

    async def close(self) -> None:
        """Close all connections; may be called twice."""


class HttpTransport:
    """`Transport` over connections of our own. One per gateway: everything in it shares connections and their rate.

    It follows no redirects, which would carry the token elsewhere. The proxy that the environment names is the way out.

    Parameters
    ----------
    settings : OandaSettings
        Addresses, token and time-outs. The token is kept until it is refused, then fetched anew.
    clock : Clock
        The host's: it rations new connections, of requests and streams together.

    Raises
    ------
    ConfigError
        When the proxy of the environment is of a kind that is not spoken.
    """

    def __init__(self, settings: OandaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.round_trip_s: float | None = None
        self._token: str | None = None
        gate = ConnectionGate(settings.new_connections_per_s, clock, random.Random())
        self._rest = _Host(settings.rest_base, settings, gate, clock)
        self._streams = _Host(settings.stream_base, settings, gate, clock)

    async def request(
        self, method: str, path: str, query: Query = _NO_QUERY, body: bytes | None = None, *, request_id: str = ""
    ) -> Answer:
        """Send one request and return its answer; see `Transport.request`."""
        request = self._rest.request(method, path, query, self._bearer(), _COMPRESSED, body, request_id)
        for _ in range(POOL_SIZE):
            connection = await self._taken()
            try:
                begun_s = self._clock.monotonic_s()
                connection.send(request)
                answer = await self._answer(connection)
            except Unsent:
                continue
            except TimeoutError as error:
                raise _failure(error, method) from error
            except (OSError, BadAnswer) as error:
                if not (connection.is_kept and method == "GET"):
                    raise _failure(error, method) from error
            else:
                self.round_trip_s = self._clock.monotonic_s() - begun_s
                return answer
            finally:
                self._rest.pool.give_back(connection)
        raise BrokerUnavailable("OANDA: it closed every kept connection; nothing was sent")

    @asynccontextmanager
    async def stream(
        self, path: str, query: Query = _NO_QUERY, *, silence_s: Callable[[], float]
    ) -> AsyncIterator[AsyncIterator[list[bytes]] | Answer]:
        """Open a stream of lines; see `Transport.stream`."""
        request = self._streams.request("GET", path, query, self._bearer(), _PLAIN)
        try:
            connection = await self._streams.pool.connect()
        except (OSError, BadAnswer) as error:
            raise _unconnected(error) from error
        try:
            try:
                connection.send(request)
                await self._in_time(connection.head())
                refused = None if connection.answer.status == 200 else await self._answer(connection)
            except (OSError, BadAnswer, Unsent) as error:
                raise _failure(error, "GET") from error
            yield lines_of(connection, silence_s) if refused is None else refused
        finally:
            await connection.close()

    async def close(self) -> None:
        """Close all connections; may be called twice."""
        await self._rest.pool.close()
        await self._streams.pool.close()

    async def _taken(self) -> Connection:
        try:
            return await self._rest.pool.take()
        except (OSError, BadAnswer) as error:
            raise _unconnected(error) from error

    async def _answer(self, connection: Connection) -> Answer:
        if not connection.answer.status:
            await self._in_time(connection.head())
        data = await self._in_time(_whole(connection))
        head = connection.answer
        if head.status == _REFUSED:
            self._token = None  # its place may hold another one by now
        return Answer(head.status, head.headers, unpacked(data, head.headers.get("content-encoding", "")))

    async def _in_time(self, work: Coroutine[None, None, _Result]) -> _Result:
        async with asyncio.timeout(self._settings.read_timeout):
            return await work

    def _bearer(self) -> str:
        if self._token is None:
            token = self._settings.token.resolve()
            if not token.isascii() or not token.isprintable():
                raise ConfigError("the token of OANDA has characters that no header can carry; see oanda.token")
            self._token = token
        return self._token


class _Host:
    """One of the broker's hosts: how it is reached, and requests to it as bytes."""

    def __init__(self, base: str, settings: OandaSettings, gate: ConnectionGate, clock: Clock) -> None:
        parts = urlsplit(base)
        certificates = _certificates() if parts.scheme == "https" else None
        route = Route.of(base, certificates, _proxy_of(base))
        self.pool = Pool(route, POOL_SIZE, gate, clock, connect_s=settings.connect_timeout, turn_s=_TURN_S)
        self._below = parts.path
        self._fixed = (
            f" HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nAccept: */*\r\nUser-Agent: atrader\r\n"
            "Accept-Datetime-Format: RFC3339\r\n"
        )

    def request(
        self, method: str, path: str, query: Query, token: str, encoding: str, body: bytes | None = None,
        request_id: str = "",
    ) -> bytes:  # fmt: skip
        """Return a request as it travels."""
        asked = f"{path}?{urlencode(query)}" if query else path
        head = f"{method} {self._below}{asked}{self._fixed}Authorization: Bearer {token}\r\n{encoding}"
        if request_id:
            head += f"ClientRequestID: {request_id}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        elif method != "GET":
            head += "Content-Length: 0\r\n"
        return f"{head}\r\n".encode("ascii") + (body or b"")


async def _whole(connection: Connection) -> bytes:
    parts, size = [], 0
    while part := await connection.part():
        parts.append(part)
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise BadAnswer(f"an answer of more than {MAX_BODY_BYTES >> 20} MB")
    return b"".join(parts)


def _unconnected(error: Exception) -> AtraderError:
    return BrokerUnavailable(f"{_said(error)}; nothing was sent")


def _failure(error: Exception, method: str) -> AtraderError:
    if method != "GET":
        return UnknownOutcome(f"{_said(error)}; it may have been carried out")
    return (DeadlineExceeded if isinstance(error, TimeoutError) else BrokerUnavailable)(_said(error))


def _said(error: Exception) -> str:
    return f"OANDA: {type(error).__name__} {error}".rstrip()


@cache
def _certificates() -> ssl.SSLContext:
    """Return what tells a true broker from a false one; reading the list takes 40 ms, so all clients share it."""
    is_named = os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}  # the host's own list, which OpenSSL finds by them
    certificates = ssl.create_default_context(cafile=None if is_named else certifi.where())
    certificates.set_alpn_protocols(["http/1.1"])
    return certificates


def _proxy_of(base: str) -> str | None:
    """Return the proxy that the environment names for an address; the simulator on this host is never behind one."""
    parts = urlsplit(base)
    host = parts.hostname or ""
    if is_local(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise ConfigError(f"the proxy of the environment, {proxy.partition('://')[0]}://..., is none of http or https")
    return proxy
