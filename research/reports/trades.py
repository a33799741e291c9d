"""Trades of a saved result as columns: ten thousand are read and summed in a fraction of the time of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from atrader.instruments import KNOWN
from atrader.wording import price_text

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Row = dict[str, Any]
Columns = Mapping[str, Sequence[Any]]


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return rows that have the same keys as columns; nothing without rows."""
    return {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}


def rows_of(columns: Columns) -> list[Row]:
    """Return columns as rows."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def shown_price(price: str | None, symbol: str) -> str:
    """Return a price for people: an average has one digit more than its instrument."""
    known = KNOWN.get(symbol)
    return price or "-" if known is None or not price else price_text(Decimal(price), known)


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades in the order they were opened.

    Attributes
    ----------
    columns : mapping of str to sequence
        Values of `trade_row` by key, as JSON holds them: money and prices as text.
    net : ndarray of float64, shape (n,)
        Profit, commission and swap together, account currency.
    closed : ndarray of intp
        Places of the closed ones.
    """

    columns: Columns
    net: Floats
    closed: Places

    @classmethod
    def of(cls, columns: Columns) -> Self:
        """Look at the trades of a result."""
        money = [np.array(columns.get(key, ()), np.float64) for key in ("profit", "commission", "swap")]
        is_closed = np.array([state == "closed" for state in columns.get("state", ())], bool)
        return cls(columns, np.sum(money, axis=0), np.flatnonzero(is_closed))

    def __len__(self) -> int:
        return len(self.net)

    def rows(self, places: Iterable[int]) -> list[Row]:
        """Return some trades as rows."""
        return [{key: values[place] for key, values in self.columns.items()} for place in places]

    def take(self, key: str, places: Places) -> list[Any]:
        """Return the values of some trades."""
        values = self.columns[key]
        return [values[place] for place in places.tolist()]

    def by(self, key: str, places: Places) -> dict[Any, Places]:
        """Return places grouped by a value, in the order the values come first."""
        groups: dict[Any, list[int]] = {}
        if len(places):
            for place, value in zip(places.tolist(), self.take(key, places), strict=True):
                groups.setdefault(value, []).append(place)
        return {value: np.array(found, np.intp) for value, found in groups.items()}
