"""The account as people look at it: everything the gateway knows, in one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atrader.bus import Caller, Handler
from atrader.clock import NS_PER_S, Clock
from atrader.ledger import FOREIGN_MAGIC
from atrader.messages.account import AccountView, BrokerMoney, GetAccountView, TradeView
from atrader.wire import Request
from broker_api.gateway.core import Gateway
from broker_api.gateway.holdings import exposures


class AccountViews:
    """Answers `GetAccountView`; reads only, and asks nobody.

    Parameters
    ----------
    gateway : Gateway
        Of the account.
    outbox_lag : callable
        Rows that the history does not have yet.
    host_clock : Clock
        Tells when the answer was true.
    """

    def __init__(self, gateway: Gateway, outbox_lag: Callable[[], int], host_clock: Clock) -> None:
        self._gateway = gateway
        self._outbox_lag = outbox_lag
        self._clock = host_clock

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {GetAccountView: self.view}

    def view(self, request: GetAccountView, caller: Caller) -> AccountView:
        """Show everything."""
        return self.current()

    def current(self) -> AccountView:
        """Return everything. Money is None until the broker told it for the first time: not to know is not zero."""
        gateway, account = self._gateway, self._gateway.account
        trades = gateway.book.ledger.open_trades()
        worth = gateway.valuation.worth(trades)
        breaks = gateway.reconciler.breaks
        known = bool(gateway.valuation.instruments)
        shown = [TradeView(trade=trade, floating=gateway.valuation.floating(trade)) for trade in trades]
        return AccountView(
            name=account.name,
            source="gateway",
            time_ns=self._clock.now_ns(),
            broker=account.broker,
            session=account.session,
            positions="hedging" if gateway.adapter.capabilities.hedging else "netting",
            currency=account.currency,
            trading_state=gateway.states.of_account(),
            online=gateway.online.is_set(),
            balance=worth.balance if known else None,
            equity=worth.equity if known else None,
            margin_used=worth.margin_used if known else None,
            margin_free=worth.equity - worth.margin_used if known else None,
            broker_says=_broker_says(gateway),
            unvalued=worth.unvalued,
            proof=gateway.proof() if known else None,
            breaks=tuple(f"{instrument}: {reason}" for instrument, reason in breaks.items()),
            exposures=tuple(exposures(trades, gateway.valuation, account.currency_digits)),
            trades=tuple(one for one in shown if one.trade.magic != FOREIGN_MAGIC),
            foreign=tuple(one for one in shown if one.trade.magic == FOREIGN_MAGIC),
            orders=gateway.book.open_orders(),
            orphans=gateway.orphans.found(),
            watermark=gateway.bookkeeper.watermark,
            outbox=self._outbox_lag(),
            budget=gateway.budget.state(),
            health=gateway.health(),
        )


def _broker_says(gateway: Gateway) -> BrokerMoney | None:
    told = gateway.reconciler.told
    if told is None:
        return None
    return BrokerMoney(
        balance=told.account.balance,
        equity=told.account.equity,
        margin_used=told.account.margin_used,
        age_s=max(0.0, (gateway.clock.now_ns() - gateway.reconciler.told_ns) / NS_PER_S),
    )
