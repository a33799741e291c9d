"""``atrader backtest check``: what a request means for the checks of a strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import numpy as np

from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import ConfigError, StrategyError
from atrader.instruments import known_instrument
from atrader.strategy import EventStrategy, SignalStrategy
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from manager.backtests.loading import load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from manager.backtests.starting import maker_of
from research.checking import Report, check_events, check_signals
from research.events.plan import Progress, SeriesKey

_RUN_UP: Final = 2  # samples that an event strategy trades before the sample, where the period is not said


def check_request(request: Request, sample: int, progress: Progress | None = None) -> Report:
    """Check the strategy of a request with one instance.

    Blocks until it is done; writes nothing, and may be repeated.

    Parameters
    ----------
    sample : int
        How many bars at the end of the period are looked at closely.

    Raises
    ------
    ConfigError
        When strategy, parameters or bars are not as they must be, or the strategy cannot be checked.
    StrategyError
        When the strategy fails.
    StoreError
        When the store cannot be read.
    """
    (config,) = request.instances
    if config.strategy == ONE_PROCESS_EACH:
        raise ConfigError(
            f"{config.name}: a C library keeps what it remembers to itself: compare it with its tester instead"
            " (atrader backtest --ctester)"
        )
    home = Home(Path(request.root))
    fleet = load_fleet(home.root)
    make = maker_of(config, request, fleet)
    strategy = make()
    with open_market(home, fleet) as market:
        plan = load_plan(request, [(config, strategy)], fleet, market)
        key = SeriesKey(config.instrument, config.timeframe)
        bars = plan.series[key]
        if isinstance(strategy, EventStrategy) and request.start_ns is None:
            first = max(0, len(bars) - (1 + _RUN_UP) * sample)
            request = replace(request, start_ns=int(bars.open_time_ns[first]))
            plan = load_plan(request, [(config, strategy)], fleet, market)
    if request.start_ns is not None:
        sample = min(sample, len(bars) - int(np.searchsorted(bars.open_time_ns, request.start_ns)))
    try:
        if isinstance(strategy, SignalStrategy):
            instrument = known_instrument(config.instrument, fleet.instruments)
            timeframe, calendar = Timeframe.parse(config.timeframe), plan.calendar_of(config.instrument)
            return check_signals(strategy, bars, instrument, timeframe, calendar, sample=sample, progress=progress)
        return check_events(plan, cast(Callable[[], EventStrategy], make), sample=sample, progress=progress)
    except (ConfigError, StrategyError) as error:
        raise type(error)(f"{config.name}: {error.message}") from error
