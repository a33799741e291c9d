"""Planted leaks of every kind are found by the checks of a strategy, and named; what is right passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.errors import ConfigError, StrategyError
from atrader.indicators import Ema, ema, sma
from atrader.instruments import Instrument, known_instrument
from atrader.market import Bar, Bars
from atrader.orders.model import Order
from atrader.strategy import BaseParameters, EventStrategy, Signals, SignalStrategy
from atrader.timeframes import Timeframe
from research.checking import Report, check_events, check_signals
from tests.support.event_runs import account_of, instance_of, plan_of
from tests.support.price_walks import walk

Floats = NDArray[np.float64]
FRAME = Timeframe.parse("5m")
HOUR_NS = 3600 * 10**9
BARS = walk(2500)


class Level(SignalStrategy):
    """Buys where the close is above a level that a test computes."""

    def __init__(self, level: Callable[[Bars], Floats], warmup: int) -> None:
        super().__init__(BaseParameters())
        self._level = level
        self._warmup = warmup

    @property
    def warmup_bars(self) -> int:
        return self._warmup

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        level = self._level(bars)
        entry = np.where(bars.close > level, 1, 0).astype(np.int8)
        return Signals(
            entry=entry, exit=np.where(bars.close < level, 1, 0).astype(np.int8), units=np.full(len(bars), 1000.0),
            stop_loss=np.minimum(level, bars.close) - 0.001,
        )  # fmt: skip


def checked(level: Callable[[Bars], Floats], warmup: int = 60, sample: int = 200) -> Report:
    strategy = Level(level, warmup)
    return check_signals(strategy, BARS, known_instrument("EUR/USD"), FRAME, Calendar.get("fx"), sample=sample)


def hours(bars: Bars) -> NDArray[np.int64]:
    return bars.open_time_ns // HOUR_NS


def hourly_close(bars: Bars, *, finished: bool) -> Floats:
    """Return for each bar the close of its hour, or of the hour before."""
    firsts = np.flatnonzero(np.diff(hours(bars), prepend=-1))
    last = np.append(firsts[1:], len(bars)) - 1
    number = np.searchsorted(firsts, np.arange(len(bars)), side="right") - 1
    closes = np.concatenate(([np.nan], bars.close[last]))
    return closes[number] if finished else closes[number + 1]


def random_level(bars: Bars) -> Floats:
    return bars.close + np.random.default_rng().normal(0, 1, len(bars))


def next_close(bars: Bars) -> Floats:
    return np.append(bars.close[1:], bars.close[-1])


def centred_mean(bars: Bars) -> Floats:
    padded = np.concatenate((np.full(5, bars.close[0]), bars.close, np.full(5, bars.close[-1])))
    return np.convolve(padded, np.full(11, 1 / 11), "valid")


def highest_of_all(bars: Bars) -> Floats:
    return np.full(len(bars), bars.high.max() - 0.004)


LEAKS: dict[str, tuple[Callable[[Bars], Floats], str, int | None]] = {
    "one bar": (next_close, "looks-ahead", 1),
    "a centred average": (centred_mean, "looks-ahead", 5),
    "the mean of everything": (lambda bars: np.full(len(bars), bars.close.mean()), "looks-ahead", None),
    "the highest of everything": (highest_of_all, "looks-ahead", None),
    "the hour that is not over": (lambda bars: hourly_close(bars, finished=False), "unfinished-bar", 11),
    "an average with the seed of its first bar": (lambda bars: ema(bars.close, 50), "history", None),
    "hours counted from the first row": (lambda bars: bars.close[np.arange(len(bars)) // 12 * 12], "history", None),
    "a sum since the begin": (lambda bars: np.cumsum(bars.volume) * 0.01, "history", None),
    "chance": (random_level, "chance", None),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_of_a_signal_strategy_is_found_and_named(name: str) -> None:
    level, kind, ahead = LEAKS[name]
    report = checked(level)
    assert not report.passed
    assert report.findings[0].kind == kind
    if ahead is not None:
        assert max(finding.ahead or 0 for finding in report.findings) == ahead


@pytest.mark.parametrize(
    "level",
    [
        lambda bars: sma(bars.close, 50),
        lambda bars: ema(bars.close, 5),
        lambda bars: hourly_close(bars, finished=True),
    ],
)
def test_what_uses_only_its_own_past_passes(level: Callable[[Bars], Floats]) -> None:
    report = checked(level)
    assert report.passed
    assert report.bars >= 200


def test_a_leak_in_a_single_row_of_the_sample_is_found() -> None:
    row_ns = int(BARS.open_time_ns[-77])

    def level(bars: Bars) -> Floats:
        return np.where(bars.open_time_ns == row_ns, next_close(bars), sma(bars.close, 20))

    assert [(one.kind, one.bar_ns, one.bars) for one in checked(level).findings if one.what == "stop_loss"] == [
        ("looks-ahead", row_ns, 1)
    ]


def test_the_warm_up_that_an_average_needs_is_the_one_after_which_its_seed_counts_for_less_than_a_millionth() -> None:
    def level(bars: Bars) -> Floats:
        return ema(bars.close, 20)

    needed = checked(level, 60).warmup_needed
    assert needed is not None
    assert 60 < needed < 400
    assert checked(level, needed + 40).passed


@pytest.mark.parametrize("period", [20, 35, 50])
def test_a_warm_up_that_was_found_too_short_is_long_enough_as_the_check_says_it(period: int) -> None:
    def level(bars: Bars) -> Floats:
        return ema(bars.close, period)

    needed = checked(level, period + 1).warmup_needed
    assert needed is not None
    assert checked(level, needed).passed


def test_no_warm_up_is_called_long_enough_for_what_is_measured_against_all_bars() -> None:
    class Stretched(Level):
        def signals(self, bars: Bars, instrument: Instrument) -> Signals:
            is_far = bars.close > bars.close.mean() + 0.5 * bars.close.std()
            return Signals(
                entry=np.where(np.diff(is_far, prepend=is_far[:1]) & is_far, 1, 0).astype(np.int8),
                exit=np.zeros(len(bars), np.int8),
                units=np.full(len(bars), 1000.0),
            )

    for warmup in (100, 200, 300):
        strategy = Stretched(lambda bars: bars.close, warmup)
        report = check_signals(strategy, BARS, known_instrument("EUR/USD"), FRAME, Calendar.get("fx"), sample=300)
        assert not report.passed
        assert report.warmup_needed is None


def test_of_what_is_drawn_anew_nothing_is_said_about_the_future() -> None:
    assert {one.kind for one in checked(random_level).findings} == {"chance"}


def test_an_answer_that_is_no_signals_is_refused() -> None:
    class Nothing(Level):
        def signals(self, bars: Bars, instrument: Instrument) -> Signals:
            return None  # type: ignore[return-value]  # as a forgotten return

    with pytest.raises(StrategyError, match="signals returned NoneType, expected Signals"):
        check_signals(
            Nothing(lambda bars: bars.close, 60), BARS, known_instrument("EUR/USD"), FRAME, Calendar.get("fx"), sample=1
        )


def test_a_column_of_another_length_is_refused_by_name() -> None:
    class Short(Level):
        def signals(self, bars: Bars, instrument: Instrument) -> Signals:
            return replace(super().signals(bars, instrument), stop_loss=bars.close[1:])

    with pytest.raises(StrategyError, match=r"signals.stop_loss has shape \(1560,\), expected \(1561,\)"):
        check_signals(
            Short(lambda bars: bars.close, 60), BARS, known_instrument("EUR/USD"), FRAME, Calendar.get("fx"), sample=220
        )


def test_too_few_bars_say_how_many_are_needed() -> None:
    with pytest.raises(ConfigError, match="6002 or more"):
        checked(lambda bars: bars.close, 3000)


class Deciding(EventStrategy):
    """Buys and sells in turns whenever a test's rule says so."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())

    @property
    def warmup_bars(self) -> int:
        return 40

    def on_bar(self, bar: Bar) -> None:
        if self.rule(bar):
            for trade in self.context.trades():
                self.context.close(trade.trade_id)
            if not self.context.trades():
                self.context.order("buy", units=Decimal(1000))

    def rule(self, bar: Bar) -> bool:
        closes = self.context.bars(40).close
        return len(closes) == 40 and bar.close > closes.max() - 1e-9


class KeepsState(Deciding):
    """Counts in the state that is checkpointed."""

    def rule(self, bar: Bar) -> bool:
        count = int(str(self.context.state.get("count", 0))) + 1
        self.context.state["count"] = count
        return count % 9 == 0


class KeepsItToItself(Deciding):
    """Counts where no restart finds it."""

    count = 0

    def rule(self, bar: Bar) -> bool:
        self.count += 1
        return self.count % 9 == 0


class OwnAverage(Deciding):
    """Has an average that begins when the process does."""

    def __init__(self) -> None:
        super().__init__()
        self._ema = Ema(30)

    def rule(self, bar: Bar) -> bool:
        return bar.close > self._ema.update(bar.close) + 5e-4


class Rebuilds(OwnAverage):
    """Rebuilds such an average from its warm-up; what is left of the seed is too much."""

    def on_start(self) -> None:
        for close in self.context.bars(40).close.tolist():
            self._ema.update(close)


class LooksBack(Deciding):
    """Looks at an average whose seed it does not forget."""

    def rule(self, bar: Bar) -> bool:
        level = float(ema(self.context.bars(self.warmup_bars).close, 20)[-1])
        if bar.close > level:
            self.context.signal("above", 1.0, level=level)
        return bar.close > level + 6e-4


class Reaches(Deciding):
    """Reaches behind the end of the bars it is given."""

    def rule(self, bar: Bar) -> bool:
        closes = self.context.bars(2).close
        whole = closes if closes.base is None else closes.base
        later = whole[np.searchsorted(whole, closes[-1]) + 1 :] if closes.base is None else whole
        at = len(closes) - 1 if closes.base is None else _place(closes, whole)
        return len(later) > 0 and at + 1 < len(whole) and bool(whole[at + 1] > bar.close + 3e-4)


def _place(part: Floats, whole: Any) -> int:
    address = part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return int(address // 8) + len(part) - 1


class Confused(Deciding):
    """Raises when it holds a trade whose order it did not see end."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def on_bar(self, bar: Bar) -> None:
        for trade in self.context.trades():
            assert trade.trade_id in self._seen
        super().on_bar(bar)

    def on_order(self, order: Order) -> None:
        self._seen.add(order.client_id)


class Unkeepable(Deciding):
    """Keeps in its state what JSON cannot."""

    def rule(self, bar: Bar) -> bool:
        self.context.state["bar"] = {bar.close}
        return False


def checked_events(make: Callable[[], EventStrategy]) -> Report:
    plan = plan_of(account_of(), [(instance_of(timeframe="5m"), make())], {("EUR/USD", "5m"): BARS[-700:]}, "5m")
    return check_events(plan, make, sample=120)


@pytest.mark.parametrize("kind", [Deciding, KeepsState])
def test_what_a_restarted_worker_decides_alike_passes(kind: Callable[[], EventStrategy]) -> None:
    report = checked_events(kind)
    assert report.passed, report.findings
    assert report.bars > 120, "nothing was wanted before the sample"


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (KeepsItToItself, "memory"),
        (OwnAverage, "memory"),
        (Rebuilds, "memory"),
        (LooksBack, "history"),
        (Reaches, "looks-ahead"),
    ],
)
def test_a_planted_leak_of_an_event_strategy_is_found_and_named(kind: Callable[[], EventStrategy], found: str) -> None:
    assert {finding.kind for finding in checked_events(kind).findings} == {found}


def test_the_warm_up_that_an_event_strategy_needs_is_told() -> None:
    report = checked_events(LooksBack)
    assert report.warmup_needed in (80, 160)
    assert f"warmup_bars = {report.warmup_needed} are enough" in report.findings[0].text


def test_a_strategy_that_raises_after_a_restart_only_is_shown_with_what_it_raised() -> None:
    (finding,) = checked_events(Confused).findings
    assert finding.kind == "memory"
    assert "AssertionError" in finding.text


def test_a_state_that_no_checkpoint_can_hold_is_refused() -> None:
    with pytest.raises(StrategyError, match="JSON"):
        checked_events(Unkeepable)
