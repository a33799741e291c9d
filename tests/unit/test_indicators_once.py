"""Strategies that decide by indicators: a backtest computes them once, a worker at each bar, and both decide alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.errors import ConfigError
from atrader.indicator_strategy import IndicatorStrategy
from atrader.indicators import Sma, highest, sma
from atrader.market import Bar, Bars
from atrader.strategy import BaseParameters
from research.events.plan import Plan
from tests.support.event_runs import account_of, instance_of, plan_of, random_bars, run

D = Decimal
BARS = random_bars(11, 900, 1.1, 1e-5)


class Crossing(IndicatorStrategy):
    """Goes with a crossing of two averages, whose sums are exact; keeps what it was given."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self.asked = 0
        self.told: list[tuple[int, tuple[float, ...]]] = []
        self.above = False

    @property
    def warmup_bars(self) -> int:
        return 30

    def indicators(self, bars: Bars) -> Sequence[NDArray[np.float64]]:
        self.asked += 1
        ticks = np.rint(bars.close / float(self.context.instrument.price_tick))
        return sma(ticks, 4), sma(ticks, 30), highest(bars.high, 10)

    def on_indicators(self, bar: Bar, values: tuple[float, ...]) -> None:
        self.told.append((bar.open_time_ns, values))
        fast, slow, top = values
        assert top >= bar.high
        if (fast > slow) is not self.above:
            self.above = fast > slow
            for trade in self.context.trades():
                self.context.close(trade.trade_id)
            self.context.order("buy" if self.above else "sell", units=D(1000))


class Peeking(Crossing):
    def indicators(self, bars: Bars) -> Sequence[NDArray[np.float64]]:
        fast, slow, top = super().indicators(bars)
        return np.append(fast[1:], fast[-1]), slow, top


class Ragged(Crossing):
    def indicators(self, bars: Bars) -> Sequence[NDArray[np.float64]]:
        return [one[1:] if len(bars) > 100 else one for one in super().indicators(bars)]


class Listening(Crossing):
    @property
    def wants_quotes(self) -> bool:
        return True


class Greedy(Crossing):
    @property
    def indicator_bars(self) -> int:
        return 31


def plan_with(strategy: IndicatorStrategy, bars: Bars = BARS) -> Plan:
    return plan_of(account_of(), [(instance_of(), strategy)], {("EUR/USD", "1m"): bars})


@pytest.mark.parametrize("kind", [Crossing, Listening])
def test_over_all_bars_and_over_windows_the_same_is_decided_by_the_same_numbers(kind: type[Crossing]) -> None:
    once, window = kind(), kind()
    found, expected = run(plan_with(once)), run(replace(plan_with(window), signals="window"))
    assert once.told == window.told
    assert len(once.told) == len(BARS) - 29
    assert found.fills == expected.fills
    assert len(found.closed) > 20
    assert once.asked < 40 < window.asked
    assert not found.alerts


def test_the_values_are_those_that_a_strategy_would_keep_bar_by_bar() -> None:
    strategy = Crossing()
    run(plan_with(strategy))
    fast = Sma(4)
    kept = [fast.update(one) for one in np.rint(BARS.close / 1e-5).tolist()]
    assert [values[0] for _, values in strategy.told] == kept[29:]


@pytest.mark.parametrize(("kind", "why"), [(Peeking, "indicator 1 differs"), (Ragged, "has shape")])
def test_what_differs_or_fails_over_all_bars_is_computed_over_windows_and_an_alert_says_so(
    kind: type[Crossing], why: str
) -> None:
    found, expected = run(plan_with(kind())), run(replace(plan_with(kind()), signals="window"))
    assert found.fills == expected.fills
    (alert,) = found.alerts
    assert alert.kind == "signals-by-window"
    assert why in alert.text
    assert not expected.alerts


def test_it_decides_nothing_before_its_bars_are_there() -> None:
    strategy = Crossing()
    found = run(plan_with(strategy, BARS[:29]))
    assert (strategy.told, found.alerts, found.bars) == ([], [], {"one": 29})


def test_indicators_over_more_bars_than_anybody_keeps_are_refused() -> None:
    with pytest.raises(ConfigError, match="indicator_bars is 31, and warmup_bars asks for 30 only"):
        run(plan_with(Greedy()))
