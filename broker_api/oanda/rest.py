"""Requests about one account: JSON in and out, errors by what to do about them."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from atrader.configuration.oanda import OandaSettings
from broker_api.oanda.status import body_of
from broker_api.oanda.transport import Query, Transport

_NO_QUERY: Final[Query] = {}


class OandaRest:
    """Speaks about one account over a transport.

    Parameters
    ----------
    transport : Transport
        Shared with the streams.
    settings : OandaSettings
        Name the account that all paths are about.
    """

    def __init__(self, transport: Transport, settings: OandaSettings) -> None:
        self._transport = transport
        self._account = account_path(settings.account_id)

    async def get(self, path: str, query: Query = _NO_QUERY) -> dict[str, Any]:
        """Read something of the account, such as ``/summary``. May be repeated.

        Raises
        ------
        ConfigError, Rejected, Retryable, StoreError
            See `broker_api.oanda.status.body_of`.
        """
        answer = await self._transport.request("GET", self._account + path, query)
        return body_of(answer, acting=False, what=f"GET {path or 'account'}")

    async def accounts(self) -> dict[str, Any]:
        """Return the accounts that the token may use."""
        answer = await self._transport.request("GET", "/v3/accounts")
        return body_of(answer, acting=False, what="GET accounts")

    async def act(self, method: str, path: str, body: dict[str, Any] | None, request_id: str) -> dict[str, Any]:
        """Change something of the account, once. Must not be repeated on `UnknownOutcome`.

        Parameters
        ----------
        request_id : str
            Client id of the intent; the broker repeats it in the transactions that the request makes.

        Raises
        ------
        Rejected
            Finally refused; details ``status`` and ``body``.
        Retryable
            Certainly not executed.
        UnknownOutcome
            Anything else.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        answer = await self._transport.request(method, self._account + path, body=data, request_id=request_id)
        return body_of(answer, acting=True, what=f"{method} {path}")


def account_path(account_id: str) -> str:
    """Return where everything about an account lies."""
    return f"/v3/accounts/{quote(account_id, safe='')}"
