"""Orders and changes in OANDA's terms: the bodies of requests. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from broker_api.adapter import BrokerOrder, Modification
from broker_api.oanda.codec import Fields
from broker_api.oanda.ids import tag_of
from broker_api.oanda.terms import AccountTerms
from broker_api.oanda.values import name_of, time_text

_TYPES: Final = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP"}
_KEPT: Final = (
    "instrument",
    "units",
    "price",
    "priceBound",
    "timeInForce",
    "gtdTime",
    "positionFill",
    "triggerCondition",
    "takeProfitOnFill",
    "stopLossOnFill",
    "guaranteedStopLossOnFill",
    "trailingStopLossOnFill",
    "clientExtensions",
    "tradeClientExtensions",
)
"""What a replacement repeats of the order that it replaces."""


def order_body(order: BrokerOrder, terms: AccountTerms, bound: Decimal | None = None) -> dict[str, Any]:
    """Return the request that sends an order (not one that closes a ticket, see `close_body`).

    ``bound`` is the worst price at which a market order may fill.
    """
    units = order.units if order.side == "buy" else -order.units
    body: dict[str, Any] = {
        "type": _TYPES[order.order_type],
        "instrument": name_of(order.instrument),
        "units": _text(units),
        "positionFill": _position_fill(order, terms),
        **_time_in_force(order),
        **_identity(order, terms),
    }
    if order.price is not None:
        body["price"] = _text(order.price)
    if bound is not None:
        body["priceBound"] = _text(bound)
    for name, detail in _protection(order, terms.guaranteed_stops).items():
        if detail is not None:
            body[f"{name}OnFill"] = detail
    return {"order": body}


def close_body(units: Decimal) -> dict[str, Any]:
    """Return the request that closes so much of a ticket."""
    return {"units": _text(units)}


def trade_orders_body(change: Modification, *, guaranteed: bool) -> dict[str, Any]:
    """Return the request that changes a ticket's protection: what is not in it stays, null removes."""
    return _protection(change, guaranteed)


def replacement_body(working: Fields, change: Modification, *, guaranteed: bool) -> dict[str, Any]:
    """Return the request that replaces a working order by a changed one; identity and all else stay."""
    body: dict[str, Any] = {"type": working.text("type")}
    body |= {name: working.source[name] for name in _KEPT if name in working.source}
    if change.price is not None:
        body["price"] = _text(change.price)
    if change.units is not None:
        sign = -1 if (working.amount("units") or change.units) < 0 else 1
        body["units"] = _text(sign * change.units)
    for name, detail in _protection(change, guaranteed).items():
        body[f"{name}OnFill"] = detail
    return {"order": {name: value for name, value in body.items() if value is not None}}


def _position_fill(order: BrokerOrder, terms: AccountTerms) -> str:
    if order.reduce_only:
        return "REDUCE_ONLY"
    return "OPEN_ONLY" if terms.hedging else "REDUCE_FIRST"


def _time_in_force(order: BrokerOrder) -> dict[str, Any]:
    if order.order_type == "market":
        return {"timeInForce": "FOK"}
    if order.expires_ns is None:
        return {"timeInForce": "GTC"}
    return {"timeInForce": "GTD", "gtdTime": time_text(order.expires_ns)}


def _identity(order: BrokerOrder, terms: AccountTerms) -> dict[str, Any]:
    """Return what carries our id and magic number; a trade does not inherit it from its order."""
    if terms.anonymous:
        return {}
    extensions = {"id": order.client_id, "tag": tag_of(order.magic)}
    return {"clientExtensions": extensions, "tradeClientExtensions": extensions}


def _protection(wanted: BrokerOrder | Modification, guaranteed: bool) -> dict[str, Any]:
    """Return protective orders by their names: absent = not asked for, None = to be removed."""
    stop = "guaranteedStopLoss" if guaranteed else "stopLoss"
    given = {"takeProfit": wanted.take_profit, stop: wanted.stop_loss, "trailingStopLoss": wanted.trailing_distance}
    return {
        name: _detail("distance" if name == "trailingStopLoss" else "price", value)
        for name, value in given.items()
        if value is not None
    }


def _detail(name: str, value: Decimal) -> dict[str, str] | None:
    return {name: _text(value), "timeInForce": "GTC"} if value else None


def _text(value: Decimal) -> str:
    """Write a number as the broker reads it: no exponent, and no more digits than it has."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
