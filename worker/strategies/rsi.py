"""RSI: buys when an oversold market turns up, sells when an overbought one turns down, leaves in the middle."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from atrader.indicators import rsi, wilder_memory
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import began, crossed_above, crossed_below
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted


class RsiParameters(AtrStopParameters):
    """Parameters of `RsiReversal`."""

    rsi_period: Annotated[int, Field(ge=2, le=200)] = 14  # bars
    oversold: Annotated[float, Field(gt=0, lt=100)] = 30.0  # long when the index comes back above this
    overbought: Annotated[float, Field(gt=0, lt=100)] = 70.0  # short when it comes back below this
    middle: Annotated[float, Field(gt=0, lt=100)] = 50.0  # longs are closed at or above this, shorts at or below

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        if not self.oversold < self.middle < self.overbought:
            raise ValueError("oversold, middle and overbought must rise")
        return self


class RsiReversal(EntryStrategy):
    """Enters where the relative strength index leaves an extreme, leaves when it reaches the middle.

    An index that jumps over the middle in the bar of the entry opens nothing: that trade would be over already.
    """

    Parameters: ClassVar[type[Parameters]] = RsiParameters
    parameters: RsiParameters

    @property
    def own_bars(self) -> int:
        """Until the index one bar ago has forgotten where its data began."""
        return wilder_memory(self.parameters.rsi_period) + 1

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter where an extreme ends, leave where the middle is reached."""
        p, index = self.parameters, rsi(bars.close, self.parameters.rsi_period)
        high, low = index >= p.middle, index <= p.middle
        return Wanted(
            long=crossed_above(index, p.oversold) & ~high,
            short=crossed_below(index, p.overbought) & ~low,
            close_long=began(high),
            close_short=began(low),
            indicators={"rsi": index},
        )
