"""Orders that worked when a session began, told from what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from atrader.ledger import average_price
from atrader.orders.model import Intent, Order
from atrader.orders.states import TERMINAL, OrderState
from manager.rerun.intents import intent_of
from manager.rerun.moment import Moment

Row = dict[str, Any]

REFUSED: Final = frozenset({OrderState.DENIED, OrderState.REJECTED, OrderState.LOST})
_CHANGED: Final = ("price", "stop_loss", "take_profit", "trailing_distance")


def working_before(
    orders: Iterable[Row], intents: Mapping[str, Row], past: Sequence[Row], moment: Moment
) -> list[Order]:
    """Return the orders to open something that worked at a time, as they were then; oldest first.

    Parameters
    ----------
    orders : iterable of Row
        Of the account, made up to then, as they ended.
    intents : mapping of str to Row
        Of those orders, by client id.
    past : sequence of Row
        Fills of the account up to then.
    moment : Moment
        Of then.
    """
    before = [row for row in orders if row["client_id"] not in moment.own]
    changes = [row for row in before if row["action"] == "modify" and row["state"] == OrderState.DONE]
    wanted = [intents[row["client_id"]] for row in changes if row["client_id"] in intents]
    found = []
    for row in before:
        intent = intents.get(row["client_id"])
        if row["action"] == "open" and intent is not None and _may_work(row, moment):
            order = _as_of(row, _changed(intent_of(intent), wanted), past)
            if order.units is not None and order.filled_units < order.units:
                found.append(order)
    return sorted(found, key=lambda order: (order.created_ns, order.intent.magic, order.intent.n))


def _may_work(row: Row, moment: Moment) -> bool:
    state = OrderState(row["state"])
    if state in REFUSED:
        return False
    if state is OrderState.FILLED or state not in TERMINAL or row["client_id"] in moment.cancelled_again:
        return True
    return bool(row["updated_ns"] > moment.at_ns)


def _changed(intent: Intent, changes: Iterable[Row]) -> Intent:
    """Return an intent with what was changed in its order, oldest change first; zero removed a protection."""
    update: dict[str, Decimal | None] = {}
    for row in changes:
        if row["order_id"] == intent.client_id:
            update |= {name: Decimal(row[name]) or None for name in _CHANGED if row[name] is not None}
    return intent.model_copy(update=update)


def _as_of(row: Row, intent: Intent, fills: Sequence[Row]) -> Order:
    filled, price, last_ns = Decimal(0), Decimal(0), row["created_ns"]
    for fill in fills:
        if fill["client_id"] == row["client_id"]:
            units = Decimal(fill["units"])
            price = average_price(filled, price, units, Decimal(fill["price"]))
            filled, last_ns = filled + units, fill["time_ns"]
    return Order(
        client_id=row["client_id"],
        intent=intent,
        state=OrderState.PARTIAL if filled else OrderState.WORKING,
        broker_id=row["broker_id"],
        units=None if row["units"] is None else Decimal(row["units"]),
        filled_units=filled,
        average_price=price if filled else None,
        created_ns=row["created_ns"],
        updated_ns=last_ns,
    )
