"""Momentum filter: enters only the way the price has gone."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from atrader.instruments import Instrument
from atrader.market import Bars
from worker.strategies.filters.entry_filter import Allowed, EntryFilter


class MomentumFilter(EntryFilter):
    """Momentum is the change of the close over some bars, as a share of what it was."""

    kind: Literal["momentum"] = "momentum"  # of the filter
    period: Annotated[int, Field(ge=1, le=2000)] = 10  # bars
    least_frac: Annotated[float, Field(ge=0, lt=1)] = 0.0  # longs only above this momentum, shorts only below minus it

    @property
    def warmup_bars(self) -> int:
        """The bar itself and those it is compared over."""
        return self.period + 1

    def allowed(self, bars: Bars, instrument: Instrument) -> Allowed:
        """Judge every bar; nothing is allowed on the first ones."""
        momentum = np.full(len(bars), np.nan)
        now, before = bars.close[self.period :], bars.close[: -self.period]
        np.subtract(np.divide(now, before, out=momentum[self.period :]), 1.0, out=momentum[self.period :])
        return Allowed(momentum > self.least_frac, momentum < -self.least_frac, {f"momentum_{self.period}": momentum})
