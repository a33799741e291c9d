"""Rows of the history's trades as numpy columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades, one per row; all arrays have shape ``(n,)``.

    Attributes
    ----------
    open_ns, close_ns : ndarray of int64
        UTC ns; ``close_ns`` is 0 for a trade that is open.
    profit, commission, swap : ndarray of float64
        Account currency; commission and swap are negative when paid.
    risk : ndarray of float64
        What the stop at the open would have lost, account currency; NaN when it is not known.
    """

    open_ns: Times
    close_ns: Times
    profit: Floats
    commission: Floats
    swap: Floats
    risk: Floats

    @property
    def net(self) -> Floats:
        """Result of each trade: profit, commission and swap together."""
        result: Floats = self.profit + self.commission + self.swap
        return result

    def closed(self) -> Self:
        """Return the closed trades, in the order they were closed; those closed at once, as they were opened."""
        rows = np.flatnonzero(self.close_ns)
        return self.take(rows[np.lexsort((self.open_ns[rows], self.close_ns[rows]))])

    def __len__(self) -> int:
        return len(self.open_ns)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return some trades."""
        return type(self)(*(getattr(self, name)[rows] for name in self.__slots__))


def columns_of(rows: Sequence[Mapping[str, Any]]) -> TradeColumns:
    """Make columns of rows as a query of the history gives them (money as text)."""

    def money(name: str, missing: float = 0.0) -> Floats:
        return np.array([missing if row[name] is None else float(row[name]) for row in rows], np.float64)

    risk = money("initial_risk", np.nan)
    risk[risk <= 0] = np.nan
    return TradeColumns(
        np.array([row["open_time_ns"] for row in rows], np.int64),
        np.array([(row["state"] == "closed" and row["close_time_ns"]) or 0 for row in rows], np.int64),
        money("profit"),
        money("commission"),
        money("swap"),
        risk,
    )
