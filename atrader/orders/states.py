"""States of an order and every transition allowed, as data.

No imports of ours on purpose: the tables in ``docs/orders.md`` and the tests are generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    """Where an intent stands, from being wanted to its one outcome."""

    __hash__ = str.__hash__  # that of its text, as before, without a call: states are looked up with every order

    NEW = "NEW"  # accepted by the gateway, in its journal, certainly not sent
    DENIED = "DENIED"  # refused by the risk gate, never sent
    SENT = "SENT"  # in the journal, may have reached the broker
    UNKNOWN = "UNKNOWN"  # the broker's answer did not come: being looked up
    WORKING = "WORKING"  # the broker works on it
    PARTIAL = "PARTIAL"  # some units filled, the rest still works
    FILLED = "FILLED"  # all units filled
    DONE = "DONE"  # a modification or cancellation that the broker carried out
    CANCELLED = "CANCELLED"  # ended by us or the broker; what was filled before stays
    REJECTED = "REJECTED"  # refused by the broker
    EXPIRED = "EXPIRED"  # its time ran out
    LOST = "LOST"  # proved absent at the broker after UNKNOWN


S = OrderState

TRANSITIONS: Mapping[OrderState, Mapping[OrderState, str]] = {
    S.NEW: {
        S.SENT: "about to be sent",
        S.DENIED: "the risk gate refuses",
        S.CANCELLED: "given up before it was sent",
    },
    S.SENT: {
        S.UNKNOWN: "time-out, broken connection, server error",
        S.WORKING: "the broker accepted",
        S.PARTIAL: "first fill",
        S.FILLED: "filled at once",
        S.DONE: "the broker carried it out",
        S.REJECTED: "the broker refused",
        S.CANCELLED: "accepted and cancelled in one answer",
        S.EXPIRED: "expired at once",
        S.NEW: "certainly not executed (refused connection, rate limit): may be sent again",
    },
    S.UNKNOWN: {
        S.WORKING: "found working",
        S.PARTIAL: "found partly filled",
        S.FILLED: "found filled",
        S.DONE: "found carried out",
        S.REJECTED: "found refused",
        S.CANCELLED: "found cancelled",
        S.EXPIRED: "found expired",
        S.LOST: "absent after repeated look-ups at a healthy broker",
        S.NEW: "certainly not executed (look-ups prove absence there): may be sent again",
    },
    S.WORKING: {
        S.PARTIAL: "first fill",
        S.FILLED: "last fill",
        S.CANCELLED: "cancelled",
        S.EXPIRED: "expired",
        S.REJECTED: "refused after acceptance",
    },
    S.PARTIAL: {
        S.FILLED: "last fill",
        S.CANCELLED: "rest cancelled",
        S.EXPIRED: "rest expired",
        S.REJECTED: "rest refused",
    },
    S.LOST: {
        S.WORKING: "turned up late: adopted, alert",
        S.PARTIAL: "turned up late: adopted, alert",
        S.FILLED: "turned up late: adopted, alert",
        S.DONE: "turned up late: adopted, alert",
        S.REJECTED: "turned up late",
        S.CANCELLED: "turned up late",
        S.EXPIRED: "turned up late",
    },
}

TERMINAL: frozenset[OrderState] = frozenset({S.DENIED, S.FILLED, S.DONE, S.CANCELLED, S.REJECTED, S.EXPIRED, S.LOST})
"""States with an outcome."""

IN_FLIGHT: frozenset[OrderState] = frozenset({S.NEW, S.SENT, S.UNKNOWN})
"""States in which nobody knows yet whether the broker has the order."""

LIVE: frozenset[OrderState] = frozenset({S.WORKING, S.PARTIAL})
"""States in which the broker works on the order."""


def may_move(current: OrderState, new: OrderState) -> bool:
    """Tell whether the table allows a transition."""
    return new in TRANSITIONS.get(current, {})
