"""Layouts that are checked when they are declared: numpy and ctypes lay out, the reference says what must come out."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np

from atrader.errors import InvariantBroken

_Structure = TypeVar("_Structure", bound=type[ctypes.Structure])


def record(name: str, size: int, fields: str, *, packed: bool = False, **nested: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a C struct, laid out by C's rules.

    Parameters
    ----------
    name : str
        The struct's, for the error.
    size : int
        Its ``sizeof``, bytes.
    fields : str
        ``name:type@offset`` in the order of the declaration, with spaces between; types are numpy's, ``pointer``, or
        names of `nested`; ``type*n`` is an array.
    packed : bool
        Whether it was declared without padding.
    **nested : dtype
        Structs inside it.

    Raises
    ------
    InvariantBroken
        When this machine lays it out in another way.
    """
    declared = [_FIELD.fullmatch(field) for field in fields.split()]
    parts = [field.groups() for field in declared if field]
    types = {part[1]: nested.get(part[1]) or np.dtype(_TYPES.get(part[1], part[1])) for part in parts}
    layout = [
        (field, np.dtype((types[kind], (int(count),))) if count else types[kind]) for field, kind, count, _ in parts
    ]
    dtype = np.dtype(layout, align=not packed)
    found = {field: int(dtype.fields[field][1]) for field, *_ in parts if dtype.fields is not None}
    _compare(name, dtype.itemsize, size, found, {field: int(at) for field, _, _, at in parts})
    if len(parts) != len(declared):
        raise InvariantBroken(f"struct {name}: a field that is not name:type@offset")
    return dtype


_FIELD: Final = re.compile(r"(\w+):(\w+)(?:\*(\d+))?@(\d+)")
_TYPES: Final = {"pointer": "u8", "long": "i8"}  # of 64-bit Linux


def structure(size: int, **offsets: int) -> Any:
    """Check the size of a ctypes structure and where its fields are; a class decorator.

    Raises
    ------
    InvariantBroken
        When this machine lays it out in another way.
    """

    def checked(kind: _Structure) -> _Structure:
        found = {field: getattr(kind, field).offset for field in offsets}
        _compare(kind.__name__, ctypes.sizeof(kind), size, found, offsets)
        return kind

    return checked


def _compare(name: str, size: int, wanted: int, found: Mapping[str, int], offsets: Mapping[str, int]) -> None:
    if size != wanted:
        raise InvariantBroken(f"struct {name}: {size} bytes on this machine, {wanted} in the library")
    wrong = {field: at for field, at in found.items() if at != offsets[field]}
    if wrong:
        raise InvariantBroken(f"struct {name}: {wrong} on this machine, {dict(offsets)} in the library")
