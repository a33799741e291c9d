"""What travels: decimal strings, times of nine digits in either format, and the types the core keeps them in.

The core of the simulator works on `Decimal`, `Time` and plain values. `rendered` turns them into JSON at the edge, in
the time format that a request asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

NS_PER_S: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_UNIX: Final = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?", re.ASCII)
MONEY: Final = Decimal("0.0001")

Fields = dict[str, Any]


class Time(int):
    """An instant, nanoseconds since 1970 UTC."""


class Malformed(Exception):
    """Raised when a request cannot be understood: answered with 400 and no transaction."""


def rfc3339(ns: int) -> str:
    """Return an instant as ``2026-11-20T14:47:03.123456789Z``."""
    seconds, fraction = divmod(ns, NS_PER_S)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def unix(ns: int) -> str:
    """Return an instant as ``1795186023.123456789``."""
    seconds, fraction = divmod(ns, NS_PER_S)
    return f"{seconds}.{fraction:09d}"


def parse_time(text: Any, name: str) -> Time:
    """Return the instant of a text in either format. Raises `Malformed`."""
    if isinstance(text, str):
        if match := _UNIX.fullmatch(text):
            return Time(int(match[1]) * NS_PER_S + int((match[2] or "").ljust(9, "0")))
        if match := _RFC3339.fullmatch(text):
            try:
                whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
            except ValueError:
                raise invalid(name) from None
            return Time((whole - _EPOCH) // timedelta(seconds=1) * NS_PER_S + int((match[2] or "").ljust(9, "0")))
    raise invalid(name)


def parse_decimal(text: Any, name: str) -> Decimal:
    """Return the number of a decimal string; a JSON number is refused. Raises `Malformed`."""
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise invalid(name)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise invalid(name) from None


def invalid(name: str) -> Malformed:
    """Return what the venue says of a value it cannot read."""
    return Malformed(f"Invalid value specified for '{name}'")


def places(value: Decimal) -> int:
    """Return how many digits after the point a number needs."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def money(value: Decimal | int) -> Decimal:
    """Return an amount of account currency with the four digits that the venue keeps."""
    return Decimal(value).quantize(MONEY)


def rendered(value: Any, in_unix: bool) -> Any:
    """Return a value of the core as JSON has it; fields that are None are left out."""
    if isinstance(value, Time):
        return unix(value) if in_unix else rfc3339(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {key: rendered(item, in_unix) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [rendered(item, in_unix) for item in value]
    return value


def dumps(value: Any, in_unix: bool = False) -> bytes:
    """Return a value of the core as the bytes of a JSON text without line breaks."""
    return json.dumps(rendered(value, in_unix), separators=(",", ":")).encode()


def csv_of(text: str) -> Iterator[str]:
    """Yield the parts of a list such as ``EUR_USD,GBP_USD`` (also with ``%2C``, which is decoded before)."""
    return (part.strip() for part in text.split(",") if part.strip())
