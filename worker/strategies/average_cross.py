"""Crossings of two moving averages: long when the fast one crosses above the slow one, short when below."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import sma
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
    """Return the rows at which `wanted_at_sma_crossings` wants anything, and what; each average is made once."""

    def closes() -> FloatArray:
        return shared.get("whole closes", lambda: whole_units(bars.close, instrument)[0])

    def line(period: int) -> FloatArray:
        return shared.get(("sma", period), lambda: sma(closes(), period))

    fast, slow = line(averages.fast), line(averages.slow)
    above, below = fast > slow, fast < slow
    changed = above[1:] != above[:-1]
    changed |= below[1:] != below[:-1]
    rows = np.flatnonzero(changed) + 1
    before, now = (fast[rows - 1], slow[rows - 1]), (fast[rows], slow[rows])
    up, down = (before[0] <= before[1]) & (now[0] > now[1]), (before[0] >= before[1]) & (now[0] < now[1])
    crossed = up | down  # not where the averages only begin, or meet
    up, down = up[crossed], down[crossed]
    return rows[crossed], Wanted(up, down, close_long=down, close_short=up, indicators={})
