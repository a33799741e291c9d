"""Whose an order is: what the broker carries for us, what we remember of this life, and else the journal."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final, Protocol

from atrader.orders.ids import MAX_MAGIC, intent_id_of

_TAG: Final = "atr:"
_REMEMBERED: Final = 20_000


class Journaled(Protocol):
    """What the journal can tell; see `broker_api.journal.Attribution`."""

    def working(self, broker_id: str) -> str | None:
        """Return the client id of the open order that has a broker's order id."""

    def closing(self, broker_trade_id: str, units: Decimal) -> str | None:
        """Return the client id of an order without outcome that closes so much of a ticket."""


def tag_of(magic: int) -> str:
    """Return the tag that carries a magic number."""
    return f"{_TAG}{magic}"


def magic_of(tag: str) -> int | None:
    """Read the magic number of a tag; None when it is not one of ours."""
    digits = tag.removeprefix(_TAG)
    if digits == tag or not digits.isascii() or not digits.isdigit() or len(digits) > len(str(MAX_MAGIC)):
        return None
    return magic if 0 < (magic := int(digits)) <= MAX_MAGIC else None


def ours(client_id: str) -> str | None:
    """Return the id if it is one of ours."""
    return client_id if intent_id_of(client_id) is not None else None


class OrderIds:
    """Client ids by the broker's order ids, both ways.

    Parameters
    ----------
    journaled : Journaled
        Asked for what this life has not seen, and the broker does not carry.
    """

    def __init__(self, journaled: Journaled) -> None:
        self._journaled = journaled
        self._client_ids: OrderedDict[str, str] = OrderedDict()
        self._broker_ids: OrderedDict[str, str] = OrderedDict()

    def learn(self, broker_id: str, client_id: str) -> None:
        """Remember whose an order is; the newest order of a client id is the one that works."""
        for known, key, value in ((self._client_ids, broker_id, client_id), (self._broker_ids, client_id, broker_id)):
            known[key] = value
            if len(known) > _REMEMBERED:
                known.popitem(last=False)

    def broker_id(self, client_id: str) -> str | None:
        """Return the broker's id of the newest order of a client id, if this life has seen it."""
        return self._broker_ids.get(client_id)

    def of_order(self, broker_id: str, carried: str) -> str | None:
        """Return the client id of an order of ours; ``carried`` is what the broker shows."""
        if carried:
            return ours(carried)
        return self._client_ids.get(broker_id)

    def of_journal(self, broker_id: str) -> str | None:
        """Return the client id of an order that the broker shows without one; asks the journal."""
        return self._client_ids.get(broker_id) or self._journaled.working(broker_id)

    def of_close(self, broker_trade_id: str, units: Decimal) -> str | None:
        """Return the client id of the order of ours that closes so much of a ticket; asks the journal."""
        return self._journaled.closing(broker_trade_id, units)
