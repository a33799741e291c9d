"""Calls on a trade that stays: its dependent orders and its client extensions."""

from __future__ import annotations

from tests.oanda_simulator import checks, dependents
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.model import DEPENDENT, Trade
from tests.oanda_simulator.order_requests import details
from tests.oanda_simulator.placing import first_look
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields


def set_orders(account: Account, specifier: str, body: Fields) -> Reply:
    """Set, replace or (``null``) cancel the dependent orders of a trade; kinds that are absent stay as they are."""
    first_id = account.log.next_id
    given = {name: body[name] for name in DEPENDENT.values() if name in body}
    wanted = {name: None if value is None else details(value, name) for name, value in given.items()}
    trade = account.find_trade(specifier)
    if trade is None or not trade.open:
        reply = acted(
            account, first_id, {"errorCode": "NO_SUCH_TRADE", "errorMessage": "The Trade specified does not exist"}
        )
        reply.status = 404
        return reply
    with account.log.batch():
        for kind, name in DEPENDENT.items():
            if name in wanted and (details_of := wanted[name]) is not None:
                old = trade.orders.get(kind)
                reason = checks.dependent(account, kind, trade, details_of, replaces=old)
                if reason:
                    fields = {"tradeID": str(trade.id), **details_of, "reason": "CLIENT_ORDER", "rejectReason": reason}
                    entry = account.log.append(f"{kind}_ORDER_REJECT", fields)
                    return refused(account, first_id, {f"{name}OrderRejectTransaction": entry}, reason)
        answer: Fields = {}
        for kind, name in DEPENDENT.items():
            if name in wanted:
                answer.update(_set_one(account, trade, kind, name, wanted[name]))
        return acted(account, first_id, answer)


def _set_one(account: Account, trade: Trade, kind: str, name: str, given: Fields | None) -> Fields:
    number = trade.orders.get(kind)
    old = account.orders[number] if number is not None and account.orders[number].pending else None
    if given is None:
        return {f"{name}OrderCancelTransaction": cancel(account, old, "CLIENT_REQUEST")} if old else {}
    answer: Fields = {}
    why: Fields = {"reason": "CLIENT_ORDER"}
    if old:
        entry = cancel(account, old, "CLIENT_REQUEST_REPLACED", account.log.next_id + 1)
        answer[f"{name}OrderCancelTransaction"] = entry
        why = {"reason": "REPLACEMENT", "replacesOrderID": str(old.id), "cancellingTransactionID": entry["id"]}
    order = dependents.create(account, kind, trade, given, why)
    answer[f"{name}OrderTransaction"] = account.log.get(order.id)
    parts = first_look(account, order)
    if fill := parts.get("orderFillTransaction"):
        answer[f"{name}OrderFillTransaction"] = fill
    if cancelled := parts.get("orderCancelTransaction"):
        answer[f"{name}OrderCreatedCancelTransaction"] = cancelled
    return answer


def set_extensions(account: Account, specifier: str, given: Fields) -> Reply:
    """Change the client extensions of an open trade."""
    first_id = account.log.next_id
    trade = account.find_trade(specifier)
    exists = trade is not None and trade.open
    reason = checks.first(checks.client_extensions(account, given, "TRADE")) if exists else "TRADE_DOESNT_EXIST"
    holder = account.find_trade("@" + given["id"]) if "id" in given else None
    if not reason and holder is not None and holder is not trade:
        reason = "CLIENT_TRADE_ID_ALREADY_EXISTS"
    fields: Fields = {
        "tradeID": str(trade.id) if trade else specifier,
        "clientTradeID": trade.client_id if trade else None,
        "tradeClientExtensionsModify": given,
    }
    kind = "TRADE_CLIENT_EXTENSIONS_MODIFY"
    if reason or trade is None:
        entry = account.log.append(f"{kind}_REJECT", {**fields, "rejectReason": reason})
        body = {"tradeClientExtensionsModifyRejectTransaction": entry}
        return refused(account, first_id, body, reason or "", 400 if exists else 404)
    trade.extensions = {**(trade.extensions or {}), **given}
    return acted(account, first_id, {"tradeClientExtensionsModifyTransaction": account.log.append(kind, fields)})
