"""How the venue shows accounts, trades and positions."""

from __future__ import annotations

from decimal import Decimal

from tests.oanda_simulator import arithmetic
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.arithmetic import ZERO
from tests.oanda_simulator.model import DEPENDENT, Trade
from tests.oanda_simulator.values import Fields


def summary(account: Account) -> Fields:
    """Return the summary of an account."""
    settings = account.settings
    money = arithmetic.money_of(account)
    return {
        "id": account.id,
        "alias": account.alias,
        "currency": settings.currency,
        "balance": account.balance,
        "createdByUserID": account.user_id,
        "createdTime": account.created,
        "guaranteedStopLossOrderMode": settings.guaranteed_mode,
        "pl": account.pl,
        "resettablePL": account.pl,
        "resettablePLTime": account.created,
        "financing": account.financing,
        "commission": ZERO,
        "dividendAdjustment": account.dividends,
        "guaranteedExecutionFees": account.guaranteed_fees,
        "marginRate": account.margin_rate,
        "marginCallEnterTime": account.margin_call_since,
        "openTradeCount": len(account.open_trades()),
        "openPositionCount": len(account.held()),
        "pendingOrderCount": len(account.pending()),
        "hedgingEnabled": settings.hedging,
        "lastOrderFillTimestamp": account.last_fill,
        **money.fields(),
        "lastTransactionID": str(account.log.last_id),
    }


def whole(account: Account) -> Fields:
    """Return everything of an account: its summary with trades, positions and orders."""
    return {
        **summary(account),
        "trades": [trade_summary(account, trade) for trade in account.open_trades()],
        "positions": positions(account),
        "orders": [order.fields() for order in account.pending()],
    }


def _trade(account: Account, trade: Trade) -> Fields:
    spec = account.market.specs[trade.instrument]
    average = trade.average_close()
    return {
        "id": str(trade.id),
        "instrument": trade.instrument,
        "price": trade.price,
        "openTime": trade.opened,
        "state": trade.state,
        "initialUnits": spec.units(trade.initial_units),
        "initialMarginRequired": trade.initial_margin,
        "currentUnits": spec.units(trade.units),
        "realizedPL": trade.realized,
        "financing": trade.financing,
        "dividendAdjustment": trade.dividends,
        "unrealizedPL": arithmetic.unrealized(account, trade) if trade.open else None,
        "marginUsed": arithmetic.margin_of(account, trade.instrument, trade.units) if trade.open else None,
        "averageClosePrice": spec.price(average) if average is not None else None,
        "closingTransactionIDs": trade.closing_ids or None,
        "closeTime": trade.closed,
        "clientExtensions": trade.extensions,
    }


def trade_summary(account: Account, trade: Trade) -> Fields:
    """Return a trade with the ids of its pending dependent orders."""
    orders = {f"{DEPENDENT[order.type]}OrderID": str(order.id) for order in account.dependents(trade)}
    return {**_trade(account, trade), **orders}


def trade_full(account: Account, trade: Trade) -> Fields:
    """Return a trade with its pending dependent orders."""
    orders = {f"{DEPENDENT[order.type]}Order": order.fields() for order in account.dependents(trade)}
    return {**_trade(account, trade), **orders}


def traded_instruments(account: Account) -> list[str]:
    """Return the instruments in which the account ever held a position."""
    return sorted({trade.instrument for trade in account.trades.values()})


def positions(account: Account, only_open: bool = False) -> list[Fields]:
    """Return the positions of an account, by default also those that are flat now."""
    names = account.held() if only_open else traded_instruments(account)
    return [position(account, name) for name in names]


def position(account: Account, instrument: str) -> Fields:
    """Return one position."""
    sides = {name: _side(account, instrument, long) for name, long in (("long", True), ("short", False))}
    return {
        "instrument": instrument,
        "pl": sides["long"]["pl"] + sides["short"]["pl"],
        "resettablePL": sides["long"]["pl"] + sides["short"]["pl"],
        "financing": sides["long"]["financing"] + sides["short"]["financing"],
        "commission": ZERO,
        "dividendAdjustment": ZERO,
        "guaranteedExecutionFees": ZERO,
        "unrealizedPL": sides["long"]["unrealizedPL"] + sides["short"]["unrealizedPL"],
        "marginUsed": arithmetic.margin_used(account, instrument),
        **sides,
    }


def _side(account: Account, instrument: str, long: bool) -> Fields:
    spec = account.market.specs[instrument]
    trades = [trade for trade in account.open_trades(instrument) if trade.long == long]
    units = sum((trade.units for trade in trades), Decimal(0))
    value = sum((trade.units * trade.price for trade in trades), Decimal(0))
    pl = account.realized_by.get((instrument, long), ZERO)
    return {
        "units": spec.units(units),
        "averagePrice": spec.price(value / units) if units else None,
        "tradeIDs": [str(trade.id) for trade in trades] or None,
        "pl": pl,
        "resettablePL": pl,
        "financing": account.financed_by.get((instrument, long), ZERO),
        "dividendAdjustment": ZERO,
        "guaranteedExecutionFees": ZERO,
        "unrealizedPL": sum((arithmetic.unrealized(account, trade) for trade in trades), ZERO),
    }
