"""Calls on orders that exist: replace, cancel, client extensions."""

from __future__ import annotations

from tests.oanda_simulator import checks
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.model import Order
from tests.oanda_simulator.placing import place, rejected
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields


def replace(account: Account, specifier: str, request: Fields) -> Reply:
    """Replace a pending order: the old one is cancelled and the new one created in one batch."""
    first_id = account.log.next_id
    order = account.find_order(specifier)
    if order is None or not order.pending:
        return _cancel_rejected(account, first_id, specifier, order)
    if order.type != request["type"]:
        return rejected(account, first_id, request, "REPLACING_ORDER_INVALID", order)
    if order.trade_id is not None:
        request.setdefault("tradeID", str(order.trade_id))
        if request["tradeID"] != str(order.trade_id):
            return rejected(account, first_id, request, "REPLACING_TRADE_ID_INVALID", order)
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
