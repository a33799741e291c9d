"""Breakout: follows a close above the highest high, or below the lowest low, of the bars before."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from atrader.indicators import highest, lowest
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import crossed_above, crossed_below, row_before
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted


class BreakoutParameters(AtrStopParameters):
    """Parameters of `Breakout`."""

    entry_bars: Annotated[int, Field(ge=2, le=2000)] = 20  # bars whose high or low must be broken to enter
    exit_bars: Annotated[int, Field(ge=1, le=2000)] = 10  # bars whose low ends a long, whose high ends a short


class Breakout(EntryStrategy):
    """Enters at the first close beyond the channel of the bars before, leaves at one beyond the exit channel.

    The bar itself belongs to no channel: it is compared with those before it.
    """

    Parameters: ClassVar[type[Parameters]] = BreakoutParameters
    parameters: BreakoutParameters

    @property
    def own_bars(self) -> int:
        """Enough for both channels one bar ago."""
        return max(self.parameters.entry_bars, self.parameters.exit_bars) + 2

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter and leave where the close crosses a channel."""
        p = self.parameters
        upper, lower = row_before(highest(bars.high, p.entry_bars)), row_before(lowest(bars.low, p.entry_bars))
        ceiling, floor = row_before(highest(bars.high, p.exit_bars)), row_before(lowest(bars.low, p.exit_bars))
        return Wanted(
            long=crossed_above(bars.close, upper),
            short=crossed_below(bars.close, lower),
            close_long=crossed_below(bars.close, floor),
            close_short=crossed_above(bars.close, ceiling),
            indicators={"upper": upper, "lower": lower, "ceiling": ceiling, "floor": floor},
        )
