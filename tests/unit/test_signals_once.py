"""Signals computed once over all bars are taken only where they are those of a worker's window."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import BaseParameters, Signals, SignalStrategy
from research.events.plan import Plan
from research.events.result import Result
from research.events.told import Alert
from tests.support.event_runs import account_of, instance_of, plan_of, run
from tests.support.price_walks import walk

ACCOUNT = account_of(trade={"max_price_age": "2d"}, paper={"slippage_pips": 0})
BARS = walk(600)


class Momentum(SignalStrategy):
    """Goes with the last five bars; counts how often it is asked."""

    sees_next_bar: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self.asked = 0

    @property
    def warmup_bars(self) -> int:
        return 10

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        self.asked += 1
        move = np.zeros(len(bars))
        move[5:] = bars.close[5:] - bars.close[:-5]
        if self.sees_next_bar:
            move[:-1] = move[1:]
        turns = np.diff(np.sign(move), prepend=0) != 0
        entry = np.where(turns, np.sign(move), 0).astype(np.int8)
        entry[:6] = 0
        return Signals(entry=entry, exit=np.zeros(len(bars), np.int8), units=np.full(len(bars), 1000.0))


class Foreseeing(Momentum):
    """Looks one bar ahead, where there is one."""

    sees_next_bar = True


class Forgetful(Momentum):
    """Needs bars to be few."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        if len(bars) > self.warmup_bars:
            raise ValueError("too many bars")
        return super().signals(bars, instrument)


class Short(Momentum):
    """Answers many bars with an array that is too short."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        found = super().signals(bars, instrument)
        return found if len(bars) == self.warmup_bars else replace(found, units=np.ones(3))


class Failing(Momentum):
    """Wants an entry without a size at a few bars, which cannot be ordered."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        found = super().signals(bars, instrument)
        assert found.units is not None
        found.units[np.isin(bars.open_time_ns, BARS.open_time_ns[200:260])] = np.nan
        return found


class Writing(Momentum):
    """Uses the bars it was given for its own sums, when it has looked at them."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        found = super().signals(bars, instrument)
        bars.close[:] = 1.0
        return found


class Listing(Momentum):
    """Answers with a list."""

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        found = super().signals(bars, instrument)
        return replace(found, entry=found.entry.tolist())


def _headline(alert: Alert) -> tuple[int, str, str]:
    return alert.time_ns, alert.kind, alert.text.splitlines()[0]


def plan_with(strategy: SignalStrategy) -> Plan:
    config = instance_of(timeframe="5m", max_errors=1000)
    return plan_of(ACCOUNT, [(config, strategy)], {("EUR/USD", "5m"): BARS}, "5m")


def over_windows(strategy: SignalStrategy) -> Result:
    return run(replace(plan_with(strategy), signals="window"))


def test_a_strategy_is_asked_a_few_dozen_times_and_not_at_every_bar() -> None:
    once, window = Momentum(), Momentum()
    found, expected = run(plan_with(once)), over_windows(window)
    assert found.trades == expected.trades
    assert len(found.trades) > 20
    assert found.signals == expected.signals
    assert not found.alerts
    assert once.asked < 100 < window.asked == len(BARS) - 9


@pytest.mark.parametrize(
    ("strategy", "why"),
    [(Foreseeing, "entry differs"), (Forgetful, "too many bars"), (Short, r"signals.units has shape (3,)")],
)
def test_what_differs_or_fails_over_all_bars_is_decided_over_windows_and_an_alert_says_so(
    strategy: type[Momentum], why: str
) -> None:
    found, expected = run(plan_with(strategy())), over_windows(strategy())
    assert found.trades == expected.trades
    assert bool(found.trades) is not strategy.sees_next_bar  # what it sees is not there at the last bar of a window
    (alert,) = found.alerts
    assert alert.kind == "signals-by-window"
    assert why in alert.text


@pytest.mark.parametrize(
    ("strategy", "why"), [(Writing, "read-only"), (Listing, "signals.entry is a list, expected a numpy array")]
)
def test_a_strategy_that_writes_into_its_bars_or_answers_without_arrays_fails_and_changes_nothing(
    strategy: type[Momentum], why: str
) -> None:
    before = BARS.close.copy()
    for signals in ("once", "window"):
        found = run(replace(plan_with(strategy()), signals=signals))
        assert not found.trades
        assert all(why in alert.text for alert in found.alerts)
        assert len(found.alerts) >= len(BARS) - 9
    assert (BARS.close == before).all()


def test_an_entry_that_is_no_order_leaves_the_same_behind_in_both_forms() -> None:
    found, expected = run(plan_with(Failing())), over_windows(Failing())
    assert found.errors == expected.errors
    assert found.trades == expected.trades
    assert found.orders == expected.orders
    assert [_headline(one) for one in found.alerts] == [_headline(one) for one in expected.alerts] != []
