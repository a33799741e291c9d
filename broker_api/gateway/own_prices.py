"""Prices of an account whose broker has them: which instruments the gateway brings, and which it hears of."""

from __future__ import annotations

from collections.abc import Collection

from atrader.clock import Clock
from atrader.configuration.fleet import Installation
from atrader.errors import ConfigError
from atrader.price_accounts import PriceAccounts
from broker_api.gateway.core import Gateway
from broker_api.gateway.market import Market
from broker_api.gateway.price_feed import PriceFeed, Push
from broker_api.prices import Quoting


class OwnPrices:
    """Prices of the account's broker.

    It brings what the configuration gives to this account, and what the account holds open when nobody else brings
    that. All other instruments of the account it hears of from the data layer.

    Parameters
    ----------
    adapter : Quoting
        Whose prices they are.
    push : Push
        The way to the data layer.
    clock : Clock
        The host's.
    """

    def __init__(
        self,
        gateway: Gateway,
        adapter: Quoting,
        market: Market,
        installation: Installation,
        push: Push,
        clock: Clock,
    ) -> None:
        self._gateway = gateway
        self._market = market
        self._installation = installation
        self._clock = clock
        self._accounts = PriceAccounts.of(installation)
        self._given = self._accounts.brought_by(gateway.account.name)
        self._told: set[str] = set()
        self.feed = PriceFeed(adapter.prices, market.own, push, self._is_open, gateway.alerts, clock)

    def configure(self, instruments: Collection[str]) -> None:
        """Bring these instruments from now on, as the configuration says."""
        self._given = frozenset(instruments)
        self._choose()

    async def run(self) -> None:
        """Bring prices, until cancelled; begins when the broker was reached for the first time."""
        await self._gateway.online.wait()
        self._choose()
        await self.feed.run()

    def remind(self) -> None:
        """Choose again, as trades were opened and closed; tell the data layer the last prices."""
        if self._gateway.valuation.instruments:
            self._choose()
        self.feed.remind()

    def state(self) -> dict[str, object]:
        """Return how it goes, for the beat."""
        return self.feed.state()

    def _choose(self) -> None:
        known = self._gateway.valuation.instruments.keys()
        held = {trade.instrument for trade in self._gateway.book.ledger.open_trades()}
        brought = (self._given | {symbol for symbol in held if self._is_ours(symbol)}) & known
        self._market.listen(known - brought)
        self.feed.bring(brought)
        for symbol in self._traded() - known - self._told:
            self._told.add(symbol)
            text = f"the broker of account {self._gateway.account.name} has no {symbol}: nobody brings its prices"
            self._gateway.alerts.alert("not-quoted", text, instrument=symbol)

    def _is_ours(self, symbol: str) -> bool:
        return self._accounts.account_of(symbol) in (None, self._gateway.account.name)

    def _traded(self) -> set[str]:
        """Return what somebody wants to trade or see by this account's prices; rates of exchange may be missing."""
        wanted = {one.instrument for one in self._installation.instances.values() if one.enabled}
        return (wanted | set(self._installation.fleet.market.instruments)) & self._given

    def _is_open(self, symbol: str) -> bool:
        try:
            calendar = self._installation.fleet.calendar_of(symbol)
        except ConfigError:
            return False  # held by hand, and known to the broker only
        return calendar.is_open(self._clock.now_ns())
