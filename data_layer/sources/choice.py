"""The sources and the screener that a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.fleet import FleetConfig
from data_layer.sources.screener import Screener
from data_layer.sources.source import BarSource


class Sources(NamedTuple):
    """What brings history.

    Attributes
    ----------
    bars : tuple of BarSource
        In the order of the configuration.
    live : frozenset of str
        Names of those whose new bars are the live ones.
    screener : Screener, optional
        Picks instruments to keep; shares its connections with the source of its name.
    """

    bars: tuple[BarSource, ...]
    live: frozenset[str]
    screener: Screener | None


def make_sources(fleet: FleetConfig, calendar_of: Callable[[str], Calendar], clock: Clock) -> Sources:
    """Make the sources; nobody is asked for anything yet."""
    if not fleet.sources:
        return Sources((), frozenset(), None)
    # httpx costs 50 ms at each start of a data layer: only where it is used.
    from data_layer.sources.http_candles import HttpCandleSource
    from data_layer.sources.http_client import HttpService
    from data_layer.sources.http_screener import HttpScreenerSource
    from data_layer.sources.instrument_keys import InstrumentKeys

    bars: list[BarSource] = []
    screener: Screener | None = None
    for name, config in fleet.sources.items():
        service = HttpService(name, config, clock)
        keys = InstrumentKeys(config, fleet.instruments)
        bars.append(HttpCandleSource(name, config, service, keys, calendar_of, clock))
        if config.screener is not None and name == fleet.data.backfill.screener:
            screener = HttpScreenerSource(config.screener, service, keys)
    return Sources(tuple(bars), frozenset(name for name, one in fleet.sources.items() if one.live), screener)
