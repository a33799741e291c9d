"""An account at a moment, for tests of the risk rules."""

from __future__ import annotations

from typing import Any

from atrader.instruments import KNOWN
from atrader.risk import Quote, RiskDay, RiskState
from tests.support.orders import NOON_NS, D

QUOTES = {
    "EUR/USD": Quote(D("1.0999"), D("1.1000"), 0.5),
    "GBP/USD": Quote(D("1.2498"), D("1.2500"), 0.5),
    "USD/JPY": Quote(D("149.99"), D("150.00"), 0.5),
}
RATES = {"EUR/USD": D(1), "GBP/USD": D(1), "USD/JPY": D("0.005")}


def make_day(equity: str = "10000", **changes: Any) -> RiskDay:
    """Return a risk day that began with this equity."""
    day = RiskDay.begin("fx", NOON_NS, D(equity), D(equity))
    return day.model_copy(update=changes)


def make_state(**changes: Any) -> RiskState:
    """Return an account of 10,000 USD with nothing open and fresh prices."""
    values: dict[str, Any] = {
        "now_ns": NOON_NS,
        "balance": D(10_000),
        "equity": D(10_000),
        "margin_used": D(0),
        "day": make_day(),
        "instruments": KNOWN,
        "quotes": QUOTES,
        "home_rates": RATES,
        **changes,
    }
    return RiskState(**values)
