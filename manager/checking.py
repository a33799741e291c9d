"""Checks an installation as a whole: what its files say, and whether every strategy can run where it is to run."""

from __future__ import annotations

from typing import Any

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import ConfigError
from data_layer.tcp_keys import server_keys
from worker.loading import load_strategy, make_strategy
from worker.placing import place


def check_installation(home: Home, installation: Installation) -> tuple[list[str], list[dict[str, Any]]]:
    """Load every strategy without starting anything.

    Returns
    -------
    tuple of (list of str, list of dict)
        Problems, each naming its file; and what each instance without one is.
    """
    problems: list[str] = []
    rows = []
    try:
        server_keys(home, installation.fleet.bus)
    except ConfigError as error:
        problems.append(str(error))
    for instance in installation.instances.values():
        try:
            kind = load_strategy(instance.strategy, home.root)
            strategy = make_strategy(kind, instance.parameters, f"etc/strategies/{instance.name}.toml")
            place(strategy, installation, instance)
        except ConfigError as error:
            problems.append(str(error))
            continue
        rows.append(
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
    return problems, rows
