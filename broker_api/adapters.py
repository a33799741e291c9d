"""The seam for brokers: which adapter an account's ``broker`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import ConfigError
from atrader.instruments import Instrument, known_instrument
from atrader.price_accounts import PriceAccounts
from broker_api.adapter import Adapter
from broker_api.gateway.budget import Budget
from broker_api.journal import Attribution
from broker_api.paper import PaperAdapter


class Surroundings(NamedTuple):
    """What an adapter may need of the gateway around it.

    Attributes
    ----------
    clock : Clock
        Market time.
    host_clock : Clock
        Time of the host: time-outs, pauses, ages.
    budget : Budget
        Of requests. The core takes one for each of its calls that asks the broker; the adapter takes one for every
        further request that it makes by itself.
    attribution : Attribution
        Tells from the journal whose an order is, where the broker cannot carry our ids.
    """

    installation: Installation
    home: Home
    clock: Clock
    host_clock: Clock
    budget: Budget
    attribution: Attribution


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


def _paper(account: AccountConfig, around: Surroundings) -> Adapter:
    installation = around.installation
    instruments = traded_instruments(account, installation)
    return PaperAdapter(account, around.home, instruments, around.clock, installation.fleet.calendar_of)


def _oanda(account: AccountConfig, around: Surroundings) -> Adapter:
    # Only where it is used: TLS and the parser of HTTP take time and memory at each start of a gateway.
    from broker_api.oanda.adapter import OandaAdapter

    instruments = around.installation.fleet.instruments
    return OandaAdapter(account, instruments, around.clock, around.host_clock, around.budget, around.attribution)


ADAPTERS: Mapping[str, Callable[[AccountConfig, Surroundings], Adapter]] = {"paper": _paper, "oanda": _oanda}
"""Makers of adapters by the name of the broker."""

_ASK_NOBODY: Final = frozenset({"paper"})  # they fill from our own quotes: there is nothing to ration


def make_budget(account: AccountConfig, host_clock: Clock) -> Budget:
    """Make the one request budget of an account."""
    return Budget(None if account.broker in _ASK_NOBODY else account.budget, host_clock)


def make_adapter(account: AccountConfig, around: Surroundings) -> Adapter:
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
    return maker(account, around)
