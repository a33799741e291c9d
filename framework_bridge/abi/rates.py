"""The rates arrays: bars of one symbol and timeframe as the library reads them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Final, TypeAlias

from atrader.errors import ConfigError

_SPARE: Final = 1.2  # the library's own reserve for weekend bars that it drops
_PRICES: Final = ("open", "high", "low", "close", "volume")
_TIME: Final = struct.Struct("<i4x")  # the end of a row
_VALUE: Final = 8  # bytes of a number in a column
_PRICES_BYTES: Final = len(_PRICES) * _VALUE
_SLACK: Final = 64  # rows by which a window may move on before it is written back to the start
_KNOWN_DIGITS: Final = (1, 2, 3, 4, 5)

_Columns: TypeAlias = tuple[bytes, ...]  # times and the five others, to be compared: as bytes nothing is faster


def bars_needed(required: int, required_minutes: int, actual_minutes: int) -> int:
    """Return how many bars an array must have so that the library does not answer 3009.

    Parameters
    ----------
    required : int
        Bars that the strategy wants, of `required_minutes`.
    required_minutes, actual_minutes : int
        Timeframe the strategy wants, and that of the bars that are passed.

    Raises
    ------
    ConfigError
        When the one is no multiple of the other: the library builds larger bars from smaller ones only.
    """
    if actual_minutes <= 0 or required_minutes % actual_minutes:
        raise ConfigError(f"bars of {actual_minutes} minutes cannot make bars of {required_minutes} minutes")
    return floor(required * _SPARE * required_minutes / actual_minutes) + 1


def digits_of(price_tick: Decimal) -> int:
    """Return how many decimals a price has.

    Raises
    ------
    ConfigError
        When the library knows no scale for so many.
    """
    digits = max(0, -int(price_tick.normalize().as_tuple().exponent))
    if digits not in _KNOWN_DIGITS:
        raise ConfigError(f"price_tick {price_tick}: the library knows prices of 1 to 5 decimals, this has {digits}")
    return digits


@dataclass(frozen=True, slots=True)
class RatesPlan:
    """What one rates array holds.

    Attributes
    ----------
    required_bars, required_minutes : int
        What the strategy wants.
    actual_minutes : int
        Timeframe of the bars that are passed; divides `required_minutes`.
    digits : int
        Decimals of the symbol's prices.
    """

    required_bars: int
    required_minutes: int
    actual_minutes: int
    digits: int

    @property
    def bars_needed(self) -> int:
        """Bars to pass, of `actual_minutes`."""
        return bars_needed(self.required_bars, self.required_minutes, self.actual_minutes)

    def info(self, size: int) -> tuple[float, ...]:
        """Return its row of `RATES_INFO` when so many bars are passed."""
        minutes = (self.required_minutes, self.required_bars, self.actual_minutes)
        return (1.0, *map(float, minutes), float(size), 10.0**-self.digits, float(self.digits))
