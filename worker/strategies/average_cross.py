"""Crossings of two moving averages: long when the fast one crosses above the slow one, short when below."""

from __future__ import annotations

from typing import Annotated, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import sma
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import FloatArray, Mask, crossed_above, crossed_below, whole_units
from worker.strategies.entries import Wanted
from worker.strategies.sharing import Shared

_STRETCH: Final = 32_768  # rows that are worked on in one go
_NOTHING: Final = np.empty(0, np.intp), np.empty(0, np.bool_), np.empty(0, np.bool_)


class CrossParameters(Parameters):
    """The two averages."""

    fast: Annotated[int, Field(ge=1, le=500)] = 10  # bars of the fast average
    slow: Annotated[int, Field(ge=2, le=2000)] = 50  # bars of the slow average

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be below slow")
        return self


def wanted_at_sma_crossings(bars: Bars, instrument: Instrument, averages: CrossParameters) -> Wanted:
    """Want what crossings of simple averages say, exactly: closes that are ticks give equal averages often."""
    closes, unit = whole_units(bars.close, instrument)
    wanted = wanted_at_crossings(sma(closes, averages.fast), sma(closes, averages.slow))
    return wanted._replace(indicators={name: line * unit for name, line in wanted.indicators.items()})


def wanted_at_crossings(fast: FloatArray, slow: FloatArray) -> Wanted:
    """Want to be long from a crossing above on and short from one below on (``>`` now, ``<=`` one bar before)."""
    up, down = crossed_above(fast, slow), crossed_below(fast, slow)
    return Wanted(up, down, close_long=down, close_short=up, indicators={"fast": fast, "slow": slow})


def sma_crossing_rows(
    bars: Bars, instrument: Instrument, averages: CrossParameters, shared: Shared
) -> tuple[NDArray[np.intp], Wanted]:
    """Return the rows at which `wanted_at_sma_crossings` wants anything, and what; no average is whole in memory."""
    totals = shared.get("totals of closes", lambda: _totals(bars, instrument))
    firsts = range(averages.slow, len(bars), _STRETCH)  # the first row whose row before has both averages
    parts = [_crossed(totals, first, min(first + _STRETCH, len(bars)), averages) for first in firsts]
    rows, up, down = (np.concatenate([part[at] for part in parts]) for at in range(3)) if parts else _NOTHING
    return rows, Wanted(up, down, close_long=down, close_short=up, indicators={})


def _totals(bars: Bars, instrument: Instrument) -> NDArray[np.int64] | FloatArray:
    """Return the sums of the first 0, 1, 2 ... closes in whole units: every window's sum is a difference of two."""
    closes, _ = whole_units(bars.close, instrument)
    if not np.isfinite(closes).all():
        raise ValueError("bars.close holds NaN or an infinity")
    totals = np.zeros(len(closes) + 1, np.int64)
    np.cumsum(closes.astype(np.int64), out=totals[1:])
    return totals.astype(np.float64) if totals[-1] < 2**53 else totals  # as exact, and faster to work with


def _crossed(
    totals: NDArray[np.int64] | FloatArray, first: int, end: int, averages: CrossParameters
) -> tuple[NDArray[np.intp], Mask, Mask]:
    """Return the rows from `first` to `end` at which the averages cross, and whether upwards or downwards.

    The sums are exact, so the averages are those of `sma` to the last bit; they stay in the cache of the processor.
    """
    ends = totals[first : end + 1]
    fast, slow = ((ends - totals[first - n : end + 1 - n]) / n for n in (averages.fast, averages.slow))
    above, below = fast > slow, fast < slow
    up, down = above[1:] > above[:-1], below[1:] > below[:-1]
    rows = np.flatnonzero(up | down)
    return rows + first, up[rows], down[rows]
