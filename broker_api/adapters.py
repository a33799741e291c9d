"""The seam for brokers: which adapter an account's ``broker`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import ConfigError
from atrader.instruments import Instrument, known_instrument
from atrader.price_accounts import PriceAccounts
from broker_api.adapter import Adapter
from broker_api.paper import PaperAdapter


def traded_instruments(account: AccountConfig, installation: Installation) -> dict[str, Instrument]:
    """Return what a paper account trades: what the market feed or its instances name, and the rates these need."""
    fleet = installation.fleet
    symbols = dict.fromkeys(fleet.market.instruments)
    symbols |= dict.fromkeys(
        item.instrument for item in installation.instances.values() if item.account == account.name
    )
    if fleet.market.feed == "none" and account.enabled:
        symbols |= dict.fromkeys(sorted(PriceAccounts.of(installation).rates_of(account.name)))
    return {symbol: known_instrument(symbol, fleet.instruments) for symbol in symbols}


def _paper(account: AccountConfig, installation: Installation, home: Home, clock: Clock) -> Adapter:
    instruments = traded_instruments(account, installation)
    return PaperAdapter(account, home, instruments, clock, installation.fleet.calendar_of)


ADAPTERS: Mapping[str, Callable[[AccountConfig, Installation, Home, Clock], Adapter]] = {"paper": _paper}
"""Makers of adapters by the name of the broker."""


def make_adapter(account: AccountConfig, installation: Installation, home: Home, clock: Clock) -> Adapter:
    """Make the adapter of an account; nothing is connected yet.

    Raises
    ------
    ConfigError
        When no adapter of that name is installed.
    """
    maker = ADAPTERS.get(account.broker)
    if maker is None:
        raise ConfigError(
            f"etc/accounts/{account.name}.toml: broker: {account.broker!r} is not known, only {', '.join(ADAPTERS)}"
        )
    return maker(account, installation, home, clock)
