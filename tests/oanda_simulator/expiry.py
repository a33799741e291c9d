"""How orders end without a fill: cancelled, replaced, or out of time."""

from __future__ import annotations

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.hours import next_day_end
from tests.oanda_simulator.model import Order
from tests.oanda_simulator.values import Fields


def cancel(account: Account, order: Order, reason: str, replaced_by: int | None = None) -> Fields:
    """Cancel an order. Returns the transaction."""
    fields: Fields = {
        "orderID": str(order.id),
        "clientOrderID": order.client_id,
        "reason": reason,
        "replacedByOrderID": str(replaced_by) if replaced_by else None,
    }
    entry = account.log.append("ORDER_CANCEL", fields)
    order.state = "CANCELLED"
    order.ended = {
        "cancellingTransactionID": entry["id"],
        "cancelledTime": entry["time"],
        "replacedByOrderID": fields["replacedByOrderID"],
    }
    account.end_order(order)
    return entry


def watch_expiry(account: Account, order: Order) -> None:
    """Let an order end when its time is over: GTD at its own, GFD at 17:00 New York."""
    chosen = order.request.get("timeInForce")
    due_ns = order.gtd if chosen == "GTD" else next_day_end(account.clock.now()) if chosen == "GFD" else None
    if due_ns is None:
        return

    def expire() -> None:
        if order.pending:
            cancel(account, order, "TIME_IN_FORCE_EXPIRED")

    account.clock.at(due_ns, expire)
