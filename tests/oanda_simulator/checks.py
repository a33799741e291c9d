"""Why the venue rejects a request: each check returns a reject reason, or None when all is well."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.instruments import Spec
from tests.oanda_simulator.model import DEPENDENT, ENTRY, Trade
from tests.oanda_simulator.values import Fields, places

PREFIX: Final = {kind: f"{kind}_ON_FILL" for kind in DEPENDENT}
_ID_LENGTH: Final = 128


def first(reasons: Iterator[str]) -> str | None:
    """Return the first reason of a generator of them."""
    return next(reasons, None)


def order(account: Account, request: Fields, replaces: int | None = None) -> str | None:
    """Check a request for a market or an entry order."""
    return first(_order(account, request, replaces))


def _order(account: Account, request: Fields, replaces: int | None) -> Iterator[str]:
    kind = request["type"]
    if account.locked:
        yield "ACCOUNT_LOCKED"
    if "instrument" not in request:
        yield "INSTRUMENT_MISSING"
    spec = account.market.specs.get(request.get("instrument", ""))
    if spec is None:
        yield "INSTRUMENT_UNKNOWN"
        return
    yield from _units(spec, request.get("units"))
    if kind in ENTRY:
        if "price" not in request:
            yield "PRICE_MISSING"
        yield from price_reasons(spec, request.get("price"), "PRICE")
        if len(account.pending()) >= account.settings.maximum_orders and replaces is None:
            yield "PENDING_ORDERS_ALLOWED_EXCEEDED"
    yield from price_reasons(spec, request.get("priceBound"), "PRICE_BOUND")
    yield from time_in_force(account, request, "")
    yield from client_extensions(account, request.get("clientExtensions"), "ORDER", replaces)
    yield from client_extensions(account, request.get("tradeClientExtensions"), "TRADE", replaces)
    yield from _on_fill(account, spec, request)


def _units(spec: Spec, units: Decimal | None) -> Iterator[str]:
    if units is None:
        yield "UNITS_MISSING"
        return
    if not units:
        yield "UNITS_INVALID"
    if places(units) > spec.units_precision:
        yield "UNITS_PRECISION_EXCEEDED"
    if abs(units) < spec.minimum_units:
        yield "UNITS_MINIMUM_NOT_MET"
    if abs(units) > spec.maximum_units:
        yield "UNITS_LIMIT_EXCEEDED"


def price_reasons(spec: Spec, price: Decimal | None, prefix: str) -> Iterator[str]:
    """Yield what is wrong with a price."""
    if price is None:
        return
    if price <= 0:
        yield f"{prefix}_INVALID"
    if places(price) > spec.display_precision:
        yield f"{prefix}_PRECISION_EXCEEDED"


def time_in_force(account: Account, request: Fields, prefix: str) -> Iterator[str]:
    """Yield what is wrong with how long an order shall live."""
    market = request.get("type") == "MARKET"
    chosen = request.get("timeInForce")
    if (chosen in {"FOK", "IOC"}) != market:
        yield f"{prefix}TIME_IN_FORCE_INVALID"
    if chosen == "GTD":
        if "gtdTime" not in request:
            yield f"{prefix}{'TIME_IN_FORCE_' if not prefix else ''}GTD_TIMESTAMP_MISSING"
        elif request["gtdTime"] <= account.clock.now():
            yield f"{prefix}{'TIME_IN_FORCE_' if not prefix else ''}GTD_TIMESTAMP_IN_PAST"


def client_extensions(account: Account, given: Fields | None, kind: str, replaces: int | None = None) -> Iterator[str]:
    """Yield what is wrong with client extensions of an order or a trade.

    A trade's id is looked at when the order fills: only open trades hold one.
    """
    if not given:
        return
    if account.settings.mt4_id is not None:
        yield f"CLIENT_{kind}_ID_INVALID" if "id" in given else f"CLIENT_{kind}_TAG_INVALID"
    for field in ("id", "tag", "comment"):
        text = given.get(field)
        if text is not None and (len(text) > _ID_LENGTH or (field == "id" and not text) or not text.isascii()):
            yield f"CLIENT_{kind}_{field.upper()}_INVALID"
    if kind == "ORDER" and "id" in given:
        holder = account.find_order("@" + given["id"])
        if holder is not None and holder.id != replaces:
            yield "CLIENT_ORDER_ID_ALREADY_EXISTS"


def _on_fill(account: Account, spec: Spec, request: Fields) -> Iterator[str]:
    for kind, name in DEPENDENT.items():
        given = request.get(f"{name}OnFill")
        if given is not None:
            yield from _details(account, spec, kind, given, PREFIX[kind])
            yield from client_extensions(account, given.get("clientExtensions"), "ORDER")
    modes = {spec.guaranteed_mode, account.settings.guaranteed_mode}
    if "REQUIRED" in modes and "guaranteedStopLossOnFill" not in request and request["positionFill"] != "REDUCE_ONLY":
        yield "STOP_LOSS_ON_FILL_GUARANTEED_REQUIRED"
    if "stopLossOnFill" in request and "guaranteedStopLossOnFill" in request:
        yield "STOP_LOSS_ON_FILL_RMO_MUTUAL_EXCLUSIVITY_MUTUALLY_EXCLUSIVE_ORDER_TYPES"


def dependent(account: Account, kind: str, trade: Trade, given: Fields, replaces: int | None = None) -> str | None:
    """Check a dependent order that is made for an open trade."""
    return first(_dependent(account, kind, trade, given, replaces))


def _dependent(account: Account, kind: str, trade: Trade, given: Fields, replaces: int | None) -> Iterator[str]:
    spec = account.market.specs[trade.instrument]
    if kind in trade.orders and account.orders[trade.orders[kind]].pending and trade.orders[kind] != replaces:
        yield f"{kind}_ORDER_ALREADY_EXISTS"
    yield from _details(account, spec, kind, given, "")
    yield from client_extensions(account, given.get("clientExtensions"), "ORDER", replaces)
    if account.settings.fifo and fifo_clash(account, trade.instrument, abs(trade.units), trade.id):
        yield f"{kind}_ORDER_WOULD_VIOLATE_FIFO_VIOLATION_SAFEGUARD"


def _details(account: Account, spec: Spec, kind: str, given: Fields, prefix: str) -> Iterator[str]:
    """Yield what is wrong with price, distance and life of a dependent order. ``prefix``: empty for a made order."""
    start = f"{prefix}_" if prefix else ""
    if kind == "TRAILING_STOP_LOSS":
        distance = given.get("distance")
        if distance is None:
            yield f"{start}PRICE_DISTANCE_MISSING" if prefix else "PRICE_DISTANCE_MISSING"
            return
        if places(distance) > spec.display_precision:
            yield f"{start}PRICE_DISTANCE_PRECISION_EXCEEDED"
        if distance > spec.maximum_trailing:
            yield f"{start}PRICE_DISTANCE_MAXIMUM_EXCEEDED"
        if distance < spec.minimum_trailing:
            yield f"{start}PRICE_DISTANCE_MINIMUM_NOT_MET"
    else:
        if "price" in given and "distance" in given:
            yield f"{start}PRICE_AND_DISTANCE_BOTH_SPECIFIED"
        if "price" not in given and (kind == "TAKE_PROFIT" or "distance" not in given):
            yield f"{start}PRICE_MISSING"
        yield from price_reasons(spec, given.get("price"), f"{start}PRICE")
        yield from price_reasons(spec, given.get("distance"), f"{start}PRICE_DISTANCE")
    if kind == "GUARANTEED_STOP_LOSS" or given.get("guaranteed"):
        yield from _guaranteed(account, spec, given, prefix or "STOP_LOSS")
    yield from time_in_force(account, given, start)


def _guaranteed(account: Account, spec: Spec, given: Fields, prefix: str) -> Iterator[str]:
    if "DISABLED" in {spec.guaranteed_mode, account.settings.guaranteed_mode}:
        yield f"{prefix}_GUARANTEED_NOT_ALLOWED"
        return
    if account.settings.hedging and len({trade.units > 0 for trade in account.open_trades(spec.name)}) > 1:
        yield f"{prefix}_GUARANTEED_HEDGING_NOT_ALLOWED"
    if given.get("triggerCondition", "DEFAULT") != "DEFAULT":
        yield f"{prefix}_TRIGGER_CONDITION_INVALID"
    quote = account.market.get(spec.name)
    distance = given.get("distance")
    if quote is not None and "price" in given:
        distance = min(abs(quote.bid - given["price"]), abs(quote.ask - given["price"]))
    if distance is not None and spec.guaranteed_distance is not None and distance < spec.guaranteed_distance:
        yield f"{prefix}_GUARANTEED_MINIMUM_DISTANCE_NOT_MET"


def fifo_clash(account: Account, instrument: str, size: Decimal, apart_from: int | None = None) -> bool:
    """Return whether a protected trade of the same size is open: what the rules of a US account forbid."""
    return any(
        abs(trade.units) == size and trade.id != apart_from and any(account.dependents(trade))
        for trade in account.open_trades(instrument)
    )
