"""Trades that the venue closes itself: margin close-out, and closes that waited for the market."""

from __future__ import annotations

from tests.oanda_simulator import arithmetic
from tests.oanda_simulator.account import Account
from tests.oanda_simulator.closing import market_order
from tests.oanda_simulator.market import Quote
from tests.oanda_simulator.model import Trade
from tests.oanda_simulator.netting import Plan, plan_of_trade
from tests.oanda_simulator.values import Fields


def check(account: Account, quote: Quote) -> None:
    """Enter or leave a margin call, and close everything when the close-out percent reaches one."""
    if not _concerns(account, quote):
        return
    money = arithmetic.money_of(account)
    if money.margin_used and money.closeout_percent >= 1:
        _close_all(account)
        money = arithmetic.money_of(account)
    if money.margin_used <= money.nav:
        _leave_call(account)
    elif account.margin_call_since is None:
        account.margin_call_since = account.log.append("MARGIN_CALL_ENTER", {})["time"]


def _concerns(account: Account, quote: Quote) -> bool:
    """Return whether a price changes what the account is worth: it holds the instrument, or the price may convert."""
    held = account.held()
    if account.margin_call_since is not None or quote.instrument in held:
        return True
    home = account.settings.currency
    return any(account.market.specs[name].quote != home for name in held)


def _leave_call(account: Account) -> None:
    if account.margin_call_since is not None:
        account.margin_call_since = None
        account.log.append("MARGIN_CALL_EXIT", {})


def _close_all(account: Account) -> None:
    """Close every position that can be traded now; the rest follows with its next price."""
    for name in account.held():
        if not account.market.trades(name):
            continue
        for long in (True, False):
            trades = [trade for trade in account.open_trades(name) if trade.long == long]
            if trades:
                plan = Plan([(trade, -trade.units) for trade in trades])
                why: Fields = {"reason": "MARGIN_CLOSEOUT", "marginCloseout": {"reason": "MARGIN_CHECK_VIOLATION"}}
                with account.log.batch():
                    market_order(account, plan, why)


def delay_close(account: Account, trade: Trade, reason: str = "MARKET_HALTED") -> Fields:
    """Let the venue close a trade as soon as its instrument can be traded. Returns the transaction."""
    trade.state = "CLOSE_WHEN_TRADEABLE"
    entry = account.log.append("DELAYED_TRADE_CLOSURE", {"reason": reason, "tradeIDs": str(trade.id)})
    trade.delayed_by = entry["id"]
    return entry


def trade_delayed(account: Account, quote: Quote) -> None:
    """Close the trades that waited for this instrument."""
    if not quote.tradeable:
        return
    for trade in account.open_trades(quote.instrument):
        if trade.state == "CLOSE_WHEN_TRADEABLE":
            plan = plan_of_trade(trade, abs(trade.units))
            why: Fields = {
                "reason": "DELAYED_TRADE_CLOSE",
                "delayedTradeClose": {
                    "tradeID": str(trade.id),
                    "clientTradeID": trade.client_id,
                    "sourceTransactionID": trade.delayed_by,
                },
            }
            with account.log.batch():
                market_order(account, plan, why)
