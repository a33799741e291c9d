"""Messages of streams: positional values with a fixed schema, checked where they enter.

Ticks, bars and events are many, so they are not models: a schema checks the number and the types of the values by one
look-up of their types in a table of combinations seen to be right, and only walks the fields for a new combination.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgpack

from atrader.errors import WireError

_PLAIN: Final = frozenset({int, float, str, bool, bytes, list, dict, NoneType})
_MAX_SIGNATURES: Final = 256

_LETTERS: Final = {str: b"s", int: b"i", float: b"f", bool: b"b"}

_schemas: dict[tuple[str, int], StreamSchema] = {}
PLAIN_SCHEMAS: Final[dict[bytes, tuple[str, type, bytes]]] = {}
"""Of the kinds whose fields are all a text, a number or a flag: how their messages begin in bytes, and then kind, named
tuple, and a letter for each field."""


class StreamSchema:
    """What the values of one kind of stream message are; made by `stream_schema`.

    Attributes
    ----------
    kind : str
        Name of the message on the wire.
    version : int
        Version of the field list.
    values_type : type
        The named tuple `unpack` returns.
    """

    __slots__ = ("_allowed", "_arity", "_names", "_signatures", "kind", "values_type", "version")

    def __init__(self, kind: str, version: int, fields: tuple[tuple[str, Any], ...], values_type: Any = None) -> None:
        self.kind = kind
        self.version = version
        self._names = tuple(name for name, _ in fields)
        self._arity = len(fields)
        self._allowed = tuple(_types_of(kind, name, declared) for name, declared in fields)
        # A field of Decimal is converted each time, so combinations with one are never taken as they are.
        self._signatures: set[tuple[type, ...]] = set()
        title = "".join(part.capitalize() for part in kind.replace("-", ".").replace("_", ".").split("."))
        self.values_type: Any = values_type or _named_tuple(f"{title}Values", self._names)
        if self.values_type._fields != self._names:
            raise TypeError(f"{kind}: {self.values_type.__name__} has other fields than {self._names}")

    def __repr__(self) -> str:
        return f"StreamSchema({self.kind!r}, {self.version}, {self._names})"

    def pack(self, values: tuple[Any, ...]) -> list[Any]:
        """Check values and give them their form on the wire.

        Parameters
        ----------
        values : tuple
            One value per field, in order. An int is accepted for a float, a numpy float64 too. Ints must
            fit 64 bits, which the sender of the message finds out.

        Raises
        ------
        WireError
            When the number of values or a type is wrong.
        """
        if tuple(map(type, values)) in self._signatures:
            return list(values)
        return self._walk(values, _to_wire)

    def unpack(self, values: list[Any]) -> Any:
        """Check values from the wire.

        Returns
        -------
        named tuple
            The values by field name, Decimals as `Decimal`.

        Raises
        ------
        WireError
            When the number of values or a type is wrong.
        """
        if type(values) is list and tuple(map(type, values)) in self._signatures:
            return self.values_type._make(values)
        if not isinstance(values, list):
            raise WireError(f"{self.kind}: expected a list of values, was {type(values).__name__}")
        return self.values_type._make(self._walk(values, _from_wire))

    def _walk(self, values: tuple[Any, ...] | list[Any], convert: Callable[[Any, frozenset[type]], Any]) -> list[Any]:
        if len(values) != self._arity:
            raise WireError(f"{self.kind}: expected {self._arity} values, were {len(values)}")
        walked = []
        for name, allowed, value in zip(self._names, self._allowed, values, strict=True):
            try:
                walked.append(convert(value, allowed))
            except (TypeError, ValueError, OverflowError, InvalidOperation) as error:
                wanted = " or ".join(sorted(kind.__name__ for kind in allowed))
                raise WireError(f"{self.kind}.{name}: expected {wanted}, was {value!r:.60}") from error
        self._learn(values)
        return walked

    def _learn(self, values: tuple[Any, ...] | list[Any]) -> None:
        signature = tuple(map(type, values))
        exact = all(
            kind in allowed and kind is not Decimal and Decimal not in allowed
            for kind, allowed in zip(signature, self._allowed, strict=True)
        )
        if exact and len(self._signatures) < _MAX_SIGNATURES:
            self._signatures.add(signature)


def stream_schema(
    kind: str, version: int, fields: tuple[tuple[str, Any], ...], *, values_type: type | None = None
) -> StreamSchema:
    """Define a kind of stream message; call it once, at import.

    Parameters
    ----------
    kind : str
        Name on the wire.
    version : int
        To be raised whenever the fields change.
    fields : tuple of (name, type)
        Types are int, float, str, bool, bytes, Decimal, list, dict, or a union of those with None.
    values_type : type, optional
        A named tuple with these fields, in which values are handed out; one of its own by default.

    Raises
    ------
    TypeError
        When this kind and version exist already, a type has no form on the wire, or the fields of the named tuple
        are others.
    """
    if (kind, version) in _schemas:
        raise TypeError(f"stream schema {kind!r} version {version} exists already")
    schema = StreamSchema(kind, version, fields, values_type)
    _schemas[kind, version] = schema
    letters = b"".join(_LETTERS.get(declared, b"?") for _, declared in fields)
    if b"?" not in letters:
        PLAIN_SCHEMAS[b"\x95" + msgpack.packb(kind) + msgpack.packb(version)] = kind, schema.values_type, letters
    return schema


def find_stream_schema(kind: object, version: object) -> StreamSchema:
    """Find the schema a message names.

    Raises
    ------
    WireError
        When this program does not know that kind and version.
    """
    schema = _schemas.get((kind, version)) if type(kind) is str and type(version) is int else None
    if schema is None:
        raise WireError(f"stream message {kind!r:.60} version {version!r:.20} is not known here")
    return schema


def _named_tuple(title: str, names: tuple[str, ...]) -> Any:
    return namedtuple(title, names)


def _types_of(kind: str, name: str, declared: Any) -> frozenset[type]:
    union = get_origin(declared) in (Union, UnionType)
    types = get_args(declared) if union else (get_origin(declared) or declared,)
    plain = frozenset(NoneType if item is None else get_origin(item) or item for item in types)
    if not plain <= _PLAIN | {Decimal} or (Decimal in plain and str in plain):
        raise TypeError(f"{kind}.{name}: {declared!r} has no form in a stream message")
    return plain


def _to_wire(value: Any, allowed: frozenset[type]) -> Any:
    """Return the plain form of one value; TypeError when it is none of the allowed types."""
    kind = type(value)
    if kind is Decimal and Decimal in allowed:
        return str(value)
    if kind in allowed:
        return value
    if float in allowed and isinstance(value, (int, float)) and kind is not bool:
        return float(value)
    if str in allowed and isinstance(value, str):
        return str.__str__(value)  # an enum of strings
    raise TypeError


def _from_wire(value: Any, allowed: frozenset[type]) -> Any:
    """Return the value of its plain form; TypeError when it is none of the allowed types."""
    if Decimal in allowed and type(value) is str:
        number = Decimal(value)
        if not number.is_finite():
            raise ValueError
        return number
    if type(value) is Decimal or type(value) not in allowed:
        raise TypeError
    return value
