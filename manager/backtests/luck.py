"""``atrader backtest luck``: what a request means for the draws."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import ConfigError, StrategyError
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from manager.backtests.loading import load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from manager.backtests.starting import maker_of
from research.luck import Luck, Progress, luck_of


def luck_of_request(
    request: Request, *, draws: int, permutations: int, seed: int, progress: Progress | None = None
) -> Luck:
    """Run the strategy of a request with one instance, and look at what else could have come of it.

    With permutations the bars that the strategy decides at are played, whatever finer ones there are. Blocks until it
    is done; writes nothing, and may be repeated.

    Raises
    ------
    ConfigError
        When strategy, parameters or bars are not as they must be, or the bars cannot be put into another order.
    StrategyError
        When the strategy fails.
    StoreError
        When the store cannot be read.
    """
    (config,) = request.instances
    if config.strategy == ONE_PROCESS_EACH:
        raise ConfigError(f"{config.name}: a C library runs once in a process, and cannot be run over and over here")
    if permutations:
        if not Timeframe.parse(config.timeframe).is_fixed:
            raise ConfigError(
                f"{config.name}: {config.timeframe} bars are too long to be played: give --permutations 0, or a shorter"
                " --timeframe"
            )
        request = replace(request, quotes=config.timeframe)
    home = Home(Path(request.root))
    fleet = load_fleet(home.root)
    make = maker_of(config, request, fleet)
    with open_market(home, fleet) as market:
        plan = load_plan(request, [(config, make())], fleet, market)
    try:
        return luck_of(plan, make, draws=draws, permutations=permutations, seed=seed, progress=progress)
    except (ConfigError, StrategyError) as error:
        raise type(error)(f"{config.name}: {error.message}") from error
