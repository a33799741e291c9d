"""Strategies through the event engine, over bars a test made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from research.events import EventEngine, Plan, Result, SeriesKey
from research.events.tape import BarTape, Tape


def account_of(**settings: Any) -> AccountConfig:
    """Return a paper account; ``paper`` and other tables as maps."""
    return AccountConfig.model_validate({"name": "paper", "broker": "paper", **settings})


def instance_of(name: str = "one", **settings: Any) -> InstanceConfig:
    """Return an instance on EUR/USD minutes unless told otherwise."""
    usual = {"strategy": "told", "account": "paper", "magic": 1, "instrument": "EUR/USD", "timeframe": "1m"}
    return InstanceConfig.model_validate({"name": name, **usual, **settings})


def plan_of(
    account: AccountConfig,
    instances: Sequence[tuple[InstanceConfig, Strategy]],
    series: Mapping[tuple[str, str], Bars],
    base: str = "1m",
    tapes: Sequence[Tape] | None = None,
) -> Plan:
    """Return a plan that plays the base bars of every instrument."""
    duration_ns = Timeframe.parse(base).ns
    return Plan(
        account=account,
        instances=instances,
        instruments=KNOWN,
        calendar_of=lambda symbol: Calendar.get(KNOWN[symbol].calendar),
        tapes=tapes
        or [BarTape(symbol, bars, duration_ns) for (symbol, timeframe), bars in series.items() if timeframe == base],
        series={SeriesKey(*key): bars for key, bars in series.items()},
    )


def run(plan: Plan, *, look_ahead: bool = True) -> Result:
    """Run a plan."""
    return EventEngine(plan, look_ahead=look_ahead).run()
