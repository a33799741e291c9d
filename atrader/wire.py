"""Messages of calls as they travel: what a request, an answer and an error look like in bytes.

Everything here is pure. A call message is a MessagePack map with the protocol version ``v``, a ``kind`` and a ``body``
that a frozen pydantic model checks; stream messages are in `atrader.wire_stream`. Decimals travel as strings, so no
digit is lost. Whatever bytes come in, reading them gives a message or a `WireError`, nothing else.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from atrader.errors import AtraderError, WireError
from atrader.wire_frame import (
    ANSWER,
    ERROR,
    PROTOCOL_VERSION,
    body_of_answer,
    pack,
    pack_map,
    plain,
    unpack,
    unpack_map,
)
from atrader.wire_stream import PLAIN_SCHEMAS, StreamSchema, find_stream_schema, stream_schema

__all__ = [
    "PLAIN_SCHEMAS",
    "PROTOCOL_VERSION",
    "Answer",
    "Request",
    "StreamSchema",
    "find_stream_schema",
    "pack_answer",
    "pack_error",
    "pack_map",
    "pack_request",
    "stream_schema",
    "unpack_answer",
    "unpack_map",
    "unpack_request",
]

_MAX_DEADLINE_NS: Final = 2**63

# What a model may raise while it checks hostile values: its own error, and what a careless validator lets through.
_BAD_VALUE: Final = (ValidationError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError)

_requests: dict[str, type[Request]] = {}


class Answer(BaseModel):
    """Base of what comes back from a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")


AnswerT = TypeVar("AnswerT", bound=Answer)
ModelT = TypeVar("ModelT", bound=BaseModel)


class Request(BaseModel):
    """Base of what a call asks for. A subclass that names a `kind` is known to every process that imports it.

    Attributes
    ----------
    kind : str
        Name of the call on the wire, such as ``"gateway.submit"``. Unique.
    answer : type of Answer
        What a call of this kind is answered with.
    acts : bool, default False
        Whether the call changes something. When no answer comes in time, a call that only reads raises
        `DeadlineExceeded`; one that acts raises `UnknownOutcome`, since it may have been carried out.

    Raises
    ------
    TypeError
        When a second class claims the same kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    answer: ClassVar[type[Answer]]
    acts: ClassVar[bool] = False

    def packed(self, deadline_ns: int) -> bytes:
        """Return its bytes, see `pack_request`."""
        return pack_request(self, deadline_ns)

    def answered(self, data: bytes | memoryview) -> Any:
        """Read the answer, see `unpack_answer`."""
        return unpack_answer(data, self.answer)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        """Enter the class into the registry of kinds."""
        super().__pydantic_init_subclass__(**kwargs)
        kind = cls.__dict__.get("kind")
        if kind is None:
            return  # an abstract base of several requests
        if not isinstance(kind, str) or not kind:
            raise TypeError(f"{cls.__qualname__}.kind: expected a name, was {kind!r}")
        known = _requests.setdefault(kind, cls)
        if known is not cls:
            raise TypeError(f"{cls.__qualname__}: kind {kind!r} already belongs to {known.__module__}.{known.__name__}")


def pack_request(request: Request, deadline_ns: int) -> bytes:
    """Make the bytes of a request.

    Parameters
    ----------
    request : Request
        What is asked.
    deadline_ns : int
        UTC nanoseconds after which nobody waits for the answer any more; the server then does not start the work.

    Raises
    ------
    WireError
        When a value has no form on the wire (an int beyond 64 bits, an object of no known type).
    """
    return pack(_kind_of(type(request)), _body(request), {"deadline_ns": deadline_ns}, _plain)


def unpack_request(data: bytes | memoryview) -> tuple[Request, int]:
    """Read a request and its deadline (UTC nanoseconds).

    Raises
    ------
    WireError
        When the bytes are no request of a kind and version known here.
    """
    kind, body, rest = unpack(data)
    request_type = _requests.get(kind)
    if request_type is None:
        raise WireError(f"request kind {kind!r} is not known here", details={"kind": kind})
    deadline_ns = rest.pop("deadline_ns", None)
    if type(deadline_ns) is not int or not 0 <= deadline_ns < _MAX_DEADLINE_NS or rest:
        raise WireError(f"request {kind!r}: expected a deadline and nothing beside it", details={"kind": kind})
    return _checked(request_type, body), deadline_ns


def pack_answer(answer: Answer) -> bytes:
    """Make the bytes of an answer.

    Raises
    ------
    WireError
        When a value has no form on the wire.
    """
    return pack(ANSWER, _body(answer), {}, _plain)


def pack_error(error: AtraderError) -> bytes:
    """Make the bytes of an error: its code, message and details (values that have no form on the wire go as text)."""
    body = {"code": error.code, "message": error.message, "details": error.details}
    try:
        return pack(ERROR, body, {}, _plain)
    except WireError:
        body["details"] = {str(key): repr(value) for key, value in error.details.items()}
        body["message"] = error.message.encode("utf-8", "replace").decode()
        return pack(ERROR, body, {}, _plain)


def unpack_answer(data: bytes | memoryview, answer_type: type[AnswerT]) -> AnswerT:
    """Read the answer to a call.

    Raises
    ------
    AtraderError
        The error the other side answered with, as the same class.
    WireError
        When the bytes are no such answer.
    """
    return _checked(answer_type, body_of_answer(data))


def _kind_of(request_type: type[Request]) -> str:
    kind = request_type.__dict__.get("kind")
    if kind is None:
        raise WireError(f"{request_type.__qualname__} has no kind of its own and cannot be sent")
    return str(kind)


def _body(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="python")


def _plain(value: object) -> object:
    """Give MessagePack a plain form of what models hold."""
    return _body(value) if isinstance(value, BaseModel) else plain(value)


def _checked(model: type[ModelT], body: dict[str, Any]) -> ModelT:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise WireError(f"{model.__name__}: {where}: {first['msg']}", details={"field": where}) from error
    except _BAD_VALUE as error:
        raise WireError(f"{model.__name__}: {type(error).__name__}: {error}") from error
