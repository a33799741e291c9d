"""Calls on trades and positions: close, protect, client extensions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.oanda_simulator import checks, dependents, execution
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.model import DEPENDENT, Order, Trade
from tests.oanda_simulator.netting import Plan, fifo_forbids_close, plan_of_trade
from tests.oanda_simulator.order_requests import details, extensions
from tests.oanda_simulator.orders import first_look_of_dependent
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields, parse_decimal, places


def market_order(account: Account, instrument: str, units: Decimal, why: Fields, plan: Plan) -> tuple[Order, Fields]:
    """Write a market order that the venue or a close request makes, and fill it as planned, or cancel it.

    Returns the order, and its transactions under the names create, fill and cancel.
    """
    spec = account.market.specs[instrument]
    request: Fields = {
        "instrument": instrument,
        "units": spec.units(units),
        "timeInForce": "FOK",
        "positionFill": "REDUCE_ONLY",
        **why,
    }
    created = account.log.append("MARKET_ORDER", request)
    order = Order(int(created["id"]), "MARKET", created["time"], request, instrument, request["units"])
    order.client_id = (why.get("clientExtensions") or {}).get("id")
    account.add_order(order)
    parts = {"create": created}
    try:
        name = {"CLIENT_ORDER": "MARKET_ORDER", "POSITION_CLOSEOUT": "MARKET_ORDER_POSITION_CLOSEOUT"}
        reason = name.get(why["reason"], f"MARKET_ORDER_{why['reason']}")
        parts["fill"] = execution.fill(account, order, plan, reason)
    except Refused as refusal:
        parts["cancel"] = cancel(account, order, str(refusal))
    return order, parts


def close(account: Account, specifier: str, body: Fields) -> Reply:
    """Close a trade, wholly (``ALL``) or some units of it."""
    first_id = account.log.next_id
    asked = body.get("units", "ALL")
    units = None if asked == "ALL" else parse_decimal(asked, "units")
    trade = account.find_trade(specifier)
    with account.log.batch():
        reason = _close_reason(account, trade, units)
        if reason or trade is None:
            fields: Fields = {
                "instrument": trade.instrument if trade else None,
                "units": units,
                "timeInForce": "FOK",
                "positionFill": "REDUCE_ONLY",
                "tradeClose": _trade_close(specifier, asked),
                "reason": "TRADE_CLOSE",
                "rejectReason": reason,
            }
            entry = account.log.append("MARKET_ORDER_REJECT", fields)
            status = 404 if reason == "TRADE_DOESNT_EXIST" else 400
            return refused(account, first_id, {"orderRejectTransaction": entry}, reason or "", status)
        size = abs(trade.units) if units is None else units
        why: Fields = {"reason": "TRADE_CLOSE", "tradeClose": {**_trade_close(str(trade.id), asked)}}
        if fifo_forbids_close(account, trade):
            parts = _refused_close(account, trade, size, why)
        else:
            plan = plan_of_trade(trade, size)
            parts = market_order(account, trade.instrument, plan.units, why, plan)[1]
        return acted(account, first_id, {f"order{name.capitalize()}Transaction": part for name, part in parts.items()})


def _trade_close(specifier: str, asked: Any) -> Fields:
    if specifier.startswith("@"):
        return {"clientTradeID": specifier[1:], "units": asked}
    return {"tradeID": specifier, "units": asked}


def _close_reason(account: Account, trade: Trade | None, units: Decimal | None) -> str | None:
    if trade is None or not trade.open:
        return "TRADE_DOESNT_EXIST"
    if units is None:
        return None
    if units <= 0:
        return "UNITS_INVALID"
    if places(units) > account.market.specs[trade.instrument].units_precision:
        return "UNITS_PRECISION_EXCEEDED"
    return "CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE" if units > abs(trade.units) else None


def _refused_close(account: Account, trade: Trade, size: Decimal, why: Fields) -> Fields:
    request: Fields = {
        "instrument": trade.instrument,
        "units": size.copy_sign(-trade.units),
        "timeInForce": "FOK",
        "positionFill": "REDUCE_ONLY",
        **why,
    }
    created = account.log.append("MARKET_ORDER", request)
    order = Order(int(created["id"]), "MARKET", created["time"], request, trade.instrument, request["units"])
    account.add_order(order)
    return {"create": created, "cancel": cancel(account, order, "FIFO_VIOLATION")}


def close_position(account: Account, instrument: str, body: Fields) -> Reply:
    """Close the long side of a position, the short one, or both."""
    first_id = account.log.next_id
    answer: Fields = {}
    failed = ""
    for side, sign in (("long", 1), ("short", -1)):
        asked = body.get(f"{side}Units")
        trades = [trade for trade in account.open_trades(instrument) if trade.units * sign > 0]
        if asked == "NONE" or (asked is None and not trades):
            continue
        units = None if asked in {None, "ALL"} else parse_decimal(asked, f"{side}Units")
        held = sum((abs(trade.units) for trade in trades), Decimal(0))
        why: Fields = {
            "reason": "POSITION_CLOSEOUT",
            f"{side}PositionCloseout": {"instrument": instrument, "units": asked or "ALL"},
        }
        if given := body.get(f"{side}ClientExtensions"):
            why["clientExtensions"] = extensions(given, f"{side}ClientExtensions")
        with account.log.batch():
            reason = _closeout_reason(trades, units, held)
            if reason:
                fields = {"instrument": instrument, "units": units, **why, "rejectReason": reason}
                answer[f"{side}OrderRejectTransaction"] = account.log.append("MARKET_ORDER_REJECT", fields)
                failed = reason
                continue
            plan = _closeout_plan(trades, held if units is None else units)
            parts = market_order(account, instrument, plan.units, why, plan)[1]
        answer.update({f"{side}Order{name.capitalize()}Transaction": part for name, part in parts.items()})
    if not answer:
        entry = account.log.append(
            "MARKET_ORDER_REJECT",
            {
                "instrument": instrument,
                "reason": "POSITION_CLOSEOUT",
                "longPositionCloseout": {"instrument": instrument, "units": "ALL"},
                "rejectReason": "CLOSEOUT_POSITION_DOESNT_EXIST",
            },
        )
        answer, failed = {"longOrderRejectTransaction": entry}, "CLOSEOUT_POSITION_DOESNT_EXIST"
    if failed:
        status = 404 if failed == "CLOSEOUT_POSITION_DOESNT_EXIST" else 400
        return refused(account, first_id, answer, failed, status)
    return acted(account, first_id, answer)


def _closeout_reason(trades: list[Trade], units: Decimal | None, held: Decimal) -> str:
    if not trades:
        return "CLOSEOUT_POSITION_DOESNT_EXIST"
    if units is not None and units <= 0:
        return "UNITS_INVALID"
    return "CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE" if units is not None and units > held else ""


def _closeout_plan(trades: list[Trade], units: Decimal) -> Plan:
    plan = Plan()
    for trade in trades:
        part = min(abs(trade.units), units)
        if part:
            plan.closing.append((trade, part.copy_sign(-trade.units)))
        units -= part
    return plan


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
    parts = first_look_of_dependent(account, order, trade)
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
