"""Bars whose indicators can be worked out on paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from atrader.market import Bars

SPREAD = 0.5
WICK = 1.0


def bars_of_closes(closes: Sequence[float]) -> Bars:
    """Return minute bars with these closes at the bid; high and low are 1 from the close, the ask is 0.5 above.

    So the true range is 2 after a change of at most 1, else the change and 1; directional movement is the change.
    """
    close = np.array(closes, np.float64)
    open_ = np.concatenate((close[:1], close[:-1]))
    bid = (open_, close + WICK, close - WICK, close)
    times = np.arange(len(close), dtype=np.int64) * 60_000_000_000
    return Bars(times, *bid, *(column + SPREAD for column in bid), np.ones(len(close)))
