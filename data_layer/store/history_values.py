"""Values as every database takes them: what others send is brought to the type of its column. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import JSON, Column, Float, Integer, Table

_NUL: Final = "\x00"  # PostgreSQL has no text with it
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_LARGEST: Final = {"BIGINT": 2**63 - 1, "INTEGER": 2**31 - 1}


def storable(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the columns of a table take them.

    Raises
    ------
    ValueError, TypeError
        When a number is none, or too large.
    """
    return {column.name: _of_column(column, values[column.name]) for column in table.columns if column.name in values}


def _of_column(column: Column[Any], value: Any) -> Any:
    if isinstance(column.type, JSON):
        return _plain(value)
    if value is None:
        if not column.nullable:
            raise ValueError(f"{column.name} is missing")
        return None
    if isinstance(column.type, Float):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(column.type, Integer):
        whole = int(value)
        if abs(whole) > _LARGEST[str(column.type)]:
            raise ValueError(f"{column.name}: {whole} is too large")
        return whole
    return str(value).replace(_NUL, _REPLACEMENT)


def _plain(value: Any) -> Any:
    """Return a value that is JSON by the letter: without NaN, infinities and the character that text cannot have."""
    if isinstance(value, Mapping):
        return {str(key).replace(_NUL, _REPLACEMENT): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.replace(_NUL, _REPLACEMENT) if isinstance(value, str) else value
