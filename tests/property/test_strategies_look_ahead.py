"""Every built-in strategy passes the checks of `atrader backtest check`: it knows no future, and forgets nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from atrader.calendars import Calendar
from atrader.instruments import known_instrument
from atrader.strategy import EventStrategy, SignalStrategy, Strategy
from atrader.timeframes import Timeframe
from research.checking import Report, check_events, check_signals
from tests.support.event_runs import account_of, instance_of, plan_of
from tests.support.price_walks import walk
from worker.loading import load_strategy, make_strategy
from worker.strategies import BUILT_IN, NEED_FILES

pytestmark = pytest.mark.property

NAMES = sorted(BUILT_IN.keys() - NEED_FILES)
FILTERS = ({"kind": "regime", "adx_period": 5, "threshold": 20}, {"kind": "momentum", "period": 4})
SAMPLE = 80


def report_of(name: str, parameters: Mapping[str, Any], seed: int, sample: int = SAMPLE) -> Report:
    """Check a built-in strategy."""
    kind = load_strategy(name, Path())

    def make() -> Strategy:
        return make_strategy(kind, parameters, name)

    strategy = make()
    bars = walk(4 * strategy.warmup_bars + 8 * sample, seed=seed)
    if isinstance(strategy, SignalStrategy):
        frame, calendar = Timeframe.parse("5m"), Calendar.get("fx")
        return check_signals(strategy, bars, known_instrument("EUR/USD"), frame, calendar, sample=sample)
    series = {("EUR/USD", "5m"): bars}
    plan = plan_of(account_of(), [(instance_of(timeframe="5m"), strategy)], series, "5m")
    return check_events(plan, cast(Callable[[], EventStrategy], make), sample=sample)


def assert_passed(report: Report, sample: int = SAMPLE) -> None:
    assert report.passed, "\n".join(f"{one.kind} {one.what} {one.text}" for one in report.findings)
    assert report.bars > sample, "nothing was wanted before the sample"


@pytest.mark.parametrize("name", NAMES)
def test_a_built_in_strategy_knows_no_future_and_has_the_warm_up_it_needs(name: str) -> None:
    assert_passed(report_of(name, {}, seed=1))


@pytest.mark.parametrize("name", [name for name in NAMES if issubclass(load_strategy(name, Path()), SignalStrategy)])
def test_filters_know_no_future_either(name: str) -> None:
    assert_passed(report_of(name, {"filters": FILTERS}, seed=2, sample=30), 30)
