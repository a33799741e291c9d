"""Intents from rows of the history."""

from __future__ import annotations

from typing import Any, Final

from atrader.orders.model import Intent
from research.rerun.record import number_of

Row = dict[str, Any]

_FIELDS: Final = (
    "magic", "instance", "instrument", "action", "time_ns", "side", "order_type", "units", "risk_frac", "price",
    "stop_loss", "take_profit", "trailing_distance", "expires_ns", "trade_id", "order_id",
)  # fmt: skip


def intent_of(row: Row) -> Intent:
    """Return an intent as it was wanted."""
    values = {name: row[name] for name in _FIELDS if row[name] is not None}
    return Intent.model_validate({**values, "n": number_of(row), "reason": row["reason"] or ""})
