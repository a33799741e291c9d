"""Bars a second of the event engine: a strategy in pure Python, decided bar by bar on a paper account."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import cProfile
import pstats
import time
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import NamedTuple

import numpy as np

from atrader.clock import parse_time
from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, EventStrategy
from benchmarks._support.report import Options, Report, run
from research.events import EventEngine, Result
from tests.support.event_runs import account_of, instance_of, plan_of

CLAIM = "A strategy in pure Python decides a million bars a second, and its orders are those of a live run"
PAIR = "BTC/USD"
MARK_BARS_PER_S = 1_000_000
CHUNK = 8192


class Cross(EventStrategy):
    """Long while a fast average is above a slow one, with a stop in average true ranges; state kept bar by bar."""

    def __init__(self, fast: int, slow: int, stop_atr: float = 3.0) -> None:
        super().__init__(BaseParameters())
        self._fast, self._slow, self._stop = fast, slow, stop_atr
        self._fast_ticks: deque[int] = deque([0] * fast, fast)
        self._slow_ticks: deque[int] = deque([0] * slow, slow)
        self._ticks_fast = self._ticks_slow = 0
        self._count = 0
        self._atr = 0.0
        self._close = 0.0
        self._above = True
        self._held: str | None = None

    def on_bar(self, bar: Bar) -> None:
        """Bring averages and range up to date; act when the averages crossed."""
        _, _, high, low, close, _, _, _, _, _ = bar
        ticks = round(close * 10)
        fast, slow = self._fast_ticks, self._slow_ticks
        self._ticks_slow += ticks - slow[0]
        self._ticks_fast += ticks - fast[0]
        fast.append(ticks)
        slow.append(ticks)
        before, self._close = self._close, close
        self._atr += ((high if high > before else before) - (low if low < before else before) - self._atr) / 14
        self._count += 1
        above = self._ticks_fast * self._slow > self._ticks_slow * self._fast
        if above is not self._above:
            self._above = above
            if self._count > self._slow:
                self._turn(above, close)

    def on_trade(self, trade: Trade) -> None:
        """Remember what is open."""
        self._held = trade.trade_id if trade.is_open else None

    def _turn(self, above: bool, close: float) -> None:
        if above:
            stop = decimal_price(close - self._stop * self._atr, self.context.instrument.price_tick)
            self.context.order("buy", units=Decimal("0.01"), stop_loss=stop)
        elif self._held is not None:
            self.context.close(self._held)


class Idle(EventStrategy):
    """Looks at each bar and does nothing: what is left is the engine."""

    def on_bar(self, bar: Bar) -> None:
        """Do nothing."""


def bars_of(count: int) -> Bars:
    """Return minutes of a random walk between 20,000 and 100,000, to the tick."""
    chance = np.random.default_rng(20240501)
    closes = np.round(50_000 * np.exp(np.cumsum(chance.normal(0, 2e-4, count))), 1)
    opens = np.round(np.concatenate(([50_000.0], closes[:-1])) + chance.normal(0, 1, count), 1)
    highs = np.round(np.maximum(opens, closes) + np.abs(chance.normal(0, 4, count)), 1)
    lows = np.round(np.minimum(opens, closes) - np.abs(chance.normal(0, 4, count)), 1)
    bids = (opens, highs, lows, closes)
    times = parse_time("2020-01-01T00:00:00Z") + np.arange(count) * 60 * 10**9
    return Bars(times, *bids, *(column + 1.0 for column in bids), np.ones(count))


class Run(NamedTuple):
    """What a run of the engine cost, in CPU seconds, and what came of it."""

    took_s: float
    alone_s: float  # of the strategy's arithmetic over the same bars, with nobody to order from
    result: Result


def timed(
    bars: Bars, make: Callable[[], EventStrategy], rounds: int, *, look_ahead: bool = True
) -> tuple[float, Result]:
    """Return the CPU seconds of the best run, and its result."""
    best, result = float("inf"), None
    for _ in range(rounds):
        plan = plan_of(account_of(), [(instance_of(instrument=PAIR), make())], {(PAIR, "1m"): bars})
        began_s = time.process_time()
        result = EventEngine(plan, look_ahead=look_ahead).run()
        best = min(best, time.process_time() - began_s)
    assert result is not None
    return best, result


def beside_alone(bars: Bars, make: Callable[[], Cross], rounds: int) -> Run:
    """Return the best run, and the best of the arithmetic alone, taken in turns: what slows one slows the other."""
    runs = [(timed(bars, make, 1), alone(bars, make())) for _ in range(rounds)]
    return Run(min(took_s for (took_s, _), _ in runs), min(alone_s for _, alone_s in runs), runs[0][0][1])


def alone(bars: Bars, strategy: Cross) -> float:
    """Return the CPU seconds of the strategy's arithmetic in a plain loop over bars that are made already."""
    strategy._turn = lambda above, close: None  # type: ignore[method-assign]
    on_bar, took_s = strategy.on_bar, 0.0
    for first in range(0, len(bars), CHUNK):
        columns = (column.tolist() for column in bars[first : first + CHUNK].columns)
        rows = list(map(partial(tuple.__new__, Bar), zip(*columns, strict=True)))
        began_s = time.process_time()
        for row in rows:
            on_bar(row)
        took_s += time.process_time() - began_s
    return took_s


def measure(options: Options) -> Report:
    count = 100_000 if options.quick else 1_000_000
    rounds = options.rounds or (2 if options.quick else 3)
    bars = bars_of(count)
    report = Report()
    idle_s, _ = timed(bars, lambda: Idle(BaseParameters()), rounds)
    report.add("engine, for each bar of a strategy that does nothing", idle_s / count * 1e6, "us")
    for fast, slow in ((50, 1000), (10, 100)):
        run = beside_alone(bars, partial(Cross, fast, slow), rounds)
        orders, trades = len(run.result.orders), len(run.result.closed)
        name = f"SMA {fast}/{slow} with ATR stop, {trades:,} trades in {count:,} bars"
        report.add(
            f"{name}: all of it", count / run.took_s, "bars/s",
            beside="its arithmetic in a plain loop", floor=count / run.alone_s,
            mark=f">= {MARK_BARS_PER_S:,}", holds=count / run.took_s >= MARK_BARS_PER_S,
        )  # fmt: skip
        engine_s = run.took_s - run.alone_s
        report.add(
            f"{name}: engine and account without that arithmetic", count / engine_s, "bars/s",
            mark=f">= {MARK_BARS_PER_S:,}", holds=count / engine_s >= MARK_BARS_PER_S,
        )  # fmt: skip
        report.add(f"{name}: account, for each order", (engine_s - idle_s) / orders * 1e6, "us")
    part = bars[: count // 20]
    report.add("calls in Python and C for each order, without that arithmetic", calls_for_each_order(part), "calls")
    took_s, slowly = timed(part, lambda: Cross(10, 100), 1, look_ahead=False)
    report.add("SMA 10/100, every quote played (as the look-ahead is checked)", len(part) / took_s, "bars/s")
    assert slowly.fills == timed(part, lambda: Cross(10, 100), 1)[1].fills
    return report


def calls_for_each_order(bars: Bars) -> float:
    """Return the calls, Python's and C's, that an order costs in all: the same on every machine."""
    plan = plan_of(account_of(), [(instance_of(instrument=PAIR), Cross(10, 100))], {(PAIR, "1m"): bars})
    engine = EventEngine(plan)
    in_all = calls_of(engine.run)
    return (in_all - calls_of(lambda: alone(bars, Cross(10, 100)))) / engine.account.submitted


def calls_of(work: Callable[[], object]) -> int:
    """Return how many calls something makes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return calls


if __name__ == "__main__":
    run("event_engine", CLAIM, measure)
