"""One HTTP service, asked politely: our credentials, its rate, and every way to fail as one of three errors."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from atrader.clock import NS_PER_S, Clock, ns_from_utc
from atrader.configuration.sources import HttpSource, LoginConfig
from atrader.errors import ConfigError
from data_layer.sources.budget import RequestBudget
from data_layer.sources.fields import field_of
from data_layer.sources.source import SourceBusy, SourceLimits, SourceRefused

_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_MAX_REDIRECTS: Final = 3
_LONGEST_WAIT_S: Final = 3600.0  # that a service may ask for
_QUOTED: Final = 200  # characters of an answer that an error repeats
_REDIRECTS: Final = frozenset({301, 302, 307, 308})


class HttpService:
    """Sends requests and returns decoded JSON. For one asyncio loop.

    Credentials go to the origin of `config.url` only: a redirect to another one is refused. A token that is refused is
    renewed once for each request. Nothing is repeated otherwise: callers do that, after a pause.

    Parameters
    ----------
    name : str
        Of the source, for errors.
    config : HttpSource
        Where, who we are, and how often it may be asked.
    clock : Clock
        The host's.
    """

    def __init__(self, name: str, config: HttpSource, clock: Clock) -> None:
        self._name = name
        self._config = config
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=config.timeout, follow_redirects=False)
        self._token: str | None = None
        self._refresh_token: str | None = None
        self._budget = RequestBudget(limits_of(config), random.Random(), clock.monotonic_s())

    async def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        """Return what the service answers to a GET.

        Raises
        ------
        SourceBusy
            When it does not answer, is over its limit, fails, or answers something that is no JSON.
        SourceRefused
            When it says that the request is wrong, or that there is no such thing.
        ConfigError
            When it does not let us in, or sends us to another host.
        """
        return await self._authorised("GET", path, parameters, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return what the service answers to a POST of JSON; raises as `get`."""
        return await self._authorised("POST", path, {}, body)

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._client.aclose()

    async def _authorised(
        self, method: str, path: str, parameters: Mapping[str, str | int], body: Mapping[str, Any] | None
    ) -> Any:
        for attempt in ("first", "renewed"):
            status, headers, data = await self._send(method, path, parameters, body, await self._credentials())
            login = self._config.auth.login if self._config.auth.kind == "login" else None
            if status != 401 or login is None or attempt == "renewed":
                break
            self._token = await self._renewed(login)
        return self._decoded(status, headers, data)

    async def _credentials(self) -> dict[str, str]:
        auth = self._config.auth
        if auth.kind == "none":
            return {}
        if auth.kind == "login":
            if self._token is None:
                assert auth.login is not None
                self._token = await self._log_in(auth.login)
            return {"Authorization": f"Bearer {self._token}"}
        assert auth.token is not None
        secret = auth.token.resolve()
        return {"Authorization": f"Bearer {secret}"} if auth.kind == "bearer" else {auth.header: secret}

    async def _log_in(self, login: LoginConfig) -> str:
        body = {login.user_field: login.user, login.password_field: login.password.resolve()}
        return self._tokens(login, self._decoded(*await self._send("POST", login.path, {}, body, {}), shown=False))

    async def _renewed(self, login: LoginConfig) -> str:
        refresh, self._refresh_token, self._token = self._refresh_token, None, None
        if login.refresh_path is not None and refresh is not None:
            body = {login.refresh_token.rpartition(".")[2]: refresh}
            status, headers, data = await self._send("POST", login.refresh_path, {}, body, {})
            if status not in (400, 401, 403):  # else the refresh token is too old as well
                return self._tokens(login, self._decoded(status, headers, data, shown=False))
        return await self._log_in(login)

    def _tokens(self, login: LoginConfig, answer: Any) -> str:
        token = field_of(answer, login.token)
        if not isinstance(token, str) or not token:
            raise ConfigError(
                f"source {self._name}: the answer to the login has no text in {login.token!r} (auth.login.token)"
            )
        refresh = field_of(answer, login.refresh_token)
        self._refresh_token = refresh if isinstance(refresh, str) else None
        return token

    async def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, httpx.Headers, bytes]:
        url = self._config.url.rstrip("/") + "/" + path.lstrip("/")
        query: Mapping[str, str | int] | None = parameters or None
        for _ in range(_MAX_REDIRECTS + 1):
            await self._wait_for_turn()
            try:
                async with asyncio.timeout(self._config.timeout):  # httpx's own limits each read only
                    status, answered, data = await self._exchange(method, url, query, body, headers)
            except TimeoutError as error:
                raise SourceBusy(f"source {self._name}: no answer within {self._config.timeout:g} s") from error
            except httpx.TransportError as error:
                raise SourceBusy(f"source {self._name}: {type(error).__name__} {error}".rstrip()) from error
            except UnicodeEncodeError:
                raise ConfigError(
                    f"source {self._name}: its token or key has characters that no header can carry; see its [auth]"
                ) from None  # the error holds the secret
            except (httpx.InvalidURL, httpx.DecodingError) as error:
                raise SourceBusy(f"source {self._name}: {error}") from error
            if status not in _REDIRECTS:
                return status, answered, data
            url, query = self._redirected(url, answered.get("location", "")), None
        raise ConfigError(f"source {self._name}: more than {_MAX_REDIRECTS} redirects from {path}")

    async def _exchange(
        self,
        method: str,
        url: str,
        query: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[int, httpx.Headers, bytes]:
        async with self._client.stream(method, url, params=query, json=body, headers=headers) as response:
            data = bytearray()
            async for part in response.aiter_bytes():
                data += part
                if len(data) > _MAX_ANSWER_BYTES:
                    raise SourceBusy(f"source {self._name}: an answer of more than {_MAX_ANSWER_BYTES >> 20} MB")
            return response.status_code, response.headers, bytes(data)

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            origin = urlsplit(target)[:2]
        except ValueError as error:
            raise ConfigError(f"source {self._name}: it sends us to {location[:_QUOTED]!r}: {error}") from error
        if origin != urlsplit(self._config.url)[:2]:
            raise ConfigError(
                f"source {self._name}: it sends us to {urlsplit(target).netloc or target!r}, which must not see the"
                " credentials; write the new address into its url"
            )
        return target

    async def _wait_for_turn(self) -> None:
        while delay_s := self._budget.delay_s(self._clock.monotonic_s()):
            await asyncio.sleep(delay_s)
        self._budget.spend(self._clock.monotonic_s())

    def _decoded(self, status: int, headers: httpx.Headers, data: bytes, *, shown: bool = True) -> Any:
        """Return the answer; an error repeats its beginning only if `shown`: that to a login holds the token."""
        quoted = _quoted(data) if shown else ""
        if status in (401, 403):
            raise ConfigError(f"source {self._name}: it does not let us in (status {status}); see its [auth]")
        if status == 429 or status >= 500:
            details = {}
            retry_after_s = _retry_after_s(headers.get("retry-after"), self._clock.now_ns())
            if retry_after_s is not None:
                details["retry_after_s"] = retry_after_s
            raise SourceBusy(f"source {self._name}: status {status}{quoted}", details=details)
        if status >= 400:
            raise SourceRefused(f"source {self._name}: status {status}{quoted}", details={"status": status})
        try:
            return json.loads(data)
        except (ValueError, RecursionError):  # without a cause: it holds the answer
            raise SourceBusy(f"source {self._name}: the answer is no JSON{quoted}") from None


def limits_of(config: HttpSource) -> SourceLimits:
    """Return what may be asked of a configured service."""
    return SourceLimits(config.page_bars, config.requests_per_second, config.burst, config.settle)


def _retry_after_s(value: str | None, now_ns: int) -> float | None:
    """Read a Retry-After header: seconds, or a date."""
    if value is None:
        return None
    try:
        told_s = float(value)
    except ValueError:
        try:
            moment: datetime = parsedate_to_datetime(value)
            told_s = (ns_from_utc(moment) - now_ns) / NS_PER_S
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, told_s), _LONGEST_WAIT_S)


def _quoted(data: bytes) -> str:
    text = " ".join(data[: 4 * _QUOTED].decode(errors="replace").split())[:_QUOTED]
    return f": {text}" if text else ""
