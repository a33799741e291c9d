"""Intents that an account makes itself: what closes trades and cancels orders without their strategy."""

from __future__ import annotations

from atrader.orders.model import Action, Intent, Trade


def own_intent(owner: Trade | Intent, action: Action, reason: str, *, n: int, time_ns: int, **wanted: object) -> Intent:
    """Return an intent about a trade, or about the order of an intent, in the name of its instance.

    Parameters
    ----------
    n : int
        Its counter, below zero.
    time_ns : int
        Market time, UTC.
    **wanted
        Further fields of `Intent`, checked as those of any other.
    """
    return Intent.model_validate(
        {
            "magic": owner.magic,
            "n": n,
            "instance": owner.instance,
            "instrument": owner.instrument,
            "action": action,
            "time_ns": time_ns,
            "reason": reason,
            **wanted,
        }
    )
