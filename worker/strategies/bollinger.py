"""Bollinger mean reversion: enters when the close comes back inside a band, leaves at the middle."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from atrader.indicators import bollinger
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters
from worker.strategies.arrays import began, crossed_above, crossed_below, whole_units
from worker.strategies.entries import AtrStopParameters, EntryStrategy, Wanted


class BollingerParameters(AtrStopParameters):
    """Parameters of `BollingerReversion`."""

    band_period: Annotated[int, Field(ge=2, le=2000)] = 20  # bars of average and deviation
    deviations: Annotated[float, Field(gt=0, le=10)] = 2.0  # distance of the bands, in standard deviations


class BollingerReversion(EntryStrategy):
    """Enters where a stretched market turns back, leaves when the close reaches the average.

    A close outside a band only says that the market is stretched; the one that is inside again is the signal. A bar
    that reaches the average at once opens nothing: that trade would be over already.
    """

    Parameters: ClassVar[type[Parameters]] = BollingerParameters
    parameters: BollingerParameters

    @property
    def own_bars(self) -> int:
        """Enough for the bands one bar ago."""
        return self.parameters.band_period + 1

    def wanted(self, bars: Bars, instrument: Instrument) -> Wanted:
        """Enter where the close crosses a band inwards, leave where it reaches the middle."""
        closes, unit = whole_units(bars.close, instrument)  # a close is often exactly the average
        bands = bollinger(closes, self.parameters.band_period, self.parameters.deviations)
        high, low = closes >= bands.middle, closes <= bands.middle
        return Wanted(
            long=crossed_above(closes, bands.lower) & ~high,
            short=crossed_below(closes, bands.upper) & ~low,
            close_long=began(high),
            close_short=began(low),
            indicators={name: line * unit for name, line in bands._asdict().items()},
        )
