"""The outermost map of every message, and messages that are plain maps.

Without pydantic, which takes ten times as long to import as a call takes: a command that only prints an answer needs
none of it. Whatever bytes come in, reading them gives a message or a `WireError`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Protocol

import msgpack

from atrader.errors import AtraderError, WireError, error_class

PROTOCOL_VERSION: Final = 1
ANSWER: Final = "answer"
ERROR: Final = "error"


class Askable(Protocol):
    """What a client needs of a request."""

    @property
    def kind(self) -> str:
        """Name of the call on the wire."""

    @property
    def acts(self) -> bool:
        """Whether the call changes something."""

    def packed(self, deadline_ns: int) -> bytes:
        """Return the bytes of the request; nobody waits for the answer after the deadline (UTC ns)."""

    def answered(self, data: bytes | memoryview) -> Any:
        """Read the answer; raises the error the other side answered with."""


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request that only reads, as a plain map; its answer is one as well."""

    kind: str
    body: Mapping[str, object] = field(default_factory=dict)

    acts: bool = field(default=False, init=False)

    def packed(self, deadline_ns: int) -> bytes:
        """Return the bytes of the request."""
        return pack(self.kind, dict(self.body), {"deadline_ns": deadline_ns})

    def answered(self, data: bytes | memoryview) -> dict[str, Any]:
        """Return the body of the answer."""
        return body_of_answer(data)


def plain(value: object) -> object:
    """Give MessagePack a plain form of what it does not know.

    Raises
    ------
    TypeError
        When there is none.
    """
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError(f"{type(value).__qualname__} is no type of the wire")


def pack(
    kind: str, body: dict[str, Any], rest: Mapping[str, object], default: Callable[[object], object] = plain
) -> bytes:
    """Make the bytes of a message.

    Raises
    ------
    WireError
        When a value has no form on the wire.
    """
    try:
        packed: bytes = msgpack.packb({"v": PROTOCOL_VERSION, "kind": kind, **rest, "body": body}, default=default)
    except (ValueError, TypeError, OverflowError) as error:  # UnicodeEncodeError is a ValueError
        raise WireError(f"{kind}: a value has no form on the wire: {error}", details={"kind": kind}) from error
    return packed


def unpack(data: bytes | memoryview) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Read kind, body and what is beside them.

    Raises
    ------
    WireError
        When the bytes are no message of this protocol version.
    """
    try:
        # Maps keyed by magic number exist, so keys need not be strings; a map as a key is a TypeError.
        message = msgpack.unpackb(data, strict_map_key=False)
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise WireError(f"{len(data)} bytes are no MessagePack: {error}") from error
    if not isinstance(message, dict):
        raise WireError(f"expected a map, was {type(message).__name__}")
    version = message.pop("v", None)
    if type(version) is not int or version != PROTOCOL_VERSION:
        raise WireError(
            f"protocol version {version!r:.40} is not spoken here, only {PROTOCOL_VERSION}: run the same release of"
            " atrader on both sides"
        )
    kind = message.pop("kind", None)
    body = message.pop("body", None)
    if not isinstance(kind, str) or not isinstance(body, dict):
        raise WireError("expected a kind (text) and a body (map)")
    return kind, body, message


def body_of_answer(data: bytes | memoryview) -> dict[str, Any]:
    """Read the answer to a call, unchecked.

    Raises
    ------
    AtraderError
        The error the other side answered with, as the same class.
    WireError
        When the bytes are no answer.
    """
    kind, body, rest = unpack(data)
    if rest:
        raise WireError(f"answer: unexpected entries {sorted(map(repr, rest))}")
    if kind == ERROR:
        raise _error_of(body)
    if kind != ANSWER:
        raise WireError(f"answer: expected an answer or an error, was {kind!r}")
    return body


def pack_map(kind: str, body: Mapping[str, object]) -> bytes:
    """Make the bytes of a free map, as beats carry them.

    Raises
    ------
    WireError
        When a value has no form on the wire.
    """
    return pack(kind, dict(body), {})


def unpack_map(data: bytes | memoryview) -> tuple[str, dict[str, Any]]:
    """Read kind and body of a free map.

    Raises
    ------
    WireError
        When the bytes are no such message.
    """
    kind, body, rest = unpack(data)
    if rest:
        raise WireError(f"{kind!r}: unexpected entries {sorted(map(repr, rest))}")
    return kind, body


def _error_of(body: dict[str, Any]) -> AtraderError:
    code, message, details = body.get("code"), body.get("message"), body.get("details")
    if not isinstance(code, str) or not isinstance(message, str) or not isinstance(details, dict):
        return WireError("error: expected code, message and details")
    kind = error_class(code)
    if kind.code != code:  # newer than this program
        details = {**details, "code": code}
    return kind(message, details={str(key): value for key, value in details.items()})
