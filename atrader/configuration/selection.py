"""[selection] of a strategy file: the markets an instance is made for, and how they are recognised."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from atrader.configuration.base import Section, TimeframeName

PhaseWish = Literal["trend", "trend-up", "trend-down", "range", "breakout", "breakout-up", "breakout-down"]
"""A phase as configuration names it; ``trend`` and ``breakout`` mean both directions."""

VolatilityWish = Literal["quiet", "normal", "volatile"]


class DetectorConfig(Section):
    """How market conditions are told from bars; docs/selection.md has the rules."""

    adx_period: Annotated[int, Field(ge=2, le=200)] = 14  # Wilder's own choice
    trend_from: Annotated[float, Field(gt=0, le=100)] = 25.0  # ADX from which on it is a trend
    range_below: Annotated[float, Field(gt=0, le=100)] = 20.0  # ADX below which it is a range; between: as it was
    channel_bars: Annotated[int, Field(ge=2, le=1000)] = 20  # the highest and lowest price of so many bars before
    breakout_atr: Annotated[float, Field(ge=0, le=10)] = 0.25  # a close so many ATRs outside the channel breaks it
    breakout_bars: Annotated[int, Field(ge=1, le=1000)] = 10  # a breakout is over after so many bars without another
    atr_bars: Annotated[int, Field(ge=1, le=200)] = 14  # bars of the present average true range
    usual_bars: Annotated[int, Field(ge=2, le=2000)] = 100  # bars of the usual one
    volatile_from: Annotated[float, Field(gt=1, le=100)] = 1.5  # present over usual range from which on it is volatile
    volatile_until: Annotated[float, Field(gt=0, le=100)] = 1.25  # below it is over
    quiet_from: Annotated[float, Field(gt=0, lt=1)] = 0.67  # present over usual range from which down it is quiet
    quiet_until: Annotated[float, Field(gt=0, le=100)] = 0.8  # above it is over

    @model_validator(mode="after")
    def _has_hysteresis(self) -> Self:
        for low, high in (
            ("range_below", "trend_from"),
            ("quiet_from", "quiet_until"),
            ("quiet_until", "volatile_until"),
            ("volatile_until", "volatile_from"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} {getattr(self, low)} must not be above {high} {getattr(self, high)}")
        if self.atr_bars >= self.usual_bars:
            raise ValueError(f"atr_bars {self.atr_bars} must be below usual_bars {self.usual_bars}")
        return self

    @property
    def warmup_bars(self) -> int:
        """Bars until phase and volatility are both known."""
        return max(2 * self.adx_period, self.usual_bars + 1, self.channel_bars + 1)


class SelectionConfig(Section):
    """The markets an instance is made for; in others it opens nothing."""

    phases: tuple[PhaseWish, ...] = ()  # it is made for; empty: all
    volatility: tuple[VolatilityWish, ...] = ()  # it is made for; empty: all
    timeframe: TimeframeName | None = None  # of the bars that are judged; default: that of the instance
    confirm_bars: Annotated[int, Field(ge=1, le=1000)] = 2  # so many bars in a row say so before it is switched
    min_dwell_bars: Annotated[int, Field(ge=0, le=10_000)] = 12  # no switch within so many bars of the last one
    detector: DetectorConfig = DetectorConfig()

    @model_validator(mode="after")
    def _prefers_something(self) -> Self:
        if not self.phases and not self.volatility:
            raise ValueError("name phases or volatility, or leave the table out: it would select nothing")
        return self
