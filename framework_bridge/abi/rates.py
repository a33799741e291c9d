"""The rates arrays: bars of one symbol and timeframe as the library reads them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal
from math import floor
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.structures import RATES

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
        self._written: _Columns = ()  # what is in memory
        self._passed: _Columns = ()  # what the library read last
        self._was_passed = False  # whether it read what is in memory

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
        was_passed, self._was_passed = self._was_passed, False
        if was_passed:
            self._passed = self._written
        columns = (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)
        self._written = tuple([column.tobytes() for column in columns])
        moved = _bars_between(self._passed, self._written)
        if moved is None or not was_passed:
            self._write_all(bars, clock)
        else:
            self._write_two(moved, clock.second(bars.open_time_ns.item(-1)))
        return moved is not None

    def passed(self) -> None:
        """Note that the library read what was written last."""
        self._was_passed = True

    def forget(self) -> None:
        """Note that nobody knows what the library read, or that it reads everything again."""
        self._passed, self._was_passed = (), False

    def _write_all(self, bars: Bars, clock: WallClock) -> None:
        size = len(bars)
        seconds = clock.seconds(bars.open_time_ns)
        if size + _SLACK > len(self._memory):
            self._allocate(size + max(size, _SLACK))
        self._place(0, size)
        for column, name in zip(self._columns, _PRICES, strict=True):
            column[:size] = getattr(bars, name)
        self._times[:size] = seconds

    def _write_two(self, moved: int, last_s: int) -> None:
        size, start = self._size, self._start + moved
        if start + size > len(self._memory):
            self._memory[: size - 1] = self._memory[start:].copy()
            start = 0
        self._place(start, size)
        end = (start + size) * RATES.itemsize
        _, *prices = self._written
        at = end - 2 * RATES.itemsize
        # The time of the bar before stays what it was.
        self._bytes[at : at + _PRICES_BYTES] = b"".join([column[-2 * _VALUE : -_VALUE] for column in prices])
        last = [column[-_VALUE:] for column in prices]
        last.append(_TIME.pack(last_s))
        self._bytes[end - RATES.itemsize : end] = b"".join(last)

    def _allocate(self, room: int) -> None:
        self._memory: NDArray[np.void] = np.zeros(room, RATES)
        self._columns = [self._memory[name] for name in _PRICES]
        self._times = self._memory["time"]
        self._bytes = self._memory.view(np.uint8).data
        self._address = int(self._memory.ctypes.data)

    def _place(self, start: int, size: int) -> None:
        self._start, self._size = start, size
        self.address = self._address + start * RATES.itemsize if size else None


def _bars_between(before: _Columns, after: _Columns) -> int | None:
    """Return by how many bars columns moved on, 0 or 1, or None when they did otherwise."""
    if not before or len(after[0]) != len(before[0]) or len(after[0]) < 2 * _VALUE:
        return None
    if after[0] == before[0]:  # the same bar forms
        moved, unchanged = 0, slice(0, -_VALUE)
    elif before[0].startswith(after[0][:-_VALUE], _VALUE):  # one bar more: the one that formed is complete now
        moved, unchanged = 1, slice(0, -2 * _VALUE)
    else:
        return None
    for new, old in zip(after, before, strict=True):
        if not old.startswith(new[unchanged], moved * _VALUE):
            return None
    return moved
