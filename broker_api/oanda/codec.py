"""Reading decoded JSON of the broker: whatever is missing, new or of another type is "not told", never an error."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from broker_api.oanda import values

_MOST_DIGITS: Final = 40  # of a number that can be an amount; also bounds the work of reading it


class Fields:
    """Reads of one JSON object.

    Parameters
    ----------
    source : object
        Decoded JSON; anything but an object reads as one without fields.
    """

    __slots__ = ("source",)

    def __init__(self, source: object) -> None:
        self.source: Mapping[str, Any] = source if isinstance(source, dict) else {}

    def __bool__(self) -> bool:
        return bool(self.source)

    def text(self, name: str) -> str:
        """Return a text; empty when it is not told. Numbers that should have been texts are taken as such."""
        value = self.source.get(name)
        if isinstance(value, str):
            return value
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def amount(self, name: str) -> Decimal | None:
        """Return a finite decimal; None when it is not told."""
        text = self.text(name)
        if not text or len(text) > _MOST_DIGITS:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            return None
        exponent = number.as_tuple().exponent
        return number if isinstance(exponent, int) and abs(exponent) <= _MOST_DIGITS else None

    def number(self, name: str) -> int:
        """Return a transaction id or count; 0 when it is not told."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else 0

    def flag(self, name: str) -> bool:
        """Return whether something is true; false when it is not told."""
        return self.source.get(name) is True

    def time_ns(self, name: str) -> int:
        """Return UTC nanoseconds; 0 when it is not told."""
        text = self.text(name)
        try:
            return values.time_ns(text) if text else 0
        except (ValueError, OverflowError):
            return 0

    def within(self, name: str) -> Fields:
        """Return the object of a name; one without fields when there is none."""
        return Fields(self.source.get(name))

    def each(self, name: str) -> Iterator[Fields]:
        """Yield the objects of a list."""
        found = self.source.get(name)
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict):
                yield Fields(item)

    def raw(self) -> str:
        """Return it as compact JSON, every field as it came."""
        return json.dumps(self.source, separators=(",", ":"), ensure_ascii=False)


def transactions_in(reply: Mapping[str, Any]) -> list[Fields]:
    """Return the transactions that the reply to a request of ours holds, oldest first."""
    found = [Fields(value) for name, value in reply.items() if name.endswith("Transaction")]
    return sorted((item for item in found if item.number("id")), key=lambda item: item.number("id"))
