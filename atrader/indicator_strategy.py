"""Event strategies that decide by indicators: over the last bars live, once over all of them in a backtest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StrategyError
from atrader.market import Bar, Bars
from atrader.strategy import EventStrategy

Columns = tuple[NDArray[np.float64], ...]


class IndicatorStrategy(EventStrategy):
    """Override `indicators` and `on_indicators`; everything else is as in `EventStrategy`.

    A worker computes the indicators at each bar over the last `indicator_bars`: always over as many, so that a strategy
    decides alike before and after a restart, and bars that were missing count from when they came. A backtest computes
    them once over all bars, and uses that where a sample of windows gives the same.
    """

    @property
    def indicator_bars(self) -> int:
        """How many of the last complete bars `indicators` needs: `warmup_bars`, or fewer."""
        return self.warmup_bars

    def indicators(self, bars: Bars) -> Sequence[NDArray[np.float64]]:
        """Compute the columns that decide; each row may use only its own past.

        Returns
        -------
        sequence of ndarray of float64, shape (n,)
            A value of each indicator for every bar given.
        """
        raise NotImplementedError

    def on_indicators(self, bar: Bar, values: tuple[float, ...]) -> None:
        """React to a complete bar, given the values of `indicators` at it, in their order.

        It is not called before `indicator_bars` are there.
        """
        raise NotImplementedError

    def on_bar(self, bar: Bar) -> None:
        """Compute the indicators over the last bars, and decide."""
        needed = self.bars_needed
        bars = self.context.bars(needed)
        if len(bars) == needed:
            self.on_indicators(bar, tuple([float(column[-1]) for column in self.columns(bars)]))

    @property
    def bars_needed(self) -> int:
        """How many bars have to be there before it decides.

        Raises
        ------
        ConfigError
            When nobody keeps so many.
        """
        needed, kept = max(self.indicator_bars, 1), max(self.warmup_bars, 1)
        if needed > kept:
            raise ConfigError(f"indicator_bars is {needed}, and warmup_bars asks for {kept} only: raise it")
        return needed

    def columns(self, bars: Bars) -> Columns:
        """Return the indicators over some bars.

        Raises
        ------
        StrategyError
            When a column has not a number for each bar.
        """
        columns = tuple([np.asarray(column, np.float64) for column in self.indicators(bars)])
        for number, column in enumerate(columns, start=1):
            if column.shape != (len(bars),):
                raise StrategyError(f"indicators: column {number} has shape {column.shape}, expected ({len(bars)},)")
        return columns
