"""Trend following: enters a rising or falling average, leaves when the price falls back from its best by some ATRs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from atrader.indicators import atr, ema, ema_memory, highest, lowest, wilder_memory
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import began, row_before
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted


class TrendParameters(AtrStopParameters):
    """Parameters of `TrendFollowing`."""

    trend_period: Annotated[int, Field(ge=2, le=2000)] = 100  # bars of the exponential average
    slope_bars: Annotated[int, Field(ge=1, le=500)] = 10  # the average must have risen, or fallen, over so many bars
    band_atr: Annotated[float, Field(ge=0, le=20)] = 1.0  # the close must be so many ATRs beyond the average
    trail_bars: Annotated[int, Field(ge=1, le=2000)] = 22  # bars whose highest high, or lowest low, the exit hangs from
    trail_atr: Annotated[float, Field(gt=0, le=50)] = 3.0  # distance of that exit, in ATRs


class TrendFollowing(EntryStrategy):
    """Enters when a trend begins: the average rises and the close is clearly above it, or the mirror image.

    A long is left at the first close more than `trail_atr` average true ranges below the highest high of the last bars.
    Nothing is opened at a bar that is already beyond that level.
    """

    Parameters: ClassVar[type[Parameters]] = TrendParameters
    parameters: TrendParameters

    @property
    def own_bars(self) -> int:
        """Until averages have forgotten where their data began, and enough to look back on the slope and the best."""
        p = self.parameters
        return max(ema_memory(p.trend_period) + p.slope_bars, wilder_memory(p.atr_period), p.trail_bars) + 1

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter where a trend begins, leave where the price has fallen back."""
        p, average = self.parameters, ema(bars.close, self.parameters.trend_period)
        mean_range = atr(bars.high, bars.low, bars.close, p.atr_period)
        slope, beyond = average - row_before(average, p.slope_bars), bars.close - average
        band = p.band_atr * mean_range
        below_trail = bars.close < highest(bars.high, p.trail_bars) - p.trail_atr * mean_range
        above_trail = bars.close > lowest(bars.low, p.trail_bars) + p.trail_atr * mean_range
        return Wanted(
            long=began((slope > 0.0) & (beyond > band)) & ~below_trail,
            short=began((slope < 0.0) & (beyond < -band)) & ~above_trail,
            close_long=began(below_trail),
            close_short=began(above_trail),
            indicators={"average": average, "slope": slope, "atr": mean_range},
        )
