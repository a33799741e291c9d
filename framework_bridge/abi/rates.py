"""The rates arrays: bars of one symbol and timeframe as the library reads them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.structures import RATES

_SPARE: Final = 1.2  # the library's own reserve for weekend bars that it drops
_PRICES: Final = ("open", "high", "low", "close", "volume")
_ROW: Final = struct.Struct("<5di")
_ROW_PRICES: Final = struct.Struct("<5d")
_SLACK: Final = 64  # rows by which a window may move on before it is written back to the start
_KNOWN_DIGITS: Final = (1, 2, 3, 4, 5)


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


class RatesArray:
    """Memory for the bars of one rates index: a window that moves on by one bar, and back when it is at the end.

    Attributes
    ----------
    address : int or None
        Of the first bar; None when there is none.
    """

    def __init__(self) -> None:
        self._allocate(_SLACK)
        self._place(0, 0)
        self._first_ns = self._second_ns = self._last_ns = -1

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> NDArray[np.void]:
        """The bars, as the library sees them."""
        return self._memory[self._start : self._start + self._size]

    def fill(self, bars: Bars, clock: WallClock) -> None:
        """Write all bars, oldest first; the last one is the unfinished bar.

        Parameters
        ----------
        bars : Bars
            Their bid columns are taken.
        clock : WallClock
            The broker's.

        Raises
        ------
        ValueError
            When a time does not fit the library's 32 bits.
        """
        size = len(bars)
        if size + _SLACK > len(self._memory):
            self._allocate(size + max(size, _SLACK))
        seconds = clock.seconds(bars.open_time_ns)
        self._place(0, size)
        for column, name in zip(self._columns, _PRICES, strict=True):
            column[:size] = getattr(bars, name)
        self._times[:size] = seconds
        times = bars.open_time_ns if size > 1 else np.full(2, -1)
        self._first_ns, self._second_ns, self._last_ns = times.item(0), times.item(1), times.item(-1)

    def roll(self, bars: Bars, clock: WallClock) -> None:
        """Write the last two bars when the others are those that are there, moved on by one bar or by none; else all.

        Times decide: a bar in between that was revised is not written. The library would not look at it either before
        the instance is initialised again, and then `fill` is the one to call. Parameters and errors as of `fill`.
        """
        times = bars.open_time_ns
        size = len(times)
        if size != self._size or size < 2:
            self.fill(bars, clock)
            return
        first, last = times.item(0), times.item(-1)
        moves = first == self._second_ns and times.item(-2) == self._last_ns
        if not moves and (first != self._first_ns or last != self._last_ns):
            self.fill(bars, clock)
            return
        if moves:
            self._move(size)
        at = (self._start + size - 1) * RATES.itemsize
        prices = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        _ROW_PRICES.pack_into(self._bytes, at - RATES.itemsize, *[column.item(-2) for column in prices])
        _ROW.pack_into(self._bytes, at, *[column.item(-1) for column in prices], clock.second(last))
        self._first_ns, self._second_ns, self._last_ns = first, times.item(1), last

    def _move(self, size: int) -> None:
        start = self._start + 1
        if start + size > len(self._memory):
            self._memory[: size - 1] = self._memory[start:].copy()
            start = 0
        self._place(start, size)

    def _allocate(self, room: int) -> None:
        self._memory: NDArray[np.void] = np.zeros(room, RATES)
        self._columns = [self._memory[name] for name in _PRICES]
        self._times = self._memory["time"]
        self._bytes = self._memory.view(np.uint8).data
        self._address = int(self._memory.ctypes.data)

    def _place(self, start: int, size: int) -> None:
        self._start, self._size = start, size
        self.address = self._address + start * RATES.itemsize if size else None
