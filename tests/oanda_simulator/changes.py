"""What changed in an account since a transaction, and its state that moves with prices."""

from __future__ import annotations

from tests.oanda_simulator import arithmetic, views
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.arithmetic import ZERO
from tests.oanda_simulator.model import KINDS, Order
from tests.oanda_simulator.triggers import trigger_price
from tests.oanda_simulator.values import Fields

_CREATES = {f"{kind}_ORDER" for kind in KINDS}


def changes(account: Account, since: int) -> Fields:
    """Return the nine lists of changes after a transaction. Raises `OutOfRange`."""
    entries = account.log.since(since)
    fills = [entry for entry in entries if entry["type"] == "ORDER_FILL"]
    opened = [fill["tradeOpened"]["tradeID"] for fill in fills if fill["tradeOpened"]]
    reduced = [fill["tradeReduced"]["tradeID"] for fill in fills if fill["tradeReduced"]]
    closed = [part["tradeID"] for fill in fills for part in fill["tradesClosed"] or ()]
    return {
        "ordersCreated": _orders(account, [entry["id"] for entry in entries if entry["type"] in _CREATES]),
        "ordersCancelled": _orders(account, [e["orderID"] for e in entries if e["type"] == "ORDER_CANCEL"]),
        "ordersFilled": _orders(account, [fill["orderID"] for fill in fills]),
        "ordersTriggered": [],
        "tradesOpened": _trades(account, opened),
        "tradesReduced": _trades(account, reduced),
        "tradesClosed": _trades(account, closed),
        "positions": [views.position(account, name) for name in sorted({fill["instrument"] for fill in fills})],
        "transactions": entries,
    }


def _orders(account: Account, ids: list[str]) -> list[Fields]:
    return [account.orders[int(number)].fields() for number in dict.fromkeys(ids)]


def _trades(account: Account, ids: list[str]) -> list[Fields]:
    return [views.trade_summary(account, account.trades[int(number)]) for number in dict.fromkeys(ids)]


def state(account: Account) -> Fields:
    """Return what moves with prices: money, trailing stops, profits."""
    return {
        **arithmetic.money_of(account).fields(),
        "orders": [_order_state(account, order) for order in account.pending()],
        "trades": [
            {
                "id": str(trade.id),
                "unrealizedPL": arithmetic.unrealized(account, trade),
                "marginUsed": arithmetic.margin_of(account, trade.instrument, trade.units),
            }
            for trade in account.open_trades()
        ],
        "positions": [_position_state(account, name) for name in account.held()],
    }


def _order_state(account: Account, order: Order) -> Fields:
    trade = account.trades[order.trade_id] if order.trade_id is not None else None
    quote = account.market.get(order.instrument)
    level = order.trailing_value if order.trailing_value is not None else order.price
    distance = None
    if quote is not None and level is not None:
        buys = not trade.long if trade else order.buys
        distance = abs(trigger_price(quote, buys, order.request["triggerCondition"]) - level)
    return {
        "id": str(order.id),
        "trailingStopValue": order.trailing_value,
        "triggerDistance": distance,
        "isTriggerDistanceExact": True,
    }


def _position_state(account: Account, instrument: str) -> Fields:
    profit = {True: ZERO, False: ZERO}
    for trade in account.open_trades(instrument):
        profit[trade.long] += arithmetic.unrealized(account, trade)
    return {
        "instrument": instrument,
        "netUnrealizedPL": profit[True] + profit[False],
        "longUnrealizedPL": profit[True],
        "shortUnrealizedPL": profit[False],
        "marginUsed": arithmetic.margin_used(account, instrument),
    }
