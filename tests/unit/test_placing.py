"""What a strategy is told before anything is asked of it, and what is refused then."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig, Installation
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.indicator_strategy import IndicatorStrategy
from atrader.strategy import EventStrategy, Parameters, Placement, Series
from worker.placing import place


class Looking(EventStrategy):
    series: tuple[Series, ...] = ()
    refuses = ""
    placement: Placement | None = None

    def prepare(self, placement: Placement) -> None:
        self.placement = placement
        if self.refuses:
            raise ConfigError(self.refuses)

    @property
    def other_series(self) -> tuple[Series, ...]:
        return self.series


def installed(tmp_path: Path, **market: object) -> tuple[Installation, InstanceConfig]:
    account = AccountConfig.model_validate({"name": "a", "broker": "paper", "currency": "CHF"})
    config = InstanceConfig.model_validate(
        {"name": "i", "strategy": "x:Y", "account": "a", "magic": 7, "instrument": "EUR/USD", "timeframe": "1h"}
    )
    fleet = FleetConfig.model_validate({"market": {"feed": "synthetic", "instruments": ["EUR/USD"], **market}})
    home = Installation(home=str(tmp_path), fleet=fleet, accounts={"a": account}, instances={"i": config})
    return home, config


def test_a_strategy_learns_where_it_runs_before_it_is_asked_what_it_looks_at(tmp_path: Path) -> None:
    strategy = Looking(Parameters())
    place(strategy, *installed(tmp_path))
    told = strategy.placement
    assert told is not None
    assert (told.root, told.magic, told.currency, told.is_live) == (tmp_path, 7, "CHF", True)
    assert told.instrument.symbol == "EUR/USD"
    assert "USD/JPY" in told.instruments


def test_a_replay_is_not_live(tmp_path: Path) -> None:
    strategy = Looking(Parameters())
    place(strategy, *installed(tmp_path, feed="replay"))
    assert strategy.placement is not None
    assert not strategy.placement.is_live


def test_what_a_strategy_refuses_is_told_with_its_file_in_each_line(tmp_path: Path) -> None:
    strategy = Looking(Parameters())
    strategy.refuses = "no library\nno preset"
    with pytest.raises(ConfigError) as refused:
        place(strategy, *installed(tmp_path))
    assert str(refused.value).splitlines() == [
        "etc/strategies/i.toml: no library",
        "etc/strategies/i.toml: no preset",
    ]


class Greedy(IndicatorStrategy):
    warmup_bars, indicator_bars = 30, 31


def test_indicators_over_more_bars_than_are_kept_are_refused_before_the_first_bar(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"i\.toml: indicator_bars is 31, and warmup_bars asks for 30 only"):
        place(Greedy(Parameters()), *installed(tmp_path))


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (Series("EUR/XYZ"), "which nobody defines"),
        (Series("GBP/USD"), "which nobody quotes: add it to market.instruments"),
        (Series("EUR/USD", "90s", 10), "no multiple of data.base_timeframe"),
    ],
)
def test_bars_and_prices_that_cannot_be_there_are_refused(series: Series, why: str, tmp_path: Path) -> None:
    strategy = Looking(Parameters())
    strategy.series = (series,)
    with pytest.raises(ConfigError, match=why):
        place(strategy, *installed(tmp_path))


def test_prices_of_brokers_are_there_when_an_account_brings_them(tmp_path: Path) -> None:
    strategy = Looking(Parameters())
    strategy.series = (Series("EUR/JPY"),)
    home, config = installed(tmp_path, feed="none", instruments=[])
    oanda = AccountConfig.model_validate(
        {"name": "o", "broker": "oanda", "oanda": {"account_id": "101-001-1-001", "token": "env:T"}}
    )
    nobody = home.model_copy(update={"accounts": {**home.accounts, "o": oanda}})
    with pytest.raises(ConfigError, match="nobody quotes"):
        place(strategy, nobody, config)
    fleet = FleetConfig.model_validate({"market": {"feed": "none", "instruments": ["EUR/JPY"]}})
    place(strategy, nobody.model_copy(update={"fleet": fleet}), config)
