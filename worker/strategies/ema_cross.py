"""EMA cross: long when the fast exponential average crosses above the slow one, short when below; stop by ATR."""

from __future__ import annotations

from typing import ClassVar

from atrader.indicators import ema, ema_memory
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.average_cross import CrossParameters, wanted_at_crossings
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted


class EmaCrossParameters(AtrStopParameters, CrossParameters):
    """Parameters of `EmaCross`."""


class EmaCross(EntryStrategy):
    """Signals at the close of the bar in which the averages cross; a crossing the other way closes and reverses."""

    Parameters: ClassVar[type[Parameters]] = EmaCrossParameters
    parameters: EmaCrossParameters

    @property
    def own_bars(self) -> int:
        """Until the slow average one bar ago has forgotten where its data began."""
        return ema_memory(self.parameters.slow) + 1

    @classmethod
    def wanted_reads(cls) -> tuple[str, ...]:
        """Only the averages."""
        return tuple(CrossParameters.model_fields)

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter and leave at crossings."""
        return wanted_at_crossings(ema(bars.close, self.parameters.fast), ema(bars.close, self.parameters.slow))
