"""SMA cross: long when the fast average crosses above the slow one, short when below; stop by ATR."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from atrader.indicators import atr, sma
from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Parameters, Signals, SignalStrategy

_ATR_MEMORY = 10  # Wilder smoothing forgets its seed to 1e-4 after ten periods


class SmaCrossParameters(Parameters):
    """Parameters of `SmaCross`."""

    fast: Annotated[int, Field(ge=1, le=500)] = 10
    slow: Annotated[int, Field(ge=2, le=2000)] = 50
    atr_period: Annotated[int, Field(ge=2, le=200)] = 14
    stop_atr: Annotated[float, Field(gt=0, le=50)] = 3.0  # stop distance in ATRs
    risk_frac: Annotated[Decimal, Field(gt=0, le=1)] | None = Decimal("0.01")  # of equity, to the stop
    units: Annotated[Decimal, Field(gt=0)] | None = None  # fixed size instead of risk_frac
    direction: Literal["both", "long", "short"] = "both"

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be below slow")
        if (self.risk_frac is None) == (self.units is None):
            raise ValueError("give exactly one of risk_frac and units")
        return self


class SmaCross(SignalStrategy):
    """Signals at the close of the bar in which the averages cross (``>`` now, ``<=`` one bar before)."""

    Parameters: ClassVar[type[Parameters]] = SmaCrossParameters
    parameters: SmaCrossParameters

    @property
    def warmup_bars(self) -> int:
        """Enough for the slow average one bar ago and a settled ATR."""
        return max(self.parameters.slow + 1, self.parameters.atr_period * _ATR_MEMORY)

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        """Compute entries, exits and stops for every bar."""
        p = self.parameters
        fast, slow = sma(bars.close, p.fast), sma(bars.close, p.slow)
        above = fast > slow
        known = ~np.isnan(slow)
        known[1:] &= known[:-1].copy()
        known[:1] = False
        crossed_up = np.zeros(len(bars), bool)
        crossed_down = np.zeros(len(bars), bool)
        crossed_up[1:] = above[1:] & ~above[:-1]
        below = fast < slow
        crossed_down[1:] = below[1:] & ~below[:-1]
        crossed_up &= known
        crossed_down &= known
        entry = np.zeros(len(bars), np.int8)
        if p.direction != "short":
            entry[crossed_up] = 1
        if p.direction != "long":
            entry[crossed_down] = -1
        leave = np.zeros(len(bars), np.int8)
        leave[crossed_up] = -1
        leave[crossed_down] = 1
        distance = p.stop_atr * atr(bars.high, bars.low, bars.close, p.atr_period)
        entry[np.isnan(distance)] = 0
        return Signals(
            entry=entry,
            exit=leave,
            stop_loss=np.where(entry > 0, bars.close - distance, bars.close + distance),
            risk_frac=_constant(p.risk_frac, len(bars)),
            units=_constant(p.units, len(bars)),
            indicators={"fast": fast, "slow": slow, "stop_distance": distance},
        )


def _constant(value: Decimal | None, count: int) -> NDArray[np.float64] | None:
    return None if value is None else np.full(count, float(value))
