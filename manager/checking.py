"""Checks an installation as a whole: what its files say, and whether every strategy can run where it is to run."""

from __future__ import annotations

from typing import Any, NamedTuple

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import ConfigError
from data_layer.tcp_keys import server_keys
from worker.loading import load_strategy, make_strategy
from worker.placing import place


class Checked(NamedTuple):
    """What came of it.

    Attributes
    ----------
    fleet : list of str
        Problems of the installation as a whole.
    instances : dict of str to str
        Problems of instances that cannot run, by name.
    rows : list of dict
        What each of the others is.
    """

    fleet: list[str]
    instances: dict[str, str]
    rows: list[dict[str, Any]]

    @property
    def problems(self) -> list[str]:
        """All of them."""
        return [*self.fleet, *self.instances.values()]


def check_installation(home: Home, installation: Installation) -> Checked:
    """Load every strategy without starting anything."""
    found = Checked([], {}, [])
    try:
        server_keys(home, installation.fleet.bus)
    except ConfigError as error:
        found.fleet.append(str(error))
    for instance in installation.instances.values():
        try:
            kind = load_strategy(instance.strategy, home.root)
            strategy = make_strategy(kind, instance.parameters, f"etc/strategies/{instance.name}.toml")
            place(strategy, installation, instance)
        except ConfigError as error:
            found.instances[instance.name] = str(error)
            continue
        found.rows.append(
            {
                "instance": instance.name,
                "strategy": instance.strategy,
                "account": instance.account,
                "magic": instance.magic,
                "instrument": instance.instrument,
                "timeframe": instance.timeframe,
                "warmup_bars": instance.warmup_bars or strategy.warmup_bars,
                "enabled": instance.enabled,
            }
        )
    return found
