"""The tester library, driven: what it trades is what the strategy's formula says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from atrader.broker_clock import WallClock
from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting, StrategyId, settings_array
from framework_bridge.abi.tester import CTesterLibrary
from framework_bridge.abi.tester_values import CTesterOutcome, CTesterSystem, EventKind
from tests.support.asirikuy import framework_files, standin_tester
from tests.support.asirikuy_desk import ACCOUNT, WEDNESDAY_NS, bars_until

METRONOME, PERIOD, SPREAD = 202, 8, 0.0002
CLOCK = WallClock("UTC")


@pytest.fixture
def tester(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CTesterLibrary:
    framework_files(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return CTesterLibrary(Path(shutil.copy2(standin_tester(), tmp_path / "libCTesterFrameworkAPI.so")))


def system(bars: Bars, *, stop: float = 0.0, first: int = 12, magic: int = 7) -> CTesterSystem:
    settings = settings_array(
        {
            Setting.IS_BACKTESTING: 1,
            Setting.OPERATIONAL_MODE: 1,
            Setting.STRATEGY_INSTANCE_ID: magic,
            Setting.INTERNAL_STRATEGY_ID: StrategyId.AUTOBBS,
            Setting.MAX_OPEN_ORDERS: 20,
            Setting.ORDERINFO_ARRAY_SIZE: 20,
        },
        {2: METRONOME, 25: PERIOD, 27: 0.1, 29: stop},
    )
    period = (CLOCK.second(int(bars.open_time_ns[first])), CLOCK.second(int(bars.open_time_ns[-1])))
    return CTesterSystem(settings, "EURUSD", ACCOUNT, SPREAD, *period, [RatesPlan(5, 60, 60, 5)], [bars])


def run(
    tester: CTesterLibrary, *systems: CTesterSystem, on_progress: Callable[[float], object] | None = None
) -> CTesterOutcome:
    return tester.run_portfolio(
        systems,
        currency="USD",
        broker="UTC",
        reference="UTC",
        clock=CLOCK,
        smallest_lot=0.01,
        on_progress=on_progress,
    )


def test_a_test_trades_what_the_formula_says_and_adds_it_up(tester: CTesterLibrary) -> None:
    bars = bars_until(WEDNESDAY_NS, 60)
    numbers = bars.open_time_ns // 3_600_000_000_000
    within = np.arange(60) >= 12
    opens = np.flatnonzero(within & (numbers % PERIOD == 0))
    closes = np.flatnonzero(within & (numbers % PERIOD == PERIOD // 2))
    closes = closes[closes > opens[0]]
    profits = [(bars.open[b] - bars.open[a] - SPREAD) * 0.1 * 100_000 for a, b in zip(opens, closes, strict=False)]
    outcome = run(tester, system(bars))
    bought = [event for event in outcome.events if event.kind is EventKind.BUY]
    closed = [event for event in outcome.events if event.kind is EventKind.CLOSE]
    assert [event.time_s for event in bought] == [int(bars.open_time_ns[at]) // 10**9 for at in opens]
    assert [event.price for event in bought] == pytest.approx(bars.open[opens] + SPREAD)
    assert [event.profit for event in closed] == pytest.approx(profits)
    assert (outcome.trades, outcome.longs, outcome.shorts) == (len(closes), len(closes), 0)
    assert outcome.final_balance == pytest.approx(ACCOUNT.balance + sum(profits))
    assert outcome.statistics["winning"] == pytest.approx(100 * np.mean(np.array(profits) > 0))


def test_a_stop_is_an_event_of_its_own(tester: CTesterLibrary) -> None:
    outcome = run(tester, system(bars_until(WEDNESDAY_NS, 60), stop=0.0001))
    stopped = [event for event in outcome.events if event.kind is EventKind.STOP_LOSS]
    assert stopped
    assert all(event.price == event.stop_loss for event in stopped)


def test_two_systems_share_one_balance(tester: CTesterLibrary) -> None:
    bars = bars_until(WEDNESDAY_NS, 60)
    alone = run(tester, system(bars)).final_balance - ACCOUNT.balance
    both = run(tester, system(bars), system(bars, magic=8)).final_balance - ACCOUNT.balance
    assert alone != 0
    assert both == pytest.approx(2 * alone)


def test_an_error_in_the_progress_callback_is_raised_when_the_test_is_over(tester: CTesterLibrary) -> None:
    def fail(_percent: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tester, system(bars_until(WEDNESDAY_NS, 30)), on_progress=fail)


def test_bars_of_different_times_are_refused(tester: CTesterLibrary) -> None:
    later = system(bars_until(WEDNESDAY_NS + 3_600_000_000_000, 60), magic=8)
    with pytest.raises(ConfigError, match="the same times"):
        run(tester, system(bars_until(WEDNESDAY_NS, 60)), later)


def test_its_log_is_opened_where_it_was_told(tester: CTesterLibrary, tmp_path: Path) -> None:
    tester.start(tmp_path / "tester.log", severity=5)
    assert (tmp_path / "tester.log").read_text() == "severity 5\n"


def test_systems_of_one_number_are_refused(tester: CTesterLibrary) -> None:
    bars = bars_until(WEDNESDAY_NS, 60)
    with pytest.raises(ConfigError, match="instance id 7 twice"):
        run(tester, system(bars), system(bars))
