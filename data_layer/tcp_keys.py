"""The keys that the data layer needs to answer other hosts."""

from __future__ import annotations

from atrader.bus import CurveKeys
from atrader.configuration.fleet import BusConfig
from atrader.configuration.home import Home
from atrader.errors import ConfigError


def server_keys(home: Home, bus: BusConfig) -> CurveKeys | None:
    """Load the keys of ``bus.data_tcp``; None when it is not set.

    Raises
    ------
    ConfigError
        When a key is missing, malformed or readable by others.
    """
    if bus.data_tcp is None:
        return None
    keys = CurveKeys.load(home.root / bus.keys)
    if keys.server_secret is None:
        raise ConfigError(
            f"{home.root / bus.keys / 'server.secret'}: bus.data_tcp in etc/atrader.toml needs it;"
            " make keys with 'atrader-manager keys'"
        )
    return keys
