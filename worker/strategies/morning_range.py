"""Morning range: the first minutes after a session opens, a confirmed breakout from them, parts of the profit taken."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from atrader.configuration.base import LocalTime
from atrader.local_times import parse_local
from atrader.market import Bars
from atrader.orders.model import Side
from atrader.strategy import BaseParameters
from worker.strategies.sessions.day_filters import DayFacts
from worker.strategies.sessions.range_breaks import confirmed_breakout
from worker.strategies.sessions.range_parameters import RangeParameters
from worker.strategies.sessions.range_strategy import RangeStrategy


class MorningRangeParameters(RangeParameters):
    """Parameters of `MorningRange`."""

    opens_at: LocalTime = "09:30"  # the session, and with it the range
    range_minutes: Annotated[int, Field(ge=1, le=720)] = 30  # how long the range lasts
    trend_bars: Annotated[int, Field(ge=0, le=2000)] = 50  # average that longs must close above, shorts below; 0: none

    @property
    def range_times(self) -> tuple[str, str]:
        """When the session opens, and so many minutes later."""
        opens = datetime.combine(date.min, parse_local("opens_at", self.opens_at))
        return self.opens_at, (opens + timedelta(minutes=self.range_minutes)).time().isoformat()


class MorningRange(RangeStrategy):
    """Opens on the side on which bars close out of the range, if the trend agrees."""

    Parameters: ClassVar[type[BaseParameters]] = MorningRangeParameters
    parameters: MorningRangeParameters

    @property
    def look_back_bars(self) -> int:
        """What the trend is measured over."""
        return max(self.parameters.trend_bars, 1)

    def wanted_side(self, facts: DayFacts, bars: Bars) -> Side | None:
        """Return the side of a breakout that the last bar confirms."""
        p = self.parameters
        side = confirmed_breakout(facts, bars, p.confirm_bars, p.buffer_frac)
        return side if side is not None and self._agrees(side, float(bars.close[-1])) else None

    def broken_edge(self, facts: DayFacts, side: Side) -> float:
        """Return the edge the breakout left through."""
        return facts.high if side == "buy" else facts.low

    def _agrees(self, side: Side, close: float) -> bool:
        count = self.parameters.trend_bars
        if not count:
            return True
        closes = self.context.bars(count).close
        average = float(np.mean(closes))
        return len(closes) == count and (close > average if side == "buy" else close < average)
