"""Trading states: what may still be traded, per instance, account and fleet. The strictest wins."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class TradingState(StrEnum):
    """What may be done; from free to strict."""

    ACTIVE = "ACTIVE"  # everything
    REDUCING = "REDUCING"  # exits and cancels only
    FLATTENING = "FLATTENING"  # being closed by the gateway; exits and cancels only
    HALTED = "HALTED"  # cancels only (protective stops at the broker stay)


_ORDER = list(TradingState)

MAY_OPEN = frozenset({TradingState.ACTIVE})
MAY_EXIT = frozenset({TradingState.ACTIVE, TradingState.REDUCING, TradingState.FLATTENING})


def strictest(states: Iterable[TradingState]) -> TradingState:
    """Return the strictest of several states; ACTIVE when there are none."""
    return max(states, key=_ORDER.index, default=TradingState.ACTIVE)
