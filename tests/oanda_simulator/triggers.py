"""When pending orders act: the price that triggers each, trailing stops, and what a trigger does."""

from __future__ import annotations

from decimal import Decimal

from tests.oanda_simulator import execution
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.expiry import cancel
from tests.oanda_simulator.ladder import Refused
from tests.oanda_simulator.market import Quote
from tests.oanda_simulator.model import DEPENDENT, Order
from tests.oanda_simulator.netting import plan_of, plan_of_trade

_WAITS = {"MARKET_HALTED", "INSTRUMENT_BID_HALTED", "INSTRUMENT_ASK_HALTED"}
_WAITS_AT_A_LIMIT = {"BOUNDS_VIOLATION", "INSUFFICIENT_LIQUIDITY"}


def trigger_price(quote: Quote, buys: bool, condition: str) -> Decimal:
    """Return the price that an order is compared with: by default ask for a buy and bid for a sell."""
    if condition == "MID":
        return quote.mid
    if condition in {"BID", "ASK"}:
        return quote.bid if condition == "BID" else quote.ask
    return quote.ask if buys != (condition == "INVERSE") else quote.bid


def run(account: Account, quote: Quote) -> None:
    """Let every pending order of the quote's instrument see a new price, oldest first."""
    if not quote.tradeable:
        return
    for order in account.pending(quote.instrument):
        if order.pending:
            see(account, order, quote)


def see(account: Account, order: Order, quote: Quote) -> None:
    """Let one pending order see a price; if that triggers it, it fills or is cancelled."""
    buys = not account.trades[order.trade_id].long if order.trade_id is not None else order.buys
    price = trigger_price(quote, buys, order.request["triggerCondition"])
    if order.type == "TRAILING_STOP_LOSS":
        _trail(account, order, price, buys)
    if _reached(order, price, buys):
        with account.log.batch():
            _act(account, order)


def _trail(account: Account, order: Order, price: Decimal, buys: bool) -> None:
    distance: Decimal = order.request["distance"]
    value = account.market.specs[order.instrument].price(price + distance if buys else price - distance)
    if order.trailing_value is None or (value < order.trailing_value if buys else value > order.trailing_value):
        order.trailing_value = value


def _reached(order: Order, price: Decimal, buys: bool) -> bool:
    level = order.trailing_value if order.type == "TRAILING_STOP_LOSS" else order.price
    if level is None:
        return False
    if order.type == "MARKET_IF_TOUCHED":
        return price >= level if order.rises else price <= level
    favourable = order.type in {"LIMIT", "TAKE_PROFIT"}
    return price <= level if buys == favourable else price >= level


def _act(account: Account, order: Order) -> None:
    limit = order.type in {"LIMIT", "TAKE_PROFIT"}
    bound = order.price if limit else order.request.get("priceBound")
    fixed = order.price if order.request.get("guaranteed") else None
    try:
        if order.trade_id is not None:
            trade = account.trades[order.trade_id]
            plan = plan_of_trade(trade, abs(trade.units))
        else:
            plan = plan_of(account, order.instrument, order.units, order.request["positionFill"])
        execution.fill(account, order, plan, _reason(order), bound, fixed_price=fixed)
    except Refused as refusal:
        reason = str(refusal)
        if reason in _WAITS or (reason in _WAITS_AT_A_LIMIT and (limit or order.type in DEPENDENT)):
            return
        cancel(account, order, reason)


def _reason(order: Order) -> str:
    if order.request.get("guaranteed"):
        return "GUARANTEED_STOP_LOSS_ORDER"
    return f"{order.type}_ORDER"
