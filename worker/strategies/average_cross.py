"""Crossings of two moving averages: long when the fast one crosses above the slow one, short when below."""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import sma
from atrader.indicators.crossings import crossings_of_totals
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import FloatArray, crossed_above, crossed_below, whole_units
from worker.strategies.entries import Wanted
from worker.strategies.sharing import Shared


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
    rows, side = crossings_of_totals(totals, averages.fast, averages.slow)
    up, down = side > 0, side < 0
    return rows, Wanted(up, down, close_long=down, close_short=up, indicators={})


def _totals(bars: Bars, instrument: Instrument) -> NDArray[np.int64] | FloatArray:
    """Return the sums of the first 0, 1, 2 ... closes in whole units: every window's sum is a difference of two."""
    closes, _ = whole_units(bars.close, instrument)
    if not np.isfinite(closes).all():
        raise ValueError("bars.close holds NaN or an infinity")
    totals = np.zeros(len(closes) + 1)
    np.cumsum(closes, out=totals[1:])
    if totals[-1] < 2**53:  # all of them are exact, and faster to work with; prices are above zero, so they rise
        return totals
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(closes.astype(np.int64))])
