"""Strategies through the event engine, over bars a test made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from typing_extensions import override

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from research.events.account import Account
from research.events.engine import EventEngine
from research.events.plan import Plan, SeriesKey
from research.events.result import Result
from research.events.tape import BarTape, Tape

MINUTE = Timeframe.parse("1m").ns


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


class StepByStep(EventEngine):
    """Plays each step, and takes every turn in the step that it belongs to: the measure of what passes over some."""

    @override
    def _coast(self, step: int, turn: int, work: int) -> int:
        return turn


def run(plan: Plan, *, look_ahead: bool = True, shortcuts: bool = True) -> Result:
    """Run a plan; without looking ahead nothing of what finds turns on the way is used."""
    account = partial(Account, shortcuts=shortcuts)
    kind = EventEngine if look_ahead else StepByStep
    return kind(plan, look_ahead=look_ahead, account_of=account).run()


def random_bars(seed: int, count: int, start: float, tick: float, gap_share: float = 0.1) -> Bars:
    """Return minutes over a weekend, some missing, with a spread of some ticks."""
    chance = np.random.default_rng(seed)
    calendar = Calendar.get("fx")
    times: list[int] = []
    now_ns = parse_time("2024-03-08T20:00:00Z")
    while len(times) < count:
        if calendar.is_open(now_ns) and chance.random() > gap_share:
            times.append(now_ns)
        now_ns += MINUTE if calendar.is_open(now_ns) else 3600 * NS_PER_S
    closes = start * np.exp(np.cumsum(chance.normal(0, 3e-4, count)))
    opens = np.concatenate(([start], closes[:-1] * np.exp(chance.normal(0, 1e-4, count - 1))))
    wicks = np.abs(chance.normal(0, 2e-4, (2, count)))
    highs, lows = np.maximum(opens, closes) * (1 + wicks[0]), np.minimum(opens, closes) * (1 - wicks[1])
    bids = [np.round(column / tick) * tick for column in (opens, highs, lows, closes)]
    spread = chance.integers(1, 4, count) * tick
    return Bars(np.array(times, np.int64), *bids, *(column + spread for column in bids), np.ones(count))
