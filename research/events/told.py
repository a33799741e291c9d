"""What strategies told, whichever engine ran them."""

from __future__ import annotations

from typing import NamedTuple


class Signal(NamedTuple):
    """A signal that a strategy recorded."""

    time_ns: int
    instance: str
    name: str
    value: float
    indicators: dict[str, float]
    bar: str | None


class Alert(NamedTuple):
    """Something that a strategy, or an error in it, told people."""

    time_ns: int
    instance: str
    kind: str
    text: str
