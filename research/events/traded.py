"""Trades of a run as columns: what statistics need of them, without a row of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from atrader.statistics import TradeColumns, columns_of

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

AT_STOP, AT_TARGET = 1, 2
"""How a trade ended, see `Traded.ended`."""

_ENDED: Final = {"stop-loss": AT_STOP, "trailing-stop": AT_STOP, "take-profit": AT_TARGET}


class Traded(NamedTuple):
    """Trades in the order they were opened; everything has the length n.

    Attributes
    ----------
    account, instance, instrument, side : sequence of str
        Of each trade.
    open_price, close_price : ndarray of float64
        NaN where nothing was closed.
    stop, target : ndarray of float64
        Prices of the stop that it was opened with, and of its target; NaN without one.
    ended : ndarray of int8
        `AT_STOP` (a trailing one, too) or `AT_TARGET`; 0: otherwise, or not at all.
    columns : TradeColumns
        Times and money.
    """

    account: Sequence[str]
    instance: Sequence[str]
    instrument: Sequence[str]
    side: Sequence[str]
    open_price: Floats
    close_price: Floats
    stop: Floats
    target: Floats
    ended: NDArray[np.int8]
    columns: TradeColumns

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """Look at rows of trades."""
        account, instance, instrument, side = (
            [row[name] for row in rows] for name in ("account", "instance", "instrument", "side")
        )
        columns = columns_of(rows)
        opens, closes, stops, targets = (
            np.array([np.nan if row[name] is None else float(row[name]) for row in rows], np.float64)
            for name in ("open_price", "close_price", "initial_stop", "take_profit")
        )
        is_closed = columns.close_ns != 0
        ended = np.where(is_closed, np.array([_ENDED.get(row["close_reason"], 0) for row in rows], np.int8), np.int8(0))
        return cls(account, instance, instrument, side, opens, closes, stops, targets, ended, columns)
