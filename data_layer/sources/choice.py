"""The sources and the screener that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from atrader.brokers import BROKERS
from atrader.clock import Clock
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.home import Home
from atrader.price_accounts import PriceAccounts
from data_layer.sources.gateway_candles import GatewayCandleSource
from data_layer.sources.screener import Screener
from data_layer.sources.source import BarSource


class Sources(NamedTuple):
    """What brings history.

    Attributes
    ----------
    bars : tuple of BarSource
        Services in the order of the configuration, then the brokers of accounts by name.
    live : frozenset of str
        Names of those whose new bars are the live ones.
    screener : Screener, optional
        Picks instruments to keep; shares its connections with the source of its name.
    """

    bars: tuple[BarSource, ...]
    live: frozenset[str]
    screener: Screener | None


def make_sources(installation: Installation, owner: Callable[[str], str | None], clock: Clock) -> Sources:
    """Make the sources; nobody is asked for anything yet.

    Parameters
    ----------
    owner : callable
        Returns the process name of the gateway that brings the prices of an instrument now, if one does.
    """
    services, screener = services_of(installation.fleet, clock)
    live = frozenset(name for name, one in installation.fleet.sources.items() if one.live)
    return Sources((*services, *_brokers(installation, owner)), live, screener)


def _brokers(installation: Installation, owner: Callable[[str], str | None]) -> Iterator[BarSource]:
    """Yield the brokers: each is asked about the instruments whose prices it brings or is to bring."""
    accounts = PriceAccounts.of(installation)

    def brings(account: str) -> Callable[[str], bool]:
        return lambda symbol: (owner(symbol) or f"gateway-{accounts.account_of(symbol)}") == f"gateway-{account}"

    home = Home(Path(installation.home))
    for name in accounts.with_prices:
        account = installation.accounts[name]
        timeframes = BROKERS[account.broker].timeframes
        if timeframes:
            yield GatewayCandleSource(home, account, timeframes, brings(name))


def services_of(fleet: FleetConfig, clock: Clock) -> tuple[list[BarSource], Screener | None]:
    """Make the sources that need no gateway, and the screener."""
    bars: list[BarSource] = []
    screener: Screener | None = None
    if not fleet.sources:
        return bars, screener
    # httpx costs 50 ms at each start of a data layer: only where it is used.
    from data_layer.sources.http_candles import HttpCandleSource
    from data_layer.sources.http_client import HttpService
    from data_layer.sources.http_screener import HttpScreenerSource
    from data_layer.sources.instrument_keys import InstrumentKeys

    for name, config in fleet.sources.items():
        service = HttpService(name, config, clock)
        keys = InstrumentKeys(config, fleet.instruments)
        bars.append(HttpCandleSource(name, config, service, keys, fleet.calendar_of, clock))
        if config.screener is not None and name == fleet.data.backfill.screener:
            screener = HttpScreenerSource(config.screener, service, keys)
    return bars, screener
