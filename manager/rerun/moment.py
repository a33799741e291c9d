"""The moment in which a life of a worker began: what had come about by then, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

Row = dict[str, Any]

WATCHED: Final = frozenset(("stop-loss", "take-profit", "trailing-stop"))  # closed as a quote came


class Moment:
    """Tells before from after, where a replay has many things at one time.

    What the life does itself comes after; so does what the next quotes bring, of which the first may have the very same
    time: stops that are reached, and orders that had waited. All else of that moment had come about.

    Parameters
    ----------
    at_ns : int
        When the life began, UTC.
    wanted : sequence of Row
        Intents of the life.
    orders : iterable of Row
        Of the account, up to then.
    fills : iterable of Row
        Of that moment.
    """

    def __init__(self, at_ns: int, wanted: Sequence[Row], orders: Iterable[Row], fills: Iterable[Row]) -> None:
        self.at_ns = at_ns
        self.own = frozenset(row["client_id"] for row in wanted)
        now = [row for row in wanted if row["time_ns"] <= at_ns]
        self.closed_again = frozenset(row["trade_id"] for row in now if row["action"] == "close")
        self.cancelled_again = frozenset(row["order_id"] for row in now if row["action"] == "cancel")
        self._waited = frozenset(row["client_id"] for row in orders if row["created_ns"] < at_ns)
        self._first_parts = _first_parts([fill for fill in fills if fill["time_ns"] == at_ns])

    def is_later(self, fill: Row) -> bool:
        """Tell whether a fill is of the life and not of before."""
        client_id, is_now = fill["client_id"], fill["time_ns"] == self.at_ns
        if fill["time_ns"] > self.at_ns or client_id in self.own:
            return True
        is_of_next_quote = client_id is None or fill["reason"] in WATCHED or client_id in self._waited
        return is_now and (is_of_next_quote or fill["fill_id"] not in self._first_parts)


def _first_parts(fills: Sequence[Row]) -> frozenset[str]:
    """Return the first fill of each order: each further one takes a quote of its own."""
    first: dict[str, Row] = {}
    for fill in fills:
        known = first.get(fill["client_id"] or "")
        if known is None or place_of(fill) < place_of(known):
            first[fill["client_id"] or ""] = fill
    numbers = {str(fill["fill_id"]).partition("/")[0] for fill in first.values()}
    return frozenset(fill["fill_id"] for fill in fills if str(fill["fill_id"]).partition("/")[0] in numbers)


def place_of(fill: Row) -> tuple[int, int, int]:
    """Return by what fills are put in the order the broker made them."""
    number, _, part = str(fill["fill_id"]).partition("/")
    return fill["time_ns"], int(number) if number.isdecimal() else 0, int(part or 0)
