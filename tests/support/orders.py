"""Short ways to make intents, orders, fills and trades for tests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from atrader.clock import parse_time
from atrader.orders.model import Fill, Intent, Order, Trade
from atrader.orders.states import OrderState

D = Decimal

NOON_NS = parse_time("2024-03-06T17:00Z")  # a Wednesday, noon in New York


def make_intent(n: int = 1, **changes: Any) -> Intent:
    """Return a market order for 1000 EUR/USD with a stop, or what ``changes`` make of it."""
    values: dict[str, Any] = {
        "magic": 7,
        "n": n,
        "instance": "alpha",
        "instrument": "EUR/USD",
        "action": "open",
        "time_ns": NOON_NS,
        **changes,
    }
    if values["action"] == "open":
        values.setdefault("side", "buy")
        if "risk_frac" not in values:
            values.setdefault("units", D(1000))
        values.setdefault("stop_loss", D("1.09"))
    return Intent(**values)


def make_order(intent: Intent, **changes: Any) -> Order:
    """Return an order of an intent that was sent."""
    values: dict[str, Any] = {
        "client_id": intent.client_id,
        "intent": intent,
        "state": OrderState.SENT,
        "units": intent.units,
        "created_ns": 0,
        "updated_ns": 0,
        **changes,
    }
    return Order(**values)


def make_fill(fill_id: str, side: str, units: str, price: str, **changes: Any) -> Fill:
    """Return a fill of magic 7 in EUR/USD on the account ``paper``."""
    values: dict[str, Any] = {
        "fill_id": fill_id,
        "account": "paper",
        "magic": 7,
        "instance": "alpha",
        "instrument": "EUR/USD",
        "side": side,
        "units": D(units),
        "price": D(price),
        "time_ns": 1,
        **changes,
    }
    return Fill(**values)


def make_trade(trade_id: str, **changes: Any) -> Trade:
    """Return an open long trade of 1000 EUR/USD of magic 7."""
    values: dict[str, Any] = {
        "trade_id": trade_id,
        "account": "paper",
        "magic": 7,
        "instance": "alpha",
        "instrument": "EUR/USD",
        "side": "buy",
        "units_opened": D(1000),
        "units": D(1000),
        "open_time_ns": 0,
        "open_price": D("1.10"),
        "stop_loss": D("1.09"),
        **changes,
    }
    return Trade(**values)
