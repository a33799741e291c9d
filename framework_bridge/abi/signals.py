"""Kinds of orders, and the bits by which a row of results says what to do with them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from atrader.orders.model import OrderType as AtraderOrderType
from atrader.orders.model import Side

Verb = Literal["close", "update", "open"]


class OrderKind(IntEnum):
    """Types of orders, as the library numbers them."""

    NONE = -1
    BUY = 0
    SELL = 1
    BUYLIMIT = 2
    SELLLIMIT = 3
    BUYSTOP = 4
    SELLSTOP = 5

    @property
    def side(self) -> Side:
        """Which way it trades."""
        return "sell" if self in (OrderKind.SELL, OrderKind.SELLLIMIT, OrderKind.SELLSTOP) else "buy"

    @property
    def order_type(self) -> AtraderOrderType:
        """What kind of order it is."""
        return _ORDER_TYPES[self]

    @staticmethod
    def of(side: Side, order_type: AtraderOrderType) -> OrderKind:
        """Return the number of a kind of order."""
        return _OF[side, order_type]


SIX: Final = tuple(kind for kind in OrderKind if kind >= 0)
"""The kinds there are."""

_ORDER_TYPES: Final[Mapping[OrderKind, AtraderOrderType]] = {
    OrderKind.BUY: "market",
    OrderKind.SELL: "market",
    OrderKind.BUYLIMIT: "limit",
    OrderKind.SELLLIMIT: "limit",
    OrderKind.BUYSTOP: "stop",
    OrderKind.SELLSTOP: "stop",
}

_OF: Final = {(kind.side, kind.order_type): kind for kind in SIX}


class Command(NamedTuple):
    """One bit: what to do with orders of a kind."""

    verb: Verb
    kind: OrderKind


_COLUMNS: Final = (  # of each kind the bits open, close, update, from this one upwards
    (OrderKind.BUY, 0x1),
    (OrderKind.BUYLIMIT, 0x8),
    (OrderKind.BUYSTOP, 0x40),
    (OrderKind.SELL, 0x1_0000),
    (OrderKind.SELLLIMIT, 0x8_0000),
    (OrderKind.SELLSTOP, 0x40_0000),
)
_VERBS: Final[tuple[Verb, ...]] = ("open", "close", "update")

BITS: Final[Mapping[Command, int]] = {
    Command(verb, kind): first << place for kind, first in _COLUMNS for place, verb in enumerate(_VERBS)
}
"""The bit of each command; a row may carry several."""

ALL_BITS: Final = sum(BITS.values())
"""Every bit that means something."""


@lru_cache(maxsize=256)
def commands_in(bits: int) -> tuple[Command, ...]:
    """Return the commands of a row in the order in which they are carried out: closes, updates, opens.

    Bits outside `ALL_BITS` are not looked at: `framework_bridge.abi.results` refuses them.
    """
    found = [command for command, bit in BITS.items() if bits & bit]
    return tuple(sorted(found, key=lambda command: _TURN[command.verb]))


_TURN: Final[Mapping[Verb, int]] = {"close": 0, "update": 1, "open": 2}
