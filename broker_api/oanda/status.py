"""What an answer's status means: a decoded body, or one of our errors. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from atrader.errors import (
    AtraderError,
    BrokerUnavailable,
    ConfigError,
    Rejected,
    Retryable,
    StoreError,
    UnknownOutcome,
)
from broker_api.oanda.transport import Answer

_QUOTED: Final = 200  # characters of an answer that an error repeats
_LONGEST_WAIT_S: Final = 3600.0


def body_of(answer: Answer, *, acting: bool, what: str) -> dict[str, Any]:
    """Return the decoded body of a success.

    Parameters
    ----------
    acting : bool
        Whether the request was to change something: what is not understood may then have done so.
    what : str
        The request in words, for errors.

    Raises
    ------
    ConfigError
        Reading: the broker does not let us in (exit code AUTH), or sends us elsewhere.
    Rejected
        Acting: finally refused. Details: ``status``, ``body`` (decoded; empty when there is none).
    Retryable
        Too many requests, not executed (details ``retry_after_s`` when told); reading: no usable answer.
    StoreError
        The broker no longer has what was asked for (416).
    UnknownOutcome
        Acting: server error, or an answer nobody understands.
    """
    body = _decoded(answer.data)
    if answer.status in (200, 201) and body is not None:
        return body
    raise _error(answer, body, acting, what)


def _error(answer: Answer, body: dict[str, Any] | None, acting: bool, what: str) -> AtraderError:
    status = answer.status
    said = f"OANDA, {what}: status {status}{_quoted(answer.data)}"
    details: dict[str, object] = {"status": status, "request_id": answer.headers.get("requestid", "")}
    if status == 429:
        return Retryable(said, details=details | _retry_after(answer.headers))
    if status == 416:
        return StoreError(said, details=details)
    if 400 <= status < 500 and status != 408:
        if acting:
            return Rejected(said, details=details | {"body": body or {}})
        if status in (401, 403):
            return ConfigError(
                f"{said}; see oanda.token, oanda.account_id and oanda.environment", details={"exit_code": "AUTH"}
            )
        return Rejected(said, details=details | {"body": body or {}})
    if acting:
        return UnknownOutcome(f"{said}; it may have been carried out", details=details)
    if 300 <= status < 400:
        return ConfigError(f"{said}: it sends us elsewhere; see oanda.rest_url", details=details)
    return BrokerUnavailable(said, details=details)


def _decoded(data: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(headers: Mapping[str, str]) -> dict[str, object]:
    try:
        return {"retry_after_s": min(max(0.0, float(headers["retry-after"])), _LONGEST_WAIT_S)}
    except (KeyError, ValueError):
        return {}


def _quoted(data: bytes) -> str:
    text = " ".join(data[: 4 * _QUOTED].decode(errors="replace").split())[:_QUOTED]
    return f": {text}" if text else ""
