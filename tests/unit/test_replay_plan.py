"""A replay is counted first and read piece by piece: the same steps as all at once, in little memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import pytest

from atrader.clock import NS_PER_S
from atrader.market import Bar, Bars, Quotes, Tick
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.feeds.replay_plan import (
    BARS_A_PART,
    TICK_WINDOW_NS,
    Period,
    ReplayPlan,
    plan_of_bars,
    plan_of_ticks,
)
from data_layer.feeds.replay_steps import Step, steps_of_bars, steps_of_ticks

MINUTE = 60 * NS_PER_S
DAY = 86_400 * NS_PER_S
START = 1_370_044_800 * NS_PER_S
PAIRS = ("EUR/USD", "USD/JPY")


class Stored:
    """What a feed reads from; pages of quotes are short."""

    def __init__(self, bars: Mapping[str, Bars], quotes: Mapping[str, Quotes]) -> None:
        self._bars = bars
        self._quotes = quotes
        self.longest = 0

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        bars = self._bars[instrument]
        first, last = np.searchsorted(bars.open_time_ns, (start_ns or 0, end_ns or 2**62))
        self.longest = max(self.longest, int(last - first))
        return bars[int(first) : int(last)]

    def tick_pages(self, instrument: str, start_ns: int | None = None, end_ns: int | None = None) -> Iterator[Quotes]:
        quotes = self._quotes[instrument]
        first, last = np.searchsorted(quotes.time_ns, (start_ns or 0, end_ns or 2**62))
        for at in range(first, last, 50):
            yield Quotes.of(quotes.ticks(instrument, at, min(at + 50, int(last))))

    def series(self, instrument: str) -> Sequence[SeriesInfo]:
        found = {"1m": self._bars[instrument].open_time_ns, "ticks": self._quotes[instrument].time_ns}
        shown = {name: times for name, times in found.items() if len(times)}
        return [
            SeriesInfo(
                instrument=instrument,
                timeframe=name,
                source="a",
                count=len(times),
                first_ns=int(times[0]),
                last_ns=int(times[-1]),
            )
            for name, times in shown.items()
        ]

    def last_tick(self, instrument: str) -> Tick | None:
        return None


def some_quotes(seed: int, count: int = 700) -> Quotes:
    """Return quotes of three days, thick and thin, some of one time."""
    chance = np.random.default_rng(seed)
    times = START + np.sort(chance.integers(0, 3 * DAY, count))
    times[100:160] = times[100]
    prices = chance.random(count)
    return Quotes(times, times, prices + 1.0, prices + 1.1)


def some_bars(seed: int, count: int = 2 * BARS_A_PART + 500) -> Bars:
    """Return minutes with holes."""
    chance = np.random.default_rng(seed)
    times = START + np.sort(chance.choice(3 * BARS_A_PART, count, replace=False)).astype(np.int64) * MINUTE
    prices = chance.random(count) + 1.0
    return Bars(times, *([prices] * 9))


def stored(*, quotes: bool = False, bars: bool = False) -> Stored:
    none = Quotes.of(())
    return Stored(
        {pair: some_bars(number) if bars else Bars.empty() for number, pair in enumerate(PAIRS)},
        {pair: some_quotes(number) if quotes else none for number, pair in enumerate(PAIRS)},
    )


def every_resumption_is_right(plan: ReplayPlan, steps: list[Step], every: int) -> None:
    assert plan.total == len(steps)
    for number in [*range(0, len(steps), every), len(steps) - 1, len(steps)]:
        assert list(islice(plan.steps(number), 3)) == steps[number : number + 3]
    assert list(plan.steps(0)) == steps


@pytest.mark.parametrize("period", [Period(None, None), Period(START + DAY // 2 + 1, START + 2 * DAY)])
def test_quotes_are_played_from_any_step_on_as_they_would_be_all_at_once(period: Period) -> None:
    source = stored(quotes=True)
    lowest, highest = period.start_ns or 0, period.end_ns or 2**62
    ticks = [tick for pair in PAIRS for page in source.tick_pages(pair) for tick in page.ticks(pair)]
    ticks = [tick for tick in ticks if lowest <= tick.time_ns < highest]
    ticks.sort(key=lambda tick: (tick.time_ns, tick.instrument))
    every_resumption_is_right(plan_of_ticks(source, PAIRS, period), list(steps_of_ticks(ticks, TICK_WINDOW_NS)), 7)


@pytest.mark.parametrize("period", [Period(None, None), Period(START + MINUTE // 2, START + 15_000 * MINUTE)])
def test_bars_are_played_from_any_step_on_as_they_would_be_all_at_once(period: Period) -> None:
    source = stored(bars=True)
    series = {pair: source.bars(pair, "1m", period.start_ns, period.end_ns) for pair in PAIRS}
    plan = plan_of_bars(source, PAIRS, Timeframe.parse("1m"), period)
    every_resumption_is_right(plan, list(steps_of_bars(series, MINUTE)), 4_999)


@pytest.fixture
def only_new_objects() -> Iterator[None]:
    """Let `gc.get_objects` show what is made from here on, and not all that a test session has imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_new_objects")
def test_a_replay_holds_a_page_of_quotes_and_a_part_of_the_bars_and_not_all_of_them() -> None:
    source = stored(quotes=True)
    plan = plan_of_ticks(source, PAIRS, Period(None, None))
    most = 0
    for step in plan.steps(0):
        del step
        most = max(most, sum(type(thing) is Tick for thing in gc.get_objects()))
    assert 0 < most <= 2 * 50 + 2 * 60  # a page of each instrument, and a step

    source = stored(bars=True)
    plan = plan_of_bars(source, PAIRS, Timeframe.parse("1m"), Period(None, None))
    most = 0
    for number, _ in enumerate(plan.steps(0)):
        if number % 5_000 == 0:
            most = max(most, sum(type(thing) is Bar for thing in gc.get_objects()))
    assert source.longest <= BARS_A_PART
    assert 0 < most < 10


def test_nothing_stored_is_no_step() -> None:
    assert plan_of_ticks(stored(bars=True), PAIRS, Period(None, None)).total == 0
    plan = plan_of_bars(stored(quotes=True), PAIRS, Timeframe.parse("1m"), Period(None, None))
    assert plan.total == 0
    assert list(plan.steps(0)) == []
