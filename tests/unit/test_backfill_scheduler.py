"""The background work on a real store, with a source in memory."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock, parse_time
from atrader.errors import ConfigError, Rejected, StoreError
from atrader.timeframes import Timeframe
from data_layer.backfill.jobs import Job, Priority
from data_layer.backfill.scheduler import Scheduler
from data_layer.sources import BarPage, SourceBusy, SourceLimits, SourceRefused
from data_layer.store import MarketStore, TimeRange
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.bar_sources import MINUTE, MemorySource, market_bars, same, without

FX = Calendar.get("fx")
M1 = Timeframe.parse("1m")
# The last trading day before summer time began in New York, the weekend, and the first day after it.
START, END = parse_time("2024-03-08T18:00Z"), parse_time("2024-03-11T02:00Z")
BARS = market_bars(FX, "2024-03-08T18:00Z", "2024-03-11T02:00Z")


class Clock(SystemClock):
    """The host's clock on another day; its monotonic time can be moved on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.stands_at_s: float | None = None

    def stand_still(self) -> None:
        """Let no time pass but what `ahead_s` says: what is counted then does not depend on a busy machine."""
        self.stands_at_s = super().monotonic_s()

    def now_ns(self) -> int:
        return END + 5 * MINUTE

    def monotonic_s(self) -> float:
        return (super().monotonic_s() if self.stands_at_s is None else self.stands_at_s) + self.ahead_s


def _asked(source: MemorySource, times: int) -> bool:
    return len(source.asked) == times


class Bench:
    """A scheduler on a store."""

    def __init__(self, store: MarketStore, *sources: MemorySource) -> None:
        self.store = store
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.told: list[tuple[str, int, int]] = []
        self.is_full = False
        self.scheduler = Scheduler(
            sources,
            self.do,
            lambda _: FX,
            self.changed,
            lambda _: 2**62,
            self.clock,
            structlog.get_logger(),
            random.Random(1),
        )

    async def do(self, work: Callable[[MarketStore], Any], *, writes: str = "") -> Any:
        await asyncio.sleep(0)
        if writes and self.is_full:
            raise StoreError(f"{writes} is not written", details={"read_only": True})
        return work(self.store)

    def changed(self, instrument: str, timeframe: Timeframe, page: BarPage, stored: Any, start_ns: int) -> None:
        if stored.changed is not None:
            self.told.append((instrument, *stored.changed))

    def request(self, priority: Priority = Priority.HISTORY, **keywords: Any) -> Job:
        symbol = keywords.pop("symbol", "EUR/USD")
        first, last = keywords.pop("start", START), keywords.pop("end", END)
        return self.scheduler.request(symbol, M1, first, last, priority, **keywords)

    def work(self, until: Callable[[], bool] | None = None, deadline_s: float = 60.0) -> None:
        """Let it run until everything is done, or something is true."""

        async def run() -> None:
            task = asyncio.create_task(self.scheduler.run())
            try:
                async with asyncio.timeout(deadline_s):
                    while not (until() if until else self.idle) and not task.done():
                        await asyncio.sleep(0)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        self.runner.run(run())

    @property
    def idle(self) -> bool:
        return not any(job.is_open for job in self.scheduler.jobs())

    def bars(self, symbol: str = "EUR/USD") -> Any:
        return self.store.bars(symbol, "1m")


@pytest.fixture(autouse=True)
def loops_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    runners: list[asyncio.Runner] = []
    begin = Bench.__init__

    def remember(bench: Bench, *arguments: Any) -> None:
        begin(bench, *arguments)
        runners.append(bench.runner)

    monkeypatch.setattr(Bench, "__init__", remember)
    yield
    for runner in runners:
        runner.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MarketStore]:
    store = SqliteMarketStore(tmp_path / "market.db", "test")
    yield store
    store.close()


def test_missing_bars_are_fetched_the_newest_first_and_closed_hours_are_not_asked_for(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS)
    bench = Bench(store, source)
    job = bench.request()
    bench.work()
    assert same(bench.bars(), BARS)
    assert (job.state, job.bars, job.done_frac) == ("done", len(BARS), 1.0)
    begins = [start for _, start, _ in source.asked]
    assert begins == sorted(begins, reverse=True)
    assert all(end - start <= 100 * MINUTE for _, start, end in source.asked)
    closed, opened = parse_time("2024-03-08T22:00Z"), parse_time("2024-03-10T21:00Z")
    assert not any(
        closed <= start < opened or closed < end <= opened for _, start, end in source.asked if start < opened
    )


def test_only_gaps_are_asked_for_and_what_is_stored_stays(store: MarketStore) -> None:
    stored = without(market_bars(FX, "2024-03-08T18:00Z", "2024-03-11T02:00Z", seed=2), range(50, 60))
    store.put_bars("EUR/USD", "1m", "live", stored)
    source = MemorySource(EUR_USD=BARS)
    bench = Bench(store, source)
    bench.request()
    bench.work()
    assert source.asked == [("EUR/USD", START + 50 * MINUTE, START + 60 * MINUTE)]
    assert same(bench.bars(), stored[:50].append(BARS[50:60]).append(stored[50:]))
    assert bench.told == [("EUR/USD", START + 50 * MINUTE, START + 60 * MINUTE)]


def test_minutes_without_quotes_are_asked_for_once(store: MarketStore) -> None:
    quiet = without(BARS, [5, 6, 100, len(BARS) - 1])
    source = MemorySource(EUR_USD=quiet)
    bench = Bench(store, source)
    bench.request()
    bench.work()
    assert same(bench.bars(), quiet)
    asked = len(source.asked)
    again = bench.request()
    bench.work()
    assert (again.state, len(source.asked)) == ("done", asked)
    assert store.answered("EUR/USD", "1m")[0] == TimeRange(START, parse_time("2024-03-08T22:00Z"), "memory")


def test_a_page_that_was_answered_in_part_is_gone_on_with(store: MarketStore) -> None:
    for replace in (False, True):
        source = MemorySource(EUR_USD=BARS)
        source.at_once = 30
        bench = Bench(store, source)
        bench.request(replace=replace)
        bench.work()
        assert same(bench.bars(), BARS)


def test_fetching_again_records_what_changed(store: MarketStore) -> None:
    old = market_bars(FX, "2024-03-08T18:00Z", "2024-03-11T02:00Z")
    old.close[7] += 1 / 128
    store.put_bars("EUR/USD", "1m", "live", old)
    bench = Bench(store, MemorySource(EUR_USD=BARS))
    job = bench.request(replace=True)
    bench.work()
    assert same(bench.bars(), BARS)
    assert job.bars == 1
    [revision] = store.revisions("EUR/USD", "1m")
    assert same(revision.replaced, old[7:8])
    assert bench.told == [("EUR/USD", START + 7 * MINUTE, START + 8 * MINUTE)]


def test_a_more_urgent_request_goes_before_the_next_page(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS, GBP_USD=BARS, USD_JPY=BARS, AUD_USD=BARS)
    bench = Bench(store, source)
    bench.request(Priority.HISTORY)
    bench.work(lambda: len(source.asked) == 2)
    bench.request(Priority.REQUESTED, symbol="AUD/USD")
    bench.request(Priority.WARM_UP, symbol="GBP/USD")
    bench.request(Priority.LIVE, symbol="USD/JPY")
    assert [job.instrument for job in bench.scheduler.jobs()] == ["USD/JPY", "GBP/USD", "AUD/USD", "EUR/USD"]
    bench.work()
    order = list(dict.fromkeys(symbol for symbol, _, _ in source.asked[2:]))
    assert order == ["USD/JPY", "GBP/USD", "AUD/USD", "EUR/USD"]
    assert len(source.asked[2:]) == len(set(source.asked[2:])), "nothing is fetched twice"


def test_the_same_request_twice_is_one_job(store: MarketStore) -> None:
    bench = Bench(store, MemorySource(EUR_USD=BARS))
    whole = bench.request(Priority.WARM_UP)
    assert bench.request(Priority.WARM_UP) is whole
    assert bench.request(Priority.HISTORY, start=START + MINUTE) is whole, "it is fetched sooner anyway"
    assert bench.request(Priority.LIVE) is not whole
    assert bench.request(Priority.WARM_UP, replace=True) is not whole


def test_a_source_that_is_busy_is_left_alone_for_as_long_as_it_says(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS)
    source.trouble = [SourceBusy("slow down", details={"retry_after_s": 60})]
    bench = Bench(store, source)
    job = bench.request()
    bench.work(lambda: bool(job.failures))
    assert (job.state, job.reason) == ("waiting", "slow down")
    bench.clock.ahead_s = 30.0
    with pytest.raises(TimeoutError):
        bench.work(deadline_s=0.05)
    assert len(source.asked) == 1
    bench.clock.ahead_s = 61.0
    bench.work()
    assert same(bench.bars(), BARS)
    assert (job.state, job.reason) == ("done", "")


def test_a_page_that_the_disk_has_no_room_for_is_asked_for_again_later(store: MarketStore) -> None:
    bench = Bench(store, MemorySource(EUR_USD=BARS))
    bench.is_full = True
    job = bench.request()
    bench.work(lambda: bool(job.failures))
    assert (job.state, job.reason) == ("waiting", "history of a source is not written")
    bench.is_full, bench.clock.ahead_s = False, 10.0
    bench.work()
    assert same(bench.bars(), BARS)


def test_a_job_that_fails_does_not_hold_others_up(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS, GBP_USD=BARS)
    # Misplaced by half a minute: not what a 1m bar of any calendar looks like.
    source.bars["EUR/USD"] = market_bars(Calendar.get("24/7"), "2024-03-08T18:00Z", "2024-03-11T02:00Z", "30s")
    bench = Bench(store, source)
    bad, good = bench.request(Priority.LIVE), bench.request(symbol="GBP/USD")
    while good.state != "done":
        bench.clock.ahead_s += max(0.0, bad.due_s - bench.clock.monotonic_s() - 0.4)
        with contextlib.suppress(TimeoutError):
            bench.work(lambda: good.state == "done", deadline_s=0.3)
    assert same(bench.bars("GBP/USD"), BARS)
    assert "begins at" in bad.reason
    assert len(bench.bars()) == 0


def test_what_a_source_refuses_is_not_asked_again(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS)
    source.trouble = [SourceRefused("no such instrument")]
    bench = Bench(store, source)
    job = bench.request()
    bench.work()
    assert (job.state, job.reason, len(source.asked)) == ("failed", "no such instrument", 1)


def test_what_nobody_foresaw_in_a_source_is_a_failure_of_it_and_ends_nothing(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS)
    source.trouble = [ZeroDivisionError("of token s3cret")]
    bench = Bench(store, source)
    job = bench.request()
    bench.work(lambda: bool(job.failures))
    assert job.reason.startswith("source memory failed: ZeroDivisionError in ")
    assert "s3cret" not in job.reason
    bench.clock.ahead_s = 10.0
    bench.work()
    assert same(bench.bars(), BARS)


def test_a_source_that_does_not_let_us_in_is_asked_again_much_later(store: MarketStore) -> None:
    source = MemorySource(EUR_USD=BARS)
    source.trouble = [ConfigError("token refused")]
    bench = Bench(store, source)
    job = bench.request()
    bench.work(lambda: bool(job.failures))
    assert job.due_s - bench.clock.monotonic_s() > 200
    bench.clock.ahead_s = 301.0
    bench.work()
    assert job.state == "done"


def test_requests_keep_to_the_rate_of_the_source(store: MarketStore) -> None:
    limits = SourceLimits(page_bars=100, requests_per_s=1.0, burst=3, settle_s=0.0)
    source = MemorySource(limits=limits, EUR_USD=BARS)
    bench = Bench(store, source)
    bench.clock.stand_still()
    bench.request()
    for ahead_s, asked in ((0.0, 3), (1.5, 4)):
        bench.clock.ahead_s = ahead_s
        bench.work(partial(_asked, source, asked))
        with pytest.raises(TimeoutError):
            bench.work(deadline_s=0.05)
        assert len(source.asked) == asked


def test_a_request_of_a_person_goes_on_after_a_restart(store: MarketStore) -> None:
    for replace in (False, True):
        source = MemorySource(EUR_USD=BARS)
        first = Bench(store, source)
        job = first.request(Priority.REQUESTED, replace=replace)
        first.runner.run(first.scheduler.keep(job))
        first.work(partial(_asked, source, 4))
        [saved] = store.backfills()
        assert START < saved.left_ns < END
        second = Bench(store, source)
        second.scheduler.resume(store.backfills())
        before = len(source.asked)
        second.work()
        assert source.asked[before][2] <= saved.left_ns, "what was done is not done again"
        assert same(second.bars(), BARS)
        assert store.backfills() == []
        store.put_bars("EUR/USD", "1m", "live", market_bars(FX, "2024-03-08T18:00Z", "2024-03-11T02:00Z", seed=3))


def test_a_request_of_a_person_is_kept_although_a_starting_worker_asked_for_the_same_bars(store: MarketStore) -> None:
    bench = Bench(store, MemorySource(EUR_USD=BARS))
    bench.request(Priority.WARM_UP)
    asked = bench.request(Priority.REQUESTED, start=START + 60 * MINUTE)
    bench.runner.run(bench.scheduler.keep(asked))
    assert [one.start_ns for one in store.backfills()] == [START + 60 * MINUTE]
    bench.work()
    assert (asked.state, asked.pages) == ("done", 0), "the more urgent job fetched them all"
    assert store.backfills() == []


def test_a_person_may_name_the_source(store: MarketStore) -> None:
    one, other = MemorySource("one", EUR_USD=BARS), MemorySource("other", EUR_USD=BARS)
    bench = Bench(store, one, other)
    assert bench.request().source == "one"
    assert bench.request(source="other").source == "other"
    with pytest.raises(Rejected, match="'third'; known: one, other"):
        bench.request(source="third")
    with pytest.raises(Rejected, match="no source has 1m bars of USD/CHF"):
        bench.request(symbol="USD/CHF")


def test_bars_that_are_not_over_are_not_asked_for(store: MarketStore) -> None:
    bench = Bench(store, MemorySource(EUR_USD=BARS))
    job = bench.request(end=END + 3600 * NS_PER_S)
    assert job.end_ns == END + 5 * MINUTE
    with pytest.raises(Rejected, match="past"):
        bench.request(start=END + 10 * MINUTE, end=END + 20 * MINUTE)
