"""Values out of decoded JSON whose shape is configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from atrader.clock import NS_PER_MS, NS_PER_S, NS_PER_US, iso_from_ns, parse_time
from atrader.configuration.sources import TimeFormat

_SCALE: Final = {"s": NS_PER_S, "ms": NS_PER_MS, "us": NS_PER_US, "ns": 1}


def field_of(value: Any, path: str) -> Any:
    """Return what is at a place such as ``data.candles`` or ``0``; None when there is nothing.

    Parameters
    ----------
    path : str
        Names of tables and places in lists, with dots between; empty for the value itself.
    """
    for name in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def number_of(value: Any, name: str) -> float:
    """Return a number, which may be written as text.

    Raises
    ------
    ValueError
        When it is none.
    """
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise ValueError(f"{name}: expected a number, was {value!r}")


def time_reader(time_format: TimeFormat) -> Callable[[Any], int]:
    """Return what reads times of a format as ns UTC, and raises ValueError for other values."""
    if time_format == "iso":
        return _iso_time
    scale = _SCALE[time_format]

    def read(value: Any) -> int:
        if isinstance(value, str) and value.lstrip("-").isdecimal():
            value = int(value)
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(f"time: expected a number ({time_format}), was {value!r}: set time_format")
        return value * scale if isinstance(value, int) else round(value * scale)

    return read


def time_sent(time_ns: int, time_format: TimeFormat) -> str | int:
    """Write a time for a parameter."""
    return iso_from_ns(time_ns) if time_format == "iso" else time_ns // _SCALE[time_format]


def _iso_time(value: Any) -> int:
    if not isinstance(value, str):
        raise ValueError(f"time: expected an ISO 8601 text, was {value!r}: set time_format")
    return parse_time(value)
