"""The rates arrays: bars of one symbol and timeframe as the library reads them."""

from __future__ import annotations

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
    """Memory for bars of one rates index, written again at each call and moved only when there are more of them."""

    def __init__(self) -> None:
        self._memory: NDArray[np.void] = np.zeros(0, RATES)
        self._use(0)

    def __len__(self) -> int:
        return len(self.rows)

    def fill(self, bars: Bars, clock: WallClock) -> bool:
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
            Whether address or length changed, so that the call's arguments have to.

        Raises
        ------
        ValueError
            When a time does not fit the library's 32 bits.
        """
        moved = len(bars) != len(self.rows)
        if moved:
            if len(bars) > len(self._memory):
                self._memory = np.zeros(len(bars), RATES)
            self._use(len(bars))
        if len(bars):
            opened, high, low, close, volume, time = self._columns
            opened[:] = bars.open
            high[:] = bars.high
            low[:] = bars.low
            close[:] = bars.close
            volume[:] = bars.volume
            time[:] = clock.seconds(bars.open_time_ns)
        return moved

    def _use(self, size: int) -> None:
        self.rows = self._memory[:size]
        self.address = int(self._memory.ctypes.data) if size else None
        self._columns = [self.rows[name] for name in (*_PRICES, "time")]
