"""Regime filter: enters only in a trend, or only without one, by Wilder's directional movement."""

from typing import Annotated, Literal

from pydantic import Field

from atrader.indicators import adx, adx_memory
from atrader.instruments import Instrument
from atrader.market import Bars
from worker.strategies.filters.entry_filter import Allowed, EntryFilter


class RegimeFilter(EntryFilter):
    """ADX tells how strong a trend is, +DI and -DI which way it goes."""

    kind: Literal["regime"] = "regime"  # of the filter
    adx_period: Annotated[int, Field(ge=2, le=200)] = 14  # bars
    wanted: Literal["trend", "range"] = "trend"  # enter while ADX is at or above the threshold, or below it
    threshold: Annotated[float, Field(gt=0, lt=100)] = 25.0  # of ADX
    with_direction: bool = True  # in a trend: longs only where +DI is above -DI, shorts only where it is below

    @property
    def warmup_bars(self) -> int:
        """Until ADX has forgotten where its data began."""
        return adx_memory(self.adx_period)

    def allowed(self, bars: Bars, instrument: Instrument) -> Allowed:
        """Judge every bar; nothing is allowed while ADX is not known."""
        lines = adx(bars.high, bars.low, bars.close, self.adx_period)
        indicators = {f"{name}_{self.adx_period}": line for name, line in lines._asdict().items()}
        if self.wanted == "range":
            calm = lines.adx < self.threshold
            return Allowed(calm, calm, indicators)
        strong = lines.adx >= self.threshold
        if not self.with_direction:
            return Allowed(strong, strong, indicators)
        return Allowed(strong & (lines.plus_di > lines.minus_di), strong & (lines.plus_di < lines.minus_di), indicators)
