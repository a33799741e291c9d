"""Taking an order: checks, creation, and what becomes of it at once."""

from __future__ import annotations

from tests.oanda_simulator import checks, dependents, execution, triggers
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel, watch_expiry
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.model import DEPENDENT, Order, Trade
from tests.oanda_simulator.netting import plan_of
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields

_OF_TRADE = ("tradeID", "clientTradeID")


def place(account: Account, request: Fields, replaces: Order | None = None) -> Reply:
    """Take a new order, or one that replaces another, and answer as the venue does."""
    first_id = account.log.next_id
    with account.log.batch():
        trade = _trade_of(account, request) if request["type"] in DEPENDENT else None
        reason = _reject_reason(account, request, trade, replaces)
        if reason:
            return rejected(account, first_id, request, reason, replaces)
        body: Fields = {}
        why: Fields = {"reason": "CLIENT_ORDER"}
        if replaces:
            cancelled = cancel(account, replaces, "CLIENT_REQUEST_REPLACED", account.log.next_id + 1)
            body["orderCancelTransaction"] = cancelled
            why = {
                "reason": "REPLACEMENT",
                "replacesOrderID": str(replaces.id),
                "cancellingTransactionID": cancelled["id"],
            }
        order = _create_dependent(account, request, trade, why) if trade else _create(account, request, why)
        body["orderCreateTransaction"] = account.log.get(order.id)
        outcome = first_look(account, order)
        if replaces and "orderCancelTransaction" in outcome:
            outcome["replacingOrderCancelTransaction"] = outcome.pop("orderCancelTransaction")
        reply = acted(account, first_id, {**body, **outcome}, 201)
        reply.headers["Location"] = f"/v3/accounts/{account.id}/orders/{order.id}"
        return reply


def _trade_of(account: Account, request: Fields) -> Trade | None:
    trade = None
    if "tradeID" in request:
        trade = account.find_trade(request["tradeID"])
    elif "clientTradeID" in request:
        trade = account.find_trade("@" + request["clientTradeID"])
    return trade if trade and trade.open else None


def _reject_reason(account: Account, request: Fields, trade: Trade | None, replaces: Order | None) -> str | None:
    replaced_id = replaces.id if replaces else None
    kind = request["type"]
    if kind not in DEPENDENT:
        return checks.order(account, request, replaced_id)
    if trade is None:
        return "TRADE_DOESNT_EXIST" if any(name in request for name in _OF_TRADE) else "TRADE_ID_UNSPECIFIED"
    return checks.dependent(account, kind, trade, request, replaced_id)


def rejected(account: Account, first_id: int, request: Fields, reason: str, replaces: Order | None) -> Reply:
    """Answer a request that the venue rejects, and write that down."""
    fields: Fields = {
        **_echo(request),
        "reason": "REPLACEMENT" if replaces else "CLIENT_ORDER",
        "intendedReplacesOrderID": str(replaces.id) if replaces else None,
        "rejectReason": reason,
    }
    entry = account.log.append(f"{request['type']}_ORDER_REJECT", fields)
    status = 404 if reason == "TRADE_DOESNT_EXIST" else 400
    return refused(account, first_id, {"orderRejectTransaction": entry}, reason, status)


def _echo(request: Fields) -> Fields:
    return {key: value for key, value in request.items() if key != "type"}


def _create(account: Account, request: Fields, why: Fields) -> Order:
    spec = account.market.specs[request["instrument"]]
    echo = {**_echo(request), "units": spec.units(request["units"])}
    entry = account.log.append(f"{request['type']}_ORDER", {**echo, **why})
    order = Order(
        int(entry["id"]),
        request["type"],
        entry["time"],
        {**echo, "replacesOrderID": why.get("replacesOrderID")},
        request["instrument"],
        echo["units"],
        request.get("price"),
        request.get("gtdTime"),
        client_id=(request.get("clientExtensions") or {}).get("id"),
    )
    quote = account.market.get(request["instrument"])
    if order.type == "MARKET_IF_TOUCHED" and quote and order.price is not None:
        order.rises = order.price > triggers.trigger_price(quote, order.buys, request["triggerCondition"])
    account.add_order(order)
    watch_expiry(account, order)
    return order


def _create_dependent(account: Account, request: Fields, trade: Trade, why: Fields) -> Order:
    given = {key: value for key, value in _echo(request).items() if key not in _OF_TRADE}
    return dependents.create(account, request["type"], trade, given, why)


def first_look(account: Account, order: Order) -> Fields:
    """Fill a market order or cancel it; let any other see the price of now.

    Returns ``orderFillTransaction`` or ``orderCancelTransaction`` if there is one.
    """
    before = account.log.last_id
    if order.type == "MARKET":
        try:
            plan = plan_of(account, order.instrument, order.units, order.request["positionFill"])
            bound, partial = order.request.get("priceBound"), order.request["timeInForce"] == "IOC"
            execution.fill(account, order, plan, "MARKET_ORDER", bound, partial)
        except Refused as refusal:
            cancel(account, order, str(refusal))
    elif (quote := account.market.get(order.instrument)) and account.market.trades(order.instrument):
        triggers.see(account, order, quote)
    names = {"ORDER_FILL": "orderFillTransaction", "ORDER_CANCEL": "orderCancelTransaction"}
    return {
        names[entry["type"]]: entry
        for entry in account.log.since(before)
        if entry["type"] in names and entry["orderID"] == str(order.id)
    }
