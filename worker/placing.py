"""Where a configured strategy is to run, and whether what it looks at can be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from atrader.configuration.cross_checks import FLEET_FILE, instance_file
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.indicator_strategy import IndicatorStrategy
from atrader.instruments import KNOWN, known_instrument
from atrader.price_accounts import PriceAccounts
from atrader.strategy import Placement, Series, Strategy
from atrader.timeframes import Timeframe


def place(strategy: Strategy, installation: Installation, config: InstanceConfig) -> None:
    """Tell a strategy where it is to run.

    Raises
    ------
    ConfigError
        When it cannot run there, or what it looks at cannot be there; each line names the instance's file.
    """
    fleet, account = installation.fleet, installation.accounts[config.account]
    placement = Placement(
        root=Path(installation.home),
        instance=config.name,
        magic=config.magic,
        instrument=known_instrument(config.instrument, fleet.instruments),
        timeframe=config.timeframe,
        currency=account.currency,
        session=account.session,
        is_live=fleet.market.feed != "replay",
        instruments={**KNOWN, **fleet.instruments},
    )
    file = instance_file(config.name)
    try:
        strategy.prepare(placement)
        if isinstance(strategy, IndicatorStrategy):
            _ = strategy.bars_needed  # more than anybody keeps is refused here, not at its first bar
    except ConfigError as error:
        raise ConfigError("\n".join(f"{file}: {line}" for line in str(error).splitlines())) from error
    problems = [f"{file}: {line}" for one in strategy.other_series for line in _series_problems(one, installation)]
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


def _series_problems(series: Series, installation: Installation) -> Iterator[str]:
    fleet, symbol = installation.fleet, series.instrument
    if symbol not in fleet.instruments and symbol not in KNOWN:
        yield f"it looks at {symbol}, which nobody defines: write [instruments.{symbol!r}] in {FLEET_FILE}"
        return
    base = Timeframe.parse(fleet.data.base_timeframe)
    if series.bars and Timeframe.parse(series.timeframe).seconds % base.seconds:
        yield f"it looks at {symbol} {series.timeframe}: no multiple of data.base_timeframe ({base}) in {FLEET_FILE}"
    if not _is_fed(symbol, installation):
        yield f"it looks at {symbol}, which nobody quotes: add it to market.instruments in {FLEET_FILE}"


def _is_fed(symbol: str, installation: Installation) -> bool:
    fleet = installation.fleet
    if fleet.market.feed != "none":
        return symbol in fleet.market.instruments
    if any(source.live for source in fleet.sources.values()):
        return True  # which instruments it has is only known when it is asked
    prices = PriceAccounts.of(installation)
    return any(symbol in prices.brought_by(account) for account in prices.with_prices)
