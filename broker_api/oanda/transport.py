"""Bytes to OANDA and back: one attempt, never more than the broker allows, and every failure sorted.

Where the request certainly did not reach the broker the error is `Retryable`; where it may have, and it acts,
`UnknownOutcome`. What an answer *says* is the business of `broker_api.oanda.status`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from atrader.clock import Clock
from atrader.configuration.oanda import OandaSettings
from atrader.configuration.web_url import is_local
from atrader.errors import AtraderError, BrokerUnavailable, ConfigError, DeadlineExceeded, UnknownOutcome
from broker_api.oanda.connections import ConnectionGate
from broker_api.oanda.lines import lines_of

Query = Mapping[str, str | int]

POOL_SIZE: Final = 4
"""Connections for requests; as many as can be under way at once."""

_WRITE_S: Final = 5.0
_POOL_S: Final = 2.0
_KEEP_S: Final = 60.0  # an idle connection; new ones are rationed, so keep those we have
_REFUSED: Final = 401
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_REQUEST_HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "atrader"}
_NO_QUERY: Final[Query] = {}


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
    """`Transport` over httpx. One per gateway: everything in it shares connections and their rate.

    Parameters
    ----------
    settings : OandaSettings
        Addresses, token and time-outs. The token is kept until it is refused, then fetched anew.
    clock : Clock
        The host's: it rations new connections, of requests and streams together.
    """

    def __init__(self, settings: OandaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.round_trip_s: float | None = None
        self._gate = ConnectionGate(settings.new_connections_per_s, clock, random.Random())
        self._token: str | None = None
        timeout = httpx.Timeout(
            connect=settings.connect_timeout, read=settings.read_timeout, write=_WRITE_S, pool=_POOL_S
        )
        limits = httpx.Limits(max_connections=POOL_SIZE, max_keepalive_connections=POOL_SIZE, keepalive_expiry=_KEEP_S)
        self._timeout = timeout.as_dict()
        self._base = settings.rest_base.rstrip("/")
        # Not a client of httpx: redirects and cookies, which no order needs, cost it a third of a request.
        self._rest = httpx.AsyncHTTPTransport(
            verify=_certificates(), limits=limits, proxy=_proxy_of(urlsplit(settings.rest_base))
        )
        # The silence of a stream is watched line by line: bytes alone are no sign of life.
        quiet = httpx.Timeout(connect=settings.connect_timeout, read=None, write=_WRITE_S, pool=_POOL_S)
        self._streams = _client(settings.stream_base, quiet, httpx.Limits(max_keepalive_connections=0))

    async def request(
        self, method: str, path: str, query: Query = _NO_QUERY, body: bytes | None = None, *, request_id: str = ""
    ) -> Answer:
        """Send one request and return its answer; see `Transport.request`."""
        headers = self._headers() | _REQUEST_HEADERS
        if request_id:
            headers["ClientRequestID"] = request_id
        if body is not None:
            headers["Content-Type"] = "application/json"
        for _ in range(POOL_SIZE):
            sending = _Sending(self._gate)
            begun_s = self._clock.monotonic_s()
            try:
                answer = await self._exchange(method, path, query, body, headers, sending)
            except (httpx.TimeoutException, TimeoutError) as error:
                raise self._failure(error, method) from error
            except httpx.HTTPError as error:
                if not (sending.is_kept and (method == "GET" or (body and sending.is_unsent))):
                    raise self._failure(error, method) from error
            else:
                self.round_trip_s = self._clock.monotonic_s() - begun_s
                return answer
        raise BrokerUnavailable("OANDA: it closed every kept connection; nothing was sent")

    @asynccontextmanager
    async def stream(
        self, path: str, query: Query = _NO_QUERY, *, silence_s: Callable[[], float]
    ) -> AsyncIterator[AsyncIterator[list[bytes]] | Answer]:
        """Open a stream of lines; see `Transport.stream`."""
        # Compressed, lines would wait in somebody's buffer.
        headers = self._headers() | {"Accept-Encoding": "identity"}
        request = self._streams.build_request("GET", path, params=_params(query), headers=headers)
        request.extensions["trace"] = _Sending(self._gate)
        try:
            async with asyncio.timeout(self._settings.connect_timeout + self._settings.read_timeout):
                response = await self._streams.send(request, stream=True)
        except (httpx.HTTPError, TimeoutError) as error:
            raise self._failure(error, "GET") from error
        try:
            if response.status_code == 200:
                yield lines_of(response, silence_s)
            else:
                yield await self._answer(response)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close all connections; may be called twice."""
        await self._rest.aclose()
        await self._streams.aclose()

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Query,
        body: bytes | None,
        headers: Mapping[str, str],
        sending: _Sending,
    ) -> Answer:
        extensions = {"timeout": self._timeout, "trace": sending}
        request = httpx.Request(
            method, _url(self._base + path), params=_params(query), content=body, headers=headers, extensions=extensions
        )
        response = await self._rest.handle_async_request(request)
        try:
            return await self._answer(response)
        finally:
            await response.aclose()

    async def _answer(self, response: httpx.Response) -> Answer:
        data = bytearray()
        async with asyncio.timeout(self._settings.read_timeout):  # httpx's own limits each part only
            async for part in response.aiter_bytes():
                data += part
                if len(data) > _MAX_ANSWER_BYTES:
                    raise httpx.ReadError(f"an answer of more than {_MAX_ANSWER_BYTES >> 20} MB")
        if response.status_code == _REFUSED:
            self._token = None  # its place may hold another one by now
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(data))

    def _headers(self) -> dict[str, str]:
        if self._token is None:
            token = self._settings.token.resolve()
            if not token.isascii() or not token.isprintable():
                raise ConfigError("the token of OANDA has characters that no header can carry; see oanda.token")
            self._token = token
        return {"Authorization": f"Bearer {self._token}", "Accept-Datetime-Format": "RFC3339"}

    def _failure(self, error: Exception, method: str) -> AtraderError:
        said = f"OANDA: {type(error).__name__} {error}".rstrip()
        if isinstance(error, _NOT_SENT):
            return BrokerUnavailable(f"{said}; nothing was sent")
        if method != "GET":
            return UnknownOutcome(f"{said}; it may have been carried out")
        if isinstance(error, httpx.TimeoutException | TimeoutError):
            return DeadlineExceeded(said)
        return BrokerUnavailable(said)


class _Sending:
    """Follows one request through httpx, which awaits it at each step, and holds new connections back.

    A request is only called unsent when its steps were seen to say so: a library that no longer tells them makes
    every failure one of unknown outcome.
    """

    def __init__(self, gate: ConnectionGate) -> None:
        self._gate = gate
        self.is_kept = True  # the connection served requests before
        self._headers_failed = False
        self._body_begun = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of a step."""
        if event == "connection.connect_tcp.started":
            self.is_kept = False
            await self._gate.enter()
        elif event == "http11.send_request_headers.failed":
            self._headers_failed = True
        elif event == "http11.send_request_body.started":
            self._body_begun = True

    @property
    def is_unsent(self) -> bool:
        """Whether the connection broke before a byte of the body was written."""
        return self._headers_failed and not self._body_begun


def _client(base_url: str, timeout: httpx.Timeout, limits: httpx.Limits) -> httpx.AsyncClient:
    # No redirects: they would carry the token elsewhere.
    local = is_local(urlsplit(base_url).hostname or "")
    return httpx.AsyncClient(
        base_url=base_url, timeout=timeout, limits=limits, follow_redirects=False, trust_env=not local,
        verify=_certificates(),
    )  # fmt: skip


@cache
def _certificates() -> ssl.SSLContext:
    """Return what tells a true broker from a false one; reading the list takes 40 ms, so all clients share it."""
    return httpx.create_ssl_context()


def _proxy_of(base: SplitResult) -> str | None:
    """Return the proxy that the environment names for an address; the simulator on this host is never behind one."""
    host = base.hostname or ""
    if is_local(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(base.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


@lru_cache(maxsize=64)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)  # parsing one costs as much as sending it


def _params(query: Query) -> Query | None:
    return query or None
