"""Trades of a run as columns: what statistics need of them, without a row of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from atrader.statistics import TradeColumns, columns_of

Floats = NDArray[np.float64]
Row = Mapping[str, Any]


class Traded(NamedTuple):
    """Trades in the order they were opened; everything has the length n.

    Attributes
    ----------
    account, instance, instrument, side : sequence of str
        Of each trade.
    open_price, close_price : ndarray of float64
        NaN where nothing was closed.
    columns : TradeColumns
        Times and money.
    """

    account: Sequence[str]
    instance: Sequence[str]
    instrument: Sequence[str]
    side: Sequence[str]
    open_price: Floats
    close_price: Floats
    columns: TradeColumns

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Look at rows of trades."""
        account, instance, instrument, side = (
            [row[name] for row in rows] for name in ("account", "instance", "instrument", "side")
        )
        opens = np.array([float(row["open_price"]) for row in rows], np.float64)
        closes = [np.nan if row["close_price"] is None else float(row["close_price"]) for row in rows]
        return cls(account, instance, instrument, side, opens, np.array(closes, np.float64), columns_of(rows))
