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
_SEEN: Final = 2  # bars that the library looks at after the first call
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
    """Memory for the bars of one rates index, and what the library knows of them.

    After its first call the library looks at the last two bars of an array only. So two bars are written when the
    others are those that it was passed already, and the window moves on by one bar; else all are written.

    Attributes
    ----------
    address : int or None
        Of the first bar; None when there is none.
    """

    def __init__(self) -> None:
        self._allocate(_SLACK)
        self._place(0, 0)
        self._written, self._passed = _Columns(0), _Columns(0)  # what was written last, and what the library read
        self._is_known = False  # whether the library read what it was passed last
        self._is_written = False  # whether the memory holds that

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> NDArray[np.void]:
        """The bars, as the library sees them."""
        return self._memory[self._start : self._start + self._size]

    def write(self, bars: Bars, clock: WallClock) -> bool:
        """Write bars, oldest first; the last one is the unfinished bar.

        Parameters
        ----------
        bars : Bars
            Their bid columns are taken.
        clock : WallClock
            The broker's.

        Returns
        -------
        bool
            Whether the library gets to these bars from those it was passed by looking at the last two: the same bar
            forms, or the next one, and no value before was revised.

        Raises
        ------
        ValueError
            When a time does not fit the library's 32 bits.
        """
        if len(bars) != self._size:
            self._written, self._passed, self._is_known = _Columns(len(bars)), _Columns(len(bars)), False
        self._written.take(bars)
        moved = self._written.bars_after(self._passed) if self._is_known else None
        if moved is None or not self._is_written:
            self._write_all(bars, clock)
        else:
            self._write_two(bars, moved, clock.second(bars.open_time_ns.item(-1)))
        self._is_written = False
        return moved is not None

    def passed(self) -> None:
        """Note that the library read what was written last."""
        self._written, self._passed = self._passed, self._written
        self._is_known = self._is_written = True

    def forget(self) -> None:
        """Note that nobody knows what the library read, or that it reads everything again."""
        self._is_known = False

    def _write_all(self, bars: Bars, clock: WallClock) -> None:
        size = len(bars)
        seconds = clock.seconds(bars.open_time_ns)
        if size + _SLACK > len(self._memory):
            self._allocate(size + max(size, _SLACK))
        self._place(0, size)
        for column, name in zip(self._columns, _PRICES, strict=True):
            column[:size] = getattr(bars, name)
        self._times[:size] = seconds

    def _write_two(self, bars: Bars, moved: int, last_s: int) -> None:
        size, start = self._size, self._start + moved
        if start + size > len(self._memory):
            self._memory[: size - 1] = self._memory[start:].copy()
            start = 0
        self._place(start, size)
        prices = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        at = (start + size - 1) * RATES.itemsize
        _ROW_PRICES.pack_into(self._bytes, at - RATES.itemsize, *[column.item(-2) for column in prices])
        _ROW.pack_into(self._bytes, at, *[column.item(-1) for column in prices], last_s)

    def _allocate(self, room: int) -> None:
        self._memory: NDArray[np.void] = np.zeros(room, RATES)
        self._columns = [self._memory[name] for name in _PRICES]
        self._times = self._memory["time"]
        self._bytes = self._memory.view(np.uint8).data
        self._address = int(self._memory.ctypes.data)

    def _place(self, start: int, size: int) -> None:
        self._start, self._size = start, size
        self.address = self._address + start * RATES.itemsize if size else None


class _Columns:
    """A copy of the columns of bars that a rates array shows, to be compared; its memory is used again and again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values = np.zeros((1 + len(_PRICES)) * size)
        self.bits = self._values.view(np.int64)  # compared as whole numbers: equal means the same

    def take(self, bars: Bars) -> None:
        """Copy them, one column behind the other: one copy and one comparison instead of six."""
        prices = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        np.concatenate((bars.open_time_ns.view(np.float64), *prices), out=self._values)

    def bars_after(self, before: _Columns) -> int | None:
        """Return by how many bars these moved on, 0 or 1, or None when they did otherwise."""
        size, new, old = self.size, self.bits, before.bits
        if size < _SEEN:
            return None
        if new.item(size - 1) == old.item(size - 1):  # the same bar forms
            same = new == old
            moved = 0
        elif new.item(size - 2) == old.item(size - 1):  # one bar more: the one that formed is complete now
            same = new[:-1] == old[1:]
            same[size - 2 :: size] = True
            moved = 1
        else:
            return None
        same[size - 1 :: size] = True
        return moved if np.count_nonzero(same) == len(same) else None
