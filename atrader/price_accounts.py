"""Which broker account brings the prices of an instrument. Pure.

Only one account brings the prices of an instrument: two connections to one broker see different quotes, and two brokers
have different markets. In this order:

1. ``market.price_accounts`` names the account of an instrument;
2. ``market.price_account`` names the account of all others;
3. the account on which enabled strategies trade it;
4. the only account whose broker has prices;
5. of several, for rates of exchange only: the first by name of those that need the rate.

Accounts without prices of their own (paper) never bring any; they use those of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from atrader.brokers import BROKERS
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN, Instrument

PRICE_ACCOUNT: Final = "market.price_account"
PRICE_ACCOUNTS: Final = "market.price_accounts"


class PriceAccounts:
    """Answers for one configuration.

    Parameters
    ----------
    fleet : FleetConfig
    accounts : mapping of str to AccountConfig
    instances : mapping of str to InstanceConfig
        What was read; references among them may still be wrong.
    """

    def __init__(
        self, fleet: FleetConfig, accounts: Mapping[str, AccountConfig], instances: Mapping[str, InstanceConfig]
    ) -> None:
        self._fleet = fleet
        self._accounts = {name: one for name, one in sorted(accounts.items()) if one.enabled}
        self._instances = [one for one in instances.values() if one.enabled and one.account in self._accounts]
        with_prices = [name for name, one in self._accounts.items() if has_prices(one)]
        self.with_prices: tuple[str, ...] = tuple(with_prices) if fleet.market.feed == "none" else ()

    @classmethod
    def of(cls, installation: Installation) -> PriceAccounts:
        """Answer for an installation."""
        return cls(installation.fleet, installation.accounts, installation.instances)

    def account_of(self, symbol: str) -> str | None:
        """Return the account that brings the prices of an instrument; None: nobody does, or it is not decided."""
        if not self.with_prices:
            return None
        market = self._fleet.market
        named = market.price_accounts.get(symbol) or market.price_account
        if named is not None:
            return named if named in self.with_prices else None
        found = self.traded_on(symbol) or self.with_prices
        if len(found) == 1:
            return found[0]
        needed = [name for name in self.with_prices if symbol in self.rates_of(name)]
        return needed[0] if needed and not self.traded_on(symbol) else None

    def traded_on(self, symbol: str) -> tuple[str, ...]:
        """Return the accounts with prices on which enabled strategies trade an instrument, by name."""
        found = {one.account for one in self._instances if one.instrument == symbol}
        return tuple(name for name in self.with_prices if name in found)

    def brought_by(self, account: str) -> frozenset[str]:
        """Return the instruments whose prices an account brings, as far as anybody needs them.

        Rates of exchange may be among them that its broker does not have, such as USD/EUR beside EUR/USD.
        """
        return frozenset(symbol for symbol in self._needed() if self.account_of(symbol) == account)

    def rates_of(self, account: str) -> frozenset[str]:
        """Return the instruments that may turn what an account trades into its currency; one of each pair is enough."""
        home = self._accounts[account].currency
        found = set[str]()
        for symbol in {one.instrument for one in self._instances if one.account == account}:
            instrument = find_instrument(self._fleet, symbol)
            if instrument is not None and instrument.quote != home:
                pair = (f"{instrument.quote}/{home}", f"{home}/{instrument.quote}")
                found.update(name for name in pair if find_instrument(self._fleet, name) is not None)
        return frozenset(found)

    def _needed(self) -> Iterator[str]:
        yield from {one.instrument for one in self._instances}
        yield from self._fleet.market.instruments
        yield from self._fleet.data.backfill.keep
        for account in self._accounts:
            yield from self.rates_of(account)


def has_prices(account: AccountConfig) -> bool:
    """Tell whether the broker of an account has prices of its own."""
    return BROKERS[account.broker].has_prices


def find_instrument(fleet: FleetConfig, symbol: str) -> Instrument | None:
    """Return an instrument of the configuration, or a built-in one."""
    return fleet.instruments.get(symbol) or KNOWN.get(symbol)
