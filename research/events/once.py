"""Indicators computed once over all bars of a series; each bar then takes its row."""

from __future__ import annotations

from typing import Final

import numpy as np

from atrader.errors import ConfigError
from atrader.indicator_strategy import Columns, IndicatorStrategy
from atrader.market import Bars
from research.columns import Columns as Named
from research.columns import difference_over_windows, spread
from research.events.history import History

_SAMPLE: Final = 32  # rows that are computed as a worker does


def indicators_once(strategy: IndicatorStrategy, history: History) -> tuple[Columns | None, str]:
    """Return the indicators over all bars, or None and why they are not those that a worker computes over its windows.

    Raises
    ------
    ConfigError
        When the strategy cannot do its work.
    """
    bars, size = history.bars, strategy.bars_needed

    def compute(bars: Bars) -> Named:
        return {f"indicator {number}": column for number, column in enumerate(strategy.columns(bars), start=1)}

    try:
        whole = compute(bars)
        rows = spread(np.arange(max(history.first, size - 1), len(bars)), _SAMPLE)
        difference = difference_over_windows(whole, compute, bars, rows, size)
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - boundary: user code may fail in any way; over windows not
        difference = f"{type(error).__name__}: {error}"
    return (None, difference) if difference is not None else (tuple(whole.values()), "")
