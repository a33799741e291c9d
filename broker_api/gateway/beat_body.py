"""What a gateway tells the manager with its beats: what is at stake, and how it gets on with its broker."""

from __future__ import annotations

from atrader.ledger import FOREIGN_MAGIC
from atrader.orders.states import LIVE
from broker_api.gateway.core import Gateway


def beat_body(gateway: Gateway) -> dict[str, object]:
    """Return the parts of a beat that come from the core; plain MessagePack values."""
    instances = gateway.gate.instances.values()
    return {
        # Before the broker answered for the first time nobody knows what the account holds: not zero.
        "account": _account(gateway) if gateway.valuation.instruments else None,
        "exposure": _exposure(gateway),
        "trading_states": {item.name: gateway.states.of_instance(item.name).value for item in instances},
    }


def _account(gateway: Gateway) -> dict[str, object]:
    worth, breaks = gateway.valuation.worth(gateway.book.ledger.open_trades()), gateway.reconciler.breaks
    budget, health = gateway.budget.state(), gateway.health()
    return {
        "name": gateway.account.name,
        "balance": worth.balance,
        "equity": worth.equity,
        "proof": gateway.proof(),
        "proof_age_s": gateway.proof_watch.age_s,
        "breaks": [f"{instrument}: {reason}" for instrument, reason in breaks.items()],
        "orphans": [orphan.model_dump() for orphan in gateway.orphans.found()],
        "foreign": [
            f"{trade.trade_id}: {trade.side} {trade.units} {trade.instrument}"
            for trade in gateway.book.ledger.open_trades(FOREIGN_MAGIC)
        ],
        "budget": None if budget is None else budget.model_dump(),
        "health": None if health is None else health.model_dump(),
    }


def _exposure(gateway: Gateway) -> dict[str, dict[str, int]]:
    held = {
        item.name: {
            "open_trades": len(gateway.book.own_trades(item.magic)),
            "live_orders": sum(order.state in LIVE for order in gateway.book.open_orders(item.magic)),
        }
        for item in gateway.gate.instances.values()
    }
    for orphan in gateway.orphans.found():  # its name may be configured with another magic number by now
        here = held.setdefault(orphan.instance, {"open_trades": 0, "live_orders": 0})
        here["open_trades"] += orphan.open_trades
        here["live_orders"] += orphan.live_orders
    return held
