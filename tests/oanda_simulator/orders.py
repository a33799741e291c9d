"""Calls on orders: create, replace, cancel, client extensions."""

from __future__ import annotations

from tests.oanda_simulator import checks, dependents, execution, triggers
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel, watch_expiry
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.model import DEPENDENT, Order, Trade
from tests.oanda_simulator.netting import plan_of
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields


def place(account: Account, request: Fields, replaces: Order | None = None) -> Reply:
    """Take a new order, or one that replaces another, and answer as the venue does."""
    first_id = account.log.next_id
    with account.log.batch():
        if request["type"] in DEPENDENT:
            return _place_dependent(account, request, first_id, replaces)
        reason = checks.order(account, request, replaces.id if replaces else None)
        if reason:
            return _rejected(account, first_id, request, reason, replaces)
        body: Fields = {}
        if replaces:
            number = account.log.next_id + 1
            body["orderCancelTransaction"] = cancel(account, replaces, "CLIENT_REQUEST_REPLACED", number)
        order, body["orderCreateTransaction"] = _create(account, request, replaces)
        parts = _first_look(account, order)
        if replaces and "orderCancelTransaction" in parts:
            parts["replacingOrderCancelTransaction"] = parts.pop("orderCancelTransaction")
        body.update(parts)
        reply = acted(account, first_id, body, 201)
        reply.headers["Location"] = f"/v3/accounts/{account.id}/orders/{order.id}"
        return reply


def _why(replaces: Order | None, cancel_id: int | None) -> Fields:
    if replaces is None:
        return {"reason": "CLIENT_ORDER"}
    return {
        "reason": "REPLACEMENT",
        "replacesOrderID": str(replaces.id),
        "cancellingTransactionID": str(cancel_id) if cancel_id else None,
    }


def _create(account: Account, request: Fields, replaces: Order | None) -> tuple[Order, Fields]:
    spec = account.market.specs[request["instrument"]]
    echo = {**request, "units": spec.units(request["units"])}
    entry = account.log.append(
        f"{request['type']}_ORDER", {**_echo(echo), **_why(replaces, account.log.last_id if replaces else None)}
    )
    order = Order(
        int(entry["id"]),
        request["type"],
        entry["time"],
        {**_echo(echo), "replacesOrderID": str(replaces.id) if replaces else None},
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
    return order, entry


def _echo(request: Fields) -> Fields:
    return {key: value for key, value in request.items() if key != "type"}


def _first_look(account: Account, order: Order) -> Fields:
    """Fill a market order or cancel it; let an entry order see the price of now. Returns parts of the answer."""
    before = account.log.last_id
    if order.type == "MARKET":
        try:
            plan = plan_of(account, order.instrument, order.units, order.request["positionFill"])
            bound, partial = order.request.get("priceBound"), order.request["timeInForce"] == "IOC"
            execution.fill(account, order, plan, "MARKET_ORDER", bound, partial)
        except Refused as refusal:
            cancel(account, order, str(refusal))
    elif (quote := account.market.get(order.instrument)) and account.market.trades(quote.instrument):
        triggers.see(account, order, quote)
    return _parts(account, before, order)


def _parts(account: Account, before: int, order: Order) -> Fields:
    """Return fill and cancel of one order among the transactions since ``before``."""
    names = {"ORDER_FILL": "orderFillTransaction", "ORDER_CANCEL": "orderCancelTransaction"}
    return {
        names[entry["type"]]: entry
        for entry in account.log.since(before)
        if entry["type"] in names and entry["orderID"] == str(order.id)
    }


def _rejected(
    account: Account, first_id: int, request: Fields, reason: str, replaces: Order | None, status: int = 400
) -> Reply:
    entry = account.log.append(
        f"{request['type']}_ORDER_REJECT",
        {
            **_echo(request),
            "reason": "REPLACEMENT" if replaces else "CLIENT_ORDER",
            "intendedReplacesOrderID": str(replaces.id) if replaces else None,
            "rejectReason": reason,
        },
    )
    return refused(account, first_id, {"orderRejectTransaction": entry}, reason, status)


def _place_dependent(account: Account, request: Fields, first_id: int, replaces: Order | None) -> Reply:
    trade = _trade_of(account, request)
    if trade is None:
        reason = "TRADE_DOESNT_EXIST" if {"tradeID", "clientTradeID"} & request.keys() else "TRADE_ID_UNSPECIFIED"
        return _rejected(account, first_id, request, reason, replaces, 404 if reason == "TRADE_DOESNT_EXIST" else 400)
    kind = request["type"]
    reason = checks.dependent(account, kind, trade, request, replaces.id if replaces else None) or ""
    if reason:
        return _rejected(account, first_id, request, reason, replaces)
    body: Fields = {}
    cancel_id = None
    if replaces:
        body["orderCancelTransaction"] = cancel(account, replaces, "CLIENT_REQUEST_REPLACED", account.log.next_id + 1)
        cancel_id = account.log.last_id
    given = {key: value for key, value in _echo(request).items() if key not in {"tradeID", "clientTradeID"}}
    order = dependents.create(account, kind, trade, given, _why(replaces, cancel_id))
    body["orderCreateTransaction"] = account.log.get(order.id)
    parts = first_look_of_dependent(account, order, trade)
    if replaces and "orderCancelTransaction" in parts:
        parts["replacingOrderCancelTransaction"] = parts.pop("orderCancelTransaction")
    body.update(parts)
    reply = acted(account, first_id, body, 201)
    reply.headers["Location"] = f"/v3/accounts/{account.id}/orders/{order.id}"
    return reply


def first_look_of_dependent(account: Account, order: Order, trade: Trade) -> Fields:
    """Let a new dependent order see the price of now. Returns parts of the answer."""
    before = account.log.last_id
    quote = account.market.get(trade.instrument)
    if quote and account.market.trades(trade.instrument):
        triggers.see(account, order, quote)
    return _parts(account, before, order)


def _trade_of(account: Account, request: Fields) -> Trade | None:
    if "tradeID" in request:
        trade = account.find_trade(request["tradeID"])
    elif "clientTradeID" in request:
        trade = account.find_trade("@" + request["clientTradeID"])
    else:
        return None
    return trade if trade and trade.open else None


def replace(account: Account, specifier: str, request: Fields) -> Reply:
    """Replace a pending order: the old one is cancelled and the new one created in one batch."""
    first_id = account.log.next_id
    order = account.find_order(specifier)
    if order is None or not order.pending:
        return _cancel_rejected(account, first_id, specifier, order)
    if order.type != request["type"]:
        return _rejected(account, first_id, request, "REPLACING_ORDER_INVALID", order)
    if order.trade_id is not None:
        request.setdefault("tradeID", str(order.trade_id))
        if request["tradeID"] != str(order.trade_id):
            return _rejected(account, first_id, request, "REPLACING_TRADE_ID_INVALID", order)
    return place(account, request, replaces=order)


def cancel_by_client(account: Account, specifier: str) -> Reply:
    """Cancel a pending order on request."""
    first_id = account.log.next_id
    order = account.find_order(specifier)
    if order is None or not order.pending:
        return _cancel_rejected(account, first_id, specifier, order)
    entry = cancel(account, order, "CLIENT_REQUEST")
    return acted(account, first_id, {"orderCancelTransaction": entry})


def _cancel_rejected(account: Account, first_id: int, specifier: str, order: Order | None) -> Reply:
    fields: Fields = {
        "orderID": str(order.id) if order else specifier if specifier.isdecimal() else None,
        "clientOrderID": order.client_id if order else specifier[1:] if specifier.startswith("@") else None,
        "rejectReason": "ORDER_DOESNT_EXIST",
    }
    entry = account.log.append("ORDER_CANCEL_REJECT", fields)
    return refused(account, first_id, {"orderCancelRejectTransaction": entry}, "ORDER_DOESNT_EXIST", 404)


def set_extensions(account: Account, specifier: str, own: Fields | None, trade: Fields | None) -> Reply:
    """Change the client extensions of a pending order, and those its trade will get."""
    first_id = account.log.next_id
    order = account.find_order(specifier)
    exists = order is not None and order.pending
    reason = "ORDER_DOESNT_EXIST"
    if order is not None and exists:
        reason = (
            checks.first(checks.client_extensions(account, own, "ORDER", order.id))
            or checks.first(checks.client_extensions(account, trade, "TRADE"))
            or ""
        )
    fields: Fields = {
        "orderID": str(order.id) if order else specifier,
        "clientOrderID": order.client_id if order else None,
        "clientExtensionsModify": own,
        "tradeClientExtensionsModify": trade,
    }
    kind = "ORDER_CLIENT_EXTENSIONS_MODIFY"
    if reason or order is None:
        entry = account.log.append(f"{kind}_REJECT", {**fields, "rejectReason": reason})
        body = {"orderClientExtensionsModifyRejectTransaction": entry}
        return refused(account, first_id, body, reason, 400 if exists else 404)
    if own:
        order.request["clientExtensions"] = {**(order.request.get("clientExtensions") or {}), **own}
        order.client_id = order.request["clientExtensions"].get("id")
    if trade:
        order.request["tradeClientExtensions"] = {**(order.request.get("tradeClientExtensions") or {}), **trade}
    entry = account.log.append(kind, fields)
    return acted(account, first_id, {"orderClientExtensionsModifyTransaction": entry})
