"""Which clock the trading parts of a process follow."""

from __future__ import annotations

from atrader.clock import MarketClock, SystemClock
from atrader.configuration.fleet import Installation


def market_clock(installation: Installation) -> SystemClock | MarketClock:
    """Return the clock of the market: in a replay one that follows the data, else the host's.

    Sockets, beats and restarts always follow the host's.
    """
    return MarketClock() if installation.fleet.market.feed == "replay" else SystemClock()
