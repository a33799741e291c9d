"""What the journal of an account says while nobody answers for it."""

from __future__ import annotations

from dataclasses import replace

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.ledger import FOREIGN_MAGIC
from atrader.messages.account import AccountView, TradeView
from atrader.trading_state_file import TradingStates
from broker_api.gateway.holdings import exposures, orphans_among
from broker_api.journal.looking import looking_into


def account_from_journal(home: Home, installation: Installation, name: str) -> AccountView:
    """Return what was on disk at the journal's last entry; the broker may know more by now.

    Raises
    ------
    StoreError
        When there is no journal, or it cannot be read.
    """
    account = installation.accounts[name]
    with looking_into(home.journal(name)) as journal:
        trades, orders = journal.open_trades(), tuple(entry.order for entry in journal.open_orders())
        watermark, time_ns = int(journal.meta("watermark") or 0), journal.newest_ns()
    own = [trade for trade in trades if trade.magic != FOREIGN_MAGIC]
    configured = {item.magic for item in installation.instances.values() if item.account == name}
    return AccountView(
        name=name,
        source="journal",
        time_ns=time_ns,
        broker=account.broker,
        session=account.session,
        currency=account.currency,
        trading_state=replace(TradingStates.load(home.trading_states), stopping=False).effective(name),
        exposures=tuple(exposures(trades, None, account.currency_digits)),
        trades=tuple(TradeView(trade=trade, floating=None) for trade in own),
        foreign=tuple(TradeView(trade=trade, floating=None) for trade in trades if trade.magic == FOREIGN_MAGIC),
        orders=orders,
        orphans=orphans_among(own, orders, configured),
        watermark=watermark,
    )
