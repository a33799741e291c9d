"""Bars come out the same however they are put together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.market import Bar, Bars, Tick
from atrader.messages.series import SeriesInfo
from atrader.timeframes import Timeframe
from data_layer.bars import BarBuilder, BarLibrary, IncrementalAggregator, aggregate, complete, divides
from data_layer.bars.aggregation import joined, open_times
from data_layer.store.market_sqlite import SqliteMarketStore
from data_layer.store.ranges import TimeRange

MINUTE = 60_000_000_000
# Both summer time changes of New York, a weekend, a month's end.
STARTS = [parse_time(text) for text in ("2024-03-08T15:00Z", "2024-11-01T15:00Z", "2024-05-30T20:00Z")]
FRAMES = ["5m", "7m", "45m", "1h", "4h", "7h", "1d", "1w", "1M"]

calendars = st.sampled_from([Calendar.get(name) for name in ("fx", "24/7", "Europe/Helsinki@00:00 fx")])
timeframes = st.sampled_from(FRAMES).map(Timeframe.parse)


@st.composite
def base_bars(draw: st.DrawFn, whole_volumes: bool = True) -> Bars:
    start = draw(st.sampled_from(STARTS))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 7, 59, 60, 61, 700, 3000]), min_size=1, max_size=60))
    times = start + np.cumsum(steps) * MINUTE
    seed = draw(st.integers(0, 2**16))
    random = np.random.default_rng(seed)
    count = len(times)
    low = random.integers(90, 100, count) + 0.5
    high = random.integers(110, 120, count) + 0.5
    open_, close = random.integers(100, 110, (2, count)) + 0.5
    # Sums of fractions depend on the order of adding, so only what adds in the same order can be equal.
    volume = random.integers(1, 50, count).astype(float) if whole_volumes else random.random(count)
    return Bars(times, open_, high, low, close, open_ + 1, high + 1, low + 1, close + 1, volume)


def rows(bars: Bars) -> list[Bar]:
    return [bars.row(index) for index in range(len(bars))]


@given(base_bars(), timeframes, calendars)
def test_open_times_agree_with_the_calendar(bars: Bars, timeframe: Timeframe, calendar: Calendar) -> None:
    expected = [calendar.bar_open(int(time), timeframe) for time in bars.open_time_ns]
    assert open_times(bars.open_time_ns, timeframe, calendar).tolist() == expected


@given(base_bars(whole_volumes=False), timeframes, calendars)
def test_bars_built_one_by_one_equal_those_built_at_once(bars: Bars, timeframe: Timeframe, calendar: Calendar) -> None:
    base = Timeframe.parse("1m")
    aggregator = IncrementalAggregator(base, timeframe, calendar)
    found = [done for bar in rows(bars) for done in aggregator.add(bar)]
    horizon_ns = int(bars.open_time_ns[-1]) + base.ns
    assert found == rows(complete(aggregate(bars, timeframe, calendar), timeframe, calendar, horizon_ns))
    end_ns = calendar.next_bar_open(int(bars.open_time_ns[-1]), timeframe)
    assert found + aggregator.advance(end_ns) == rows(aggregate(bars, timeframe, calendar))
    assert aggregator.late == 0


@given(base_bars(), st.data(), calendars)
def test_bars_built_in_two_stages_equal_those_built_in_one(bars: Bars, data: st.DataObject, calendar: Calendar) -> None:
    coarse = data.draw(timeframes)
    between = data.draw(st.sampled_from([name for name in FRAMES if divides(Timeframe.parse(name), coarse)] or ["1m"]))
    stage = aggregate(bars, Timeframe.parse(between), calendar)
    assert rows(aggregate(stage, coarse, calendar)) == rows(aggregate(bars, coarse, calendar))


@st.composite
def cuts(draw: st.DrawFn, bars: Bars) -> list[Bars]:
    """Cut bars into parts, some of them perhaps empty."""
    places = sorted(draw(st.lists(st.integers(0, len(bars)), max_size=6)))
    return [bars[a:b] for a, b in pairwise([0, *places, len(bars)])]


@given(st.data(), base_bars(), timeframes, calendars)
def test_bars_built_from_any_parts_equal_those_built_from_the_whole(
    data: st.DataObject, bars: Bars, timeframe: Timeframe, calendar: Calendar
) -> None:
    found: list[Bar] = []
    for part in data.draw(cuts(bars)):
        for bar in rows(aggregate(part, timeframe, calendar)):
            if found and found[-1].open_time_ns == bar.open_time_ns:
                found[-1] = joined(found[-1], bar)  # the cut went through it
            else:
                found.append(bar)
    assert found == rows(aggregate(bars, timeframe, calendar))


@given(st.data(), base_bars(), timeframes, calendars)
@settings(max_examples=25)
def test_bars_stored_in_any_order_of_parts_give_the_same_longer_bars(
    data: st.DataObject, bars: Bars, timeframe: Timeframe, calendar: Calendar
) -> None:
    parts = data.draw(st.permutations(data.draw(cuts(bars))))
    with TemporaryDirectory() as directory:
        store = SqliteMarketStore(Path(directory) / "market.db", "test")
        try:
            library = BarLibrary(store, lambda _: calendar)
            for part in parts:
                store.put_bars("X", "1m", "source", part)
                library.forget("X")
                library.bars("X", timeframe, horizon_ns=2**61)  # remembers what must be forgotten
            library.forget("X")
            assert rows(library.bars("X", timeframe, horizon_ns=2**61)) == rows(aggregate(bars, timeframe, calendar))
        finally:
            store.close()


@given(st.data(), base_bars(), timeframes, calendars)
def test_what_is_missing_is_what_the_calendar_expects_less_what_is_stored_or_answered(
    data: st.DataObject, bars: Bars, timeframe: Timeframe, calendar: Calendar
) -> None:
    memory = Memory(_1m=bars)
    first_ns, end_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1]) + MINUTE
    edges = sorted(data.draw(st.lists(st.integers(first_ns, end_ns), min_size=2, max_size=6, unique=True)))
    memory.told = [TimeRange(a, b, "m") for a, b in zip(edges[::2], edges[1::2], strict=False)]
    base = Timeframe.parse("1m")
    library = BarLibrary(memory, lambda _: calendar)
    missing = library.missing("X", timeframe, first_ns, end_ns, base)
    found = {
        time_ns
        for one in missing
        for time_ns in calendar.expected_bars(one.gap.first_ns, one.gap.last_ns + 1, base).tolist()
    }
    stored = set(bars.open_time_ns.tolist())
    assert found == {
        time_ns
        for time_ns in calendar.expected_bars(calendar.bar_open(first_ns, timeframe), end_ns, base).tolist()
        if time_ns not in stored and not any(one.start_ns <= time_ns < one.end_ns for one in memory.told)
    }
    assert sum(one.gap.count for one in missing) == len(found)


class Memory:
    """A reader of bars in memory that counts what it gives away."""

    def __init__(self, **series: Bars) -> None:
        self.stored = series
        self.rows_read = 0
        self.told: list[TimeRange] = []

    def series(self, instrument: str | None = None) -> list[SeriesInfo]:
        return [
            SeriesInfo(
                instrument="X",
                timeframe=name.removeprefix("_"),
                source="m",
                count=len(bars),
                first_ns=int(bars.open_time_ns[0]),
                last_ns=int(bars.open_time_ns[-1]),
            )
            for name, bars in self.stored.items()
            if len(bars)
        ]

    def bars(self, instrument: str, timeframe: str, start_ns: int | None = None, end_ns: int | None = None) -> Bars:
        bars = self.stored[f"_{timeframe}"]
        first, last = np.searchsorted(bars.open_time_ns, (start_ns or 0, end_ns or 2**62))
        self.rows_read += last - first
        return bars[first:last]

    def answered(self, *_: object) -> list[TimeRange]:
        return self.told


@given(base_bars(), timeframes, calendars, st.data())
def test_any_order_of_queries_gives_what_one_query_over_everything_gives(
    bars: Bars, timeframe: Timeframe, calendar: Calendar, data: st.DataObject
) -> None:
    library = BarLibrary(Memory(_1m=bars), lambda _: calendar, max_cached_rows=data.draw(st.sampled_from([0, 3, 1000])))
    whole = aggregate(bars, timeframe, calendar)
    first_ns, last_ns = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1])
    times = st.one_of(st.none(), st.integers(first_ns - 10 * MINUTE, last_ns + 10 * MINUTE))
    for _ in range(data.draw(st.integers(1, 6))):
        start_ns, end_ns, horizon_ns = data.draw(times), data.draw(times), data.draw(times) or last_ns + MINUTE
        count = data.draw(st.one_of(st.none(), st.integers(1, 30)))
        found = library.bars("X", timeframe, start_ns=start_ns, end_ns=end_ns, count=count, horizon_ns=horizon_ns)
        expected = [
            bar
            for bar in rows(whole)
            if (start_ns is None or bar.open_time_ns >= start_ns)
            and (end_ns is None or bar.open_time_ns < end_ns)
            and calendar.next_bar_open(bar.open_time_ns, timeframe) <= horizon_ns
        ]
        assert rows(found) == (expected if count is None else expected[-count:])


@given(base_bars(), calendars, st.data())
def test_a_coarse_series_is_completed_from_a_finer_one(bars: Bars, calendar: Calendar, data: st.DataObject) -> None:
    """Wherever the stored hours begin and end, the 4h bars are those of the minutes."""
    hours = aggregate(bars, Timeframe.parse("1h"), calendar)
    first = data.draw(st.integers(0, len(hours)))
    last = data.draw(st.integers(first, len(hours)))
    library = BarLibrary(Memory(_1m=bars, _1h=hours[first:last]), lambda _: calendar)
    frame = Timeframe.parse("4h")
    found = library.bars("X", frame, horizon_ns=2**61)
    assert rows(found) == rows(aggregate(bars, frame, calendar))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=80), st.integers(0, 79))
def test_a_restarted_builder_goes_on_with_the_forming_bar(moves: list[tuple[int, int]], where: int) -> None:
    calendar, frame = Calendar.get("fx"), Timeframe.parse("10s")
    time_ns, ticks = STARTS[0], []
    for seconds, price in moves:
        time_ns += seconds * 1_000_000_000
        ticks.append(Tick("X", time_ns, time_ns, float(price), price + 1.0))

    def build(parts: list[list[Tick]]) -> list[Bar]:
        found: list[Bar] = []
        forming: Bar | None = None
        until_ns = 0
        for part in parts:
            builder = BarBuilder(frame, calendar, until_ns, forming)
            for tick in part:
                done = builder.add(tick)
                if done is not None:
                    found.append(done)
                    until_ns = calendar.next_bar_open(done.open_time_ns, frame)
            forming = builder.forming
            assert builder.late == 0
        return found

    cut = min(where, len(ticks))
    assert build([ticks[:cut], ticks[cut:]]) == build([ticks])


@pytest.mark.parametrize(("finer", "coarser", "fits"), [("1w", "1M", False), ("1d", "1M", True), ("40m", "1h", False)])
def test_which_timeframes_divide_which(finer: str, coarser: str, fits: bool) -> None:
    assert divides(Timeframe.parse(finer), Timeframe.parse(coarser)) is fits
