"""The broker's whole truth out of its account. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from atrader.orders.model import OrderType, Side
from atrader.orders.states import OrderState
from broker_api.adapter import BrokerAccount, BrokerOrder, BrokerTrade, OrderReport, Snapshot
from broker_api.oanda.codec import Fields
from broker_api.oanda.ids import OrderIds, magic_of, ours
from broker_api.oanda.terms import AccountTerms
from broker_api.oanda.values import symbol_of

_ZERO: Final = Decimal(0)
_TYPES: Final[dict[str, OrderType]] = {"LIMIT": "limit", "STOP": "stop", "MARKET_IF_TOUCHED": "stop"}
_STOPS: Final = ("STOP_LOSS", "GUARANTEED_STOP_LOSS")


def snapshot_of(account: Fields, watermark: int, ids: OrderIds, terms: AccountTerms, now_ns: int) -> Snapshot:
    """Return the snapshot of an account as it was at a transaction.

    Parameters
    ----------
    account : Fields
        The full account: with its orders, trades and positions.
    watermark : int
        The last transaction that is in it.
    ids : OrderIds
        Whose orders are, where the broker cannot carry that.
    """
    protection = {item.text("id"): item for item in account.each("orders") if item.text("tradeID")}
    return Snapshot(
        watermark=watermark,
        account=money_of(account, now_ns),
        orders=tuple(_orders(account, ids, terms)),
        trades=tuple(trade_of(item, protection) for item in account.each("trades")) if terms.hedging else (),
        net_units=dict(_net_units(account)),
    )


def money_of(account: Fields, now_ns: int) -> BrokerAccount:
    """Return the money of an account or its summary."""
    balance = account.amount("balance") or _ZERO
    equity = account.amount("NAV")
    return BrokerAccount(
        currency=account.text("currency"),
        balance=balance,
        equity=balance if equity is None else equity,
        margin_used=account.amount("marginUsed") or _ZERO,
        time_ns=now_ns,
    )


def trade_of(item: Fields, protection: dict[str, Fields]) -> BrokerTrade:
    """Return an open ticket.

    Parameters
    ----------
    item : Fields
        The trade, with the ids of its protective orders.
    protection : dict of str to Fields
        Protective orders by their ids.
    """
    orders = [protection[name] for name in _protective_ids(item) if name in protection]
    units = item.amount("currentUnits") or _ZERO
    extensions = item.within("clientExtensions")
    fixed = next((order.amount("price") for order in orders if order.text("type") in _STOPS), None)
    trailing = next((order for order in orders if order.text("type") == "TRAILING_STOP_LOSS"), Fields({}))
    return BrokerTrade(
        broker_trade_id=item.text("id"),
        client_id=extensions.text("id") or None,
        magic=magic_of(extensions.text("tag")),
        instrument=symbol_of(item.text("instrument")),
        side=_side(units),
        units=abs(units),
        open_price=item.amount("price") or _ZERO,
        open_time_ns=item.time_ns("openTime"),
        stop_loss=_nearer(_side(units), fixed, trailing.amount("trailingStopValue")),
        take_profit=next((order.amount("price") for order in orders if order.text("type") == "TAKE_PROFIT"), None),
        trailing_distance=trailing.amount("distance"),
    )


def terms_of_order(item: Fields, client_id: str) -> BrokerOrder | None:
    """Return what a working order of the broker would be as one of ours; None for kinds that we never send."""
    units, price = item.amount("units"), item.amount("price")
    kind = _TYPES.get(item.text("type"))
    if kind is None or not units or price is None:
        return None
    return BrokerOrder(
        client_id=client_id,
        magic=magic_of(item.within("clientExtensions").text("tag")) or 0,
        instance="",
        instrument=symbol_of(item.text("instrument")),
        side=_side(units),
        order_type=kind,
        units=abs(units),
        price=price,
        expires_ns=item.time_ns("gtdTime") or None,
        reduce_only=item.text("positionFill") == "REDUCE_ONLY",
        stop_loss=(item.within("stopLossOnFill") or item.within("guaranteedStopLossOnFill")).amount("price"),
        take_profit=item.within("takeProfitOnFill").amount("price"),
        trailing_distance=item.within("trailingStopLossOnFill").amount("distance"),
    )


def _orders(account: Fields, ids: OrderIds, terms: AccountTerms) -> Iterator[OrderReport]:
    for item in account.each("orders"):
        if item.text("tradeID") or item.text("clientTradeID"):
            continue  # protection: it belongs to its ticket
        broker_id = item.text("id")
        client_id = item.within("clientExtensions").text("id")
        if not client_id and terms.anonymous:
            client_id = ids.of_journal(broker_id) or ""
        if ours(client_id):
            ids.learn(broker_id, client_id)
        yield OrderReport(
            transaction_id=int(broker_id) if broker_id.isdigit() else 0,
            time_ns=item.time_ns("createTime"),
            client_id=client_id,
            broker_id=broker_id,
            state=OrderState.WORKING,
            terms=terms_of_order(item, client_id),
        )


def _net_units(account: Fields) -> Iterator[tuple[str, Decimal]]:
    for item in account.each("positions"):
        long, short = item.within("long").amount("units"), item.within("short").amount("units")
        net = (long or _ZERO) + (short or _ZERO)
        if net:
            yield symbol_of(item.text("instrument")), net


def _protective_ids(item: Fields) -> Iterator[str]:
    for name in ("stopLoss", "guaranteedStopLoss", "takeProfit", "trailingStopLoss"):
        if identity := item.text(f"{name}OrderID"):
            yield identity


def _nearer(side: Side, fixed: Decimal | None, trailing: Decimal | None) -> Decimal | None:
    """Return the stop that fires first."""
    if fixed is None or trailing is None:
        return fixed if trailing is None else trailing
    return max(fixed, trailing) if side == "buy" else min(fixed, trailing)


def _side(units: Decimal) -> Side:
    return "buy" if units >= 0 else "sell"
