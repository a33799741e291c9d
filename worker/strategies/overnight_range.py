"""Overnight range: what was traded between two sessions, broken or faded; ATR zones around the day's open."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from atrader.configuration.base import LocalTime
from atrader.market import Bars
from atrader.orders.model import Side
from atrader.strategy import BaseParameters
from worker.strategies.sessions.atr_zones import Zones, zones_around
from worker.strategies.sessions.day_filters import DayFacts
from worker.strategies.sessions.range_breaks import confirmed_breakout, failed_breakout, reached
from worker.strategies.sessions.range_parameters import RangeParameters
from worker.strategies.sessions.range_strategy import RangeStrategy


class OvernightRangeParameters(RangeParameters):
    """Parameters of `OvernightRange`."""

    range_start: LocalTime = "18:00"  # at or after range_end: on the date before
    range_end: LocalTime = "09:30"  # trading begins
    mode: Literal["breakout", "fade"] = "breakout"  # with the bar that leaves the range, or against one that fails
    zones: bool = False  # breakouts only before the zone ahead is reached, fades only after it was
    zone_inner: Annotated[float, Field(gt=0, le=5)] = 0.5  # where a zone begins, in ATRs from the centre
    zone_outer: Annotated[float, Field(gt=0, le=5)] = 0.618  # where it ends
    zone_centre: Annotated[float, Field(gt=0)] | None = None  # price; default: the day's open
    zone_opens_at: LocalTime | None = None  # local time of the day's open; default: range_start
    zone_atr: Annotated[float, Field(gt=0)] | None = None  # price distance; default: ATR of atr_days daily bars

    @property
    def range_times(self) -> tuple[str, str]:
        """As configured."""
        return self.range_start, self.range_end

    @property
    def day_opens_at(self) -> str:
        """As configured, else with the range."""
        return self.zone_opens_at or self.range_start

    @property
    def needs_daily_bars(self) -> bool:
        """For filters, and for zones whose ATR is not given."""
        return self.filters_days or (self.zones and self.zone_atr is None)

    @model_validator(mode="after")
    def _zones_have_a_width(self) -> Self:
        if self.zone_inner >= self.zone_outer:
            raise ValueError("zone_inner must be below zone_outer")
        return self


class OvernightRange(RangeStrategy):
    """Opens on a confirmed breakout, or against one that fails."""

    Parameters: ClassVar[type[BaseParameters]] = OvernightRangeParameters
    parameters: OvernightRangeParameters

    def wanted_side(self, facts: DayFacts, bars: Bars) -> Side | None:
        """Return the side that the last bar asks for, if the zones allow it."""
        p = self.parameters
        if p.mode == "breakout":
            side = confirmed_breakout(facts, bars, p.confirm_bars, p.buffer_frac)
        else:
            side = failed_breakout(facts, bars)
        return side if side is not None and self._zone_allows(side, facts, bars) else None

    def broken_edge(self, facts: DayFacts, side: Side) -> float:
        """Return the edge that was broken: ahead of a breakout's side, behind a fade's."""
        is_above = (side == "buy") == (self.parameters.mode == "breakout")
        return facts.high if is_above else facts.low

    def levels(self, facts: DayFacts) -> dict[str, float]:
        """Return where the zones lie."""
        zones = self._zones_of(facts)
        return {} if zones is None else zones._asdict()

    def _zones_of(self, facts: DayFacts) -> Zones | None:
        p = self.parameters
        atr = p.zone_atr or facts.atr
        if not p.zones or atr is None:
            return None
        return zones_around(p.zone_centre or facts.centre, atr, p.zone_inner, p.zone_outer)

    def _zone_allows(self, side: Side, facts: DayFacts, bars: Bars) -> bool:
        if not self.parameters.zones:
            return True
        zones = self._zones_of(facts)
        if zones is None:
            return False  # without daily bars nobody knows where they are
        if self.parameters.mode == "fade":
            return reached(zones.upper_inner if side == "sell" else zones.lower_inner, bars, side)
        close = bars.close[-1]
        return bool(close < zones.upper_inner if side == "buy" else close > zones.lower_inner)
