"""ATR-adjusted cross: crossings of simple averages that momentum agrees with; the stop is as far as bars are long."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.average_cross import CrossParameters, sma_crossing_rows, wanted_at_sma_crossings
from worker.strategies.entries import Distances, EntryParameters, EntryStrategy, Wanted
from worker.strategies.filters import EntryFilter, MomentumFilter
from worker.strategies.sharing import Shared


class AtrCrossParameters(EntryParameters, CrossParameters):
    """Parameters of `AtrCross`."""

    atr_window: Annotated[int, Field(ge=2, le=200)] = 14  # bars of the average true range
    atr_multiplier: Annotated[float, Field(gt=0, le=50)] = 2.0  # the stop is entry price - multiplier x ATR, or plus
    momentum_window: Annotated[int, Field(ge=1, le=2000)] = 10  # bars over which the price must have gone that way
    least_momentum_frac: Annotated[float, Field(ge=0, lt=1)] = 0.0  # by how much, as a share of the price


class AtrCross(EntryStrategy):
    """Enters at a crossing that momentum agrees with, leaves at the next crossing the other way, or at the stop.

    The distance of the stop is that of the bar of the entry, so it is wide in a wild market and narrow in a calm one.
    A crossing without momentum opens nothing, but closes what is open on the other side.
    """

    Parameters: ClassVar[type[Parameters]] = AtrCrossParameters
    parameters: AtrCrossParameters

    @property
    def own_bars(self) -> int:
        """Enough for the slow average one bar ago."""
        return self.parameters.slow + 1

    @property
    def distances(self) -> Distances:
        """The stop, and no target."""
        p = self.parameters
        return Distances(p.atr_window, p.atr_multiplier, None, p.trailing_atr)

    @cached_property
    def filters(self) -> tuple[EntryFilter, ...]:
        """Momentum, and those that are configured."""
        momentum = MomentumFilter(
            period=self.parameters.momentum_window, least_frac=self.parameters.least_momentum_frac
        )
        return (momentum, *self.parameters.filters)

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
