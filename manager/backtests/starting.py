"""Strategies of a request, told where they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.instruments import KNOWN, known_instrument
from atrader.strategy import Placement, Strategy
from manager.backtests.request import Request
from worker.loading import load_strategy, make_strategy


def placement_of(config: InstanceConfig, request: Request, fleet: FleetConfig) -> Placement:
    """Return where an instance runs: in no market time of the day."""
    return Placement(
        root=Path(request.root),
        instance=config.name,
        magic=config.magic,
        instrument=known_instrument(config.instrument, fleet.instruments),
        timeframe=config.timeframe,
        currency=request.account.currency,
        session="gateway",
        is_live=False,
        instruments={**KNOWN, **fleet.instruments},
    )


def placed(config: InstanceConfig, request: Request, fleet: FleetConfig) -> Strategy:
    """Return the strategy of an instance, prepared.

    Raises
    ------
    ConfigError
        When there is none of that name, or its parameters are wrong.
    """
    return maker_of(config, request, fleet)()


def maker_of(config: InstanceConfig, request: Request, fleet: FleetConfig) -> Callable[..., Strategy]:
    """Return what makes the strategy of an instance, prepared, as often as it is called; its module is read once.

    It takes other parameters than those of the configuration, or none.

    Raises
    ------
    ConfigError
        When there is none of that name. The maker raises it when its parameters are wrong.
    """
    kind = load_strategy(config.strategy, Path(request.root))
    placement = placement_of(config, request, fleet)

    def make(parameters: Mapping[str, object] | None = None) -> Strategy:
        strategy = make_strategy(kind, config.parameters if parameters is None else parameters, config.name)
        try:
            strategy.prepare(placement)
        except ConfigError as error:
            raise ConfigError("\n".join(f"{config.name}: {line}" for line in str(error).splitlines())) from error
        return strategy

    return make
