"""What the signal strategies do with arrays: crossings, beginnings, exact prices, codes of exits.

All of it looks backwards only, and a NaN (an indicator that is still warming up) is never above or below anything.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from atrader.instruments import Instrument

FloatArray: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

CLOSE_LONG, CLOSE_SHORT, CLOSE_BOTH = 1, -1, 2
"""Values of `Signals.exit`."""


def crossed_above(values: FloatArray, level: FloatArray | float) -> Mask:
    """Return where values are above a level (``>``) and were not one row before (``<=``), shape (n,)."""
    return _after(values <= level, values > level)


def crossed_below(values: FloatArray, level: FloatArray | float) -> Mask:
    """Return where values are below a level (``<``) and were not one row before (``>=``), shape (n,)."""
    return _after(values >= level, values < level)


def began(state: Mask) -> Mask:
    """Return where a state holds and did not one row before, shape (n,); never the first row."""
    return _after(~state, state)


def _after(before: Mask, now: Mask) -> Mask:
    found = np.zeros(len(now), np.bool_)
    np.logical_and(before[:-1], now[1:], out=found[1:])
    return found


def whole_units(prices: FloatArray, instrument: Instrument) -> tuple[FloatArray, float]:
    """Return prices as whole numbers of a unit, and that unit in price.

    Sums of whole numbers are exact. So averages that are equal compare as equal, however many bars came before; sums of
    prices such as 1.1 differ in their last digits, and crossings with them. The unit is a tenth of the price tick: some
    data are finer than what can be ordered.
    """
    unit = float(instrument.price_tick) / 10.0
    whole = prices / unit
    return np.rint(whole, out=whole), unit


def row_before(values: FloatArray, rows: int = 1) -> FloatArray:
    """Return the values of so many rows before, NaN for the first ones, shape (n,)."""
    found = np.full(len(values), np.nan)
    found[rows:] = values[: max(0, len(values) - rows)]
    return found


def exit_codes(close_long: Mask, close_short: Mask) -> NDArray[np.int8]:
    """Return what `Signals.exit` says for what is to be closed, shape (n,)."""
    codes = close_long.astype(np.int8) - close_short.astype(np.int8)
    codes[close_long & close_short] = CLOSE_BOTH
    return codes


def closed_sides(codes: NDArray[np.int8]) -> tuple[Mask, Mask]:
    """Return where `Signals.exit` closes longs, and where shorts; the reverse of `exit_codes`."""
    both = codes == CLOSE_BOTH
    return (codes == CLOSE_LONG) | both, (codes == CLOSE_SHORT) | both
