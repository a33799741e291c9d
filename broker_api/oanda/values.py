"""How OANDA writes times and names."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from atrader.clock import NS_PER_S, iso_from_ns, parse_time

_FRACTION_DIGITS: Final = 9


def time_ns(text: str) -> int:
    """Return UTC nanoseconds of a time as OANDA writes it: RFC 3339 in UTC, or seconds since 1970.

    Raises
    ------
    ValueError
        When it is neither.
    """
    if text[10:11] != "T":
        seconds, _, fraction = text.partition(".")
        return int(seconds) * NS_PER_S + _fraction_ns(fraction)
    if text[-1] != "Z" or (len(text) > 20 and text[19] != "."):
        raise ValueError(f"no time of OANDA: {text!r}")
    seconds_s = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return _date_ns(text[:10]) + seconds_s * NS_PER_S + _fraction_ns(text[20:-1])


def time_text(time_ns: int) -> str:
    """Return a time as OANDA reads it."""
    return iso_from_ns(time_ns)


def symbol_of(name: str) -> str:
    """Return our symbol of an instrument of OANDA: ``EUR_USD`` is ``EUR/USD``."""
    return name.replace("_", "/")


def name_of(symbol: str) -> str:
    """Return OANDA's name of an instrument."""
    return symbol.replace("/", "_")


@lru_cache(maxsize=64)
def _date_ns(date: str) -> int:
    return parse_time(date)


def _fraction_ns(digits: str) -> int:
    return int(digits[:_FRACTION_DIGITS].ljust(_FRACTION_DIGITS, "0")) if digits else 0
