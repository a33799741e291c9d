"""Closing trades and positions: on request, and for the venue itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.oanda_simulator import execution
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.model import Order, Trade
from tests.oanda_simulator.netting import Plan, fifo_forbids_close, plan_of_trade
from tests.oanda_simulator.order_requests import extensions
from tests.oanda_simulator.reply import Reply, acted, refused
from tests.oanda_simulator.values import Fields, parse_decimal, places


def market_order(account: Account, plan: Plan, why: Fields, refusal: str | None = None) -> Fields:
    """Write a market order that the venue or a close request makes, and fill it as planned, or cancel it.

    ``refusal``: a cancel reason that is known already. Returns its transactions by the names create, fill and cancel.
    """
    instrument = plan.closing[0][0].instrument
    request: Fields = {
        "instrument": instrument,
        "units": account.market.specs[instrument].units(plan.units),
        "timeInForce": "FOK",
        "positionFill": "REDUCE_ONLY",
        **why,
    }
    created = account.log.append("MARKET_ORDER", request)
    order = Order(int(created["id"]), "MARKET", created["time"], request, instrument, request["units"])
    order.client_id = (why.get("clientExtensions") or {}).get("id")
    account.add_order(order)
    try:
        if refusal:
            raise Refused(refusal)
        return {"create": created, "fill": execution.fill(account, order, plan, f"MARKET_ORDER_{why['reason']}")}
    except Refused as refused_fill:
        return {"create": created, "cancel": cancel(account, order, str(refused_fill))}


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
        why: Fields = {"reason": "TRADE_CLOSE", "tradeClose": _trade_close(str(trade.id), asked)}
        refusal = "FIFO_VIOLATION" if fifo_forbids_close(account, trade) else None
        parts = market_order(account, plan_of_trade(trade, size), why, refusal)
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
            parts = market_order(account, plan, why)
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
