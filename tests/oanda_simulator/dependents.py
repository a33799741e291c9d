"""Orders that protect a trade: made by a fill or by the client, cancelled with their trade."""

from __future__ import annotations

from decimal import Decimal

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import watch_expiry
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.market import Quote
from tests.oanda_simulator.model import DEPENDENT, Order, Trade
from tests.oanda_simulator.values import Fields

STOPS = ("STOP_LOSS", "GUARANTEED_STOP_LOSS")


def check_on_fill(account: Account, request: Fields, units: Decimal, price: Decimal, quote: Quote) -> None:
    """Refuse a fill whose protection would end the trade at once. Raises `Refused`."""
    long = units > 0
    leaves_at = quote.bid if long else quote.ask
    for kind in STOPS:
        given = request.get(f"{DEPENDENT[kind]}OnFill")
        if given and "price" in given and (given["price"] >= leaves_at if long else given["price"] <= leaves_at):
            raise Refused(f"{kind}_ON_FILL_LOSS")
    given = request.get("takeProfitOnFill")
    if given and (given["price"] <= price if long else given["price"] >= price):
        raise Refused("TAKE_PROFIT_ON_FILL_LOSS")


def create_on_fill(account: Account, request: Fields, trade: Trade, fill_id: str) -> None:
    """Make the dependent orders that an order asked for, now that it opened a trade."""
    for kind, name in DEPENDENT.items():
        if given := request.get(f"{name}OnFill"):
            create(account, kind, trade, given, {"reason": "ON_FILL", "orderFillTransactionID": fill_id}, trade.price)


def create(
    account: Account, kind: str, trade: Trade, given: Fields, why: Fields, reference: Decimal | None = None
) -> Order:
    """Make a dependent order and its transaction.

    ``reference``: the price from which distances of stops count; None: the price at which the trade could be left now.
    """
    spec = account.market.specs[trade.instrument]
    quote = account.market.get(trade.instrument)
    leaves_at = (quote.bid if trade.long else quote.ask) if quote else trade.price
    request: Fields = {
        "tradeID": str(trade.id),
        "clientTradeID": trade.client_id,
        "triggerCondition": "DEFAULT",
        **given,
        "guaranteed": (kind == "GUARANTEED_STOP_LOSS" or given.get("guaranteed", False)) if kind in STOPS else None,
    }
    trailing = None
    if "distance" in given:
        distance = given["distance"] if trade.long else -given["distance"]
        if kind == "TRAILING_STOP_LOSS":
            trailing = spec.price(leaves_at - distance)
        else:
            request["price"] = spec.price((reference if reference is not None else leaves_at) - distance)
    entry = account.log.append(f"{kind}_ORDER", {**request, **why})
    order = Order(
        int(entry["id"]),
        kind,
        entry["time"],
        {**request, "replacesOrderID": why.get("replacesOrderID")},
        trade.instrument,
        price=request.get("price"),
        gtd=given.get("gtdTime"),
        trade_id=trade.id,
        client_id=(given.get("clientExtensions") or {}).get("id"),
        trailing_value=trailing,
    )
    trade.orders[kind] = order.id
    account.add_order(order)
    watch_expiry(account, order)
    return order
