"""SMA cross: long when the fast simple average crosses above the slow one, short when below; stop by ATR."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.average_cross import CrossParameters, sma_crossing_rows, wanted_at_sma_crossings
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted
from worker.strategies.sharing import Shared


class SmaCrossParameters(AtrStopParameters, CrossParameters):
    """Parameters of `SmaCross`."""


class SmaCross(EntryStrategy):
    """Signals at the close of the bar in which the averages cross; a crossing the other way closes and reverses."""

    Parameters: ClassVar[type[Parameters]] = SmaCrossParameters
    parameters: SmaCrossParameters

    @property
    def own_bars(self) -> int:
        """Enough for the slow average one bar ago."""
        return self.parameters.slow + 1

    @classmethod
    def wanted_reads(cls) -> tuple[str, ...]:
        """Only the averages."""
        return tuple(CrossParameters.model_fields)

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter and leave at crossings."""
        return wanted_at_sma_crossings(bars, instrument, self.parameters)

    def wanted_rows(self, bars: Bars, instrument: Instrument, shared: Shared) -> tuple[NDArray[np.intp], Wanted]:
        """Return the crossings, from averages that sets share."""
        return sma_crossing_rows(bars, instrument, self.parameters, shared)
