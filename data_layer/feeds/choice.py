"""Which feed a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from atrader.clock import SteadyClock, SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.instruments import known_instrument
from atrader.market import SELECTION_PHASE
from atrader.runtime.spec import gateway_name, worker_name
from data_layer.feeds.feed import Feed
from data_layer.feeds.replay import ReplayFeed
from data_layer.feeds.replay_position import ReplayPosition
from data_layer.feeds.synthetic import SyntheticFeed


def make_feed(installation: Installation) -> Feed | None:
    """Return the feed of the configuration, or None when brokers bring the prices.

    Raises
    ------
    ConfigError
        When an instrument is not known.
    """
    market = installation.fleet.market
    if market.feed == "none":
        return None
    if market.feed == "synthetic":
        instruments = tuple(known_instrument(name, installation.fleet.instruments) for name in market.instruments)
        return SyntheticFeed(market.synthetic, instruments, installation.fleet.calendar_of, SteadyClock(SystemClock()))
    gateways = sorted(gateway_name(account.name) for account in installation.accounts.values() if account.enabled)
    enabled = [instance for instance in installation.instances.values() if instance.enabled]
    workers = sorted(worker_name(instance.name) for instance in enabled)
    if any(instance.selection is not None for instance in enabled):
        workers.append(SELECTION_PHASE)  # after the workers, as live: they decide a bar while it is being judged
    replay = market.replay
    plan = "|".join((replay.source, replay.timeframe, str(replay.start), str(replay.end), *market.instruments))
    position = ReplayPosition(Home(Path(installation.home)).replay_position, plan)
    return ReplayFeed(replay, market.instruments, gateways, workers, position, SystemClock())
