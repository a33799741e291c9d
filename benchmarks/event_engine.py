"""Bars a second of the event engine: a strategy in pure Python, called for each bar, on a paper account."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import cProfile
import pstats
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial

import numpy as np
from numpy.typing import NDArray

from atrader.clock import parse_time
from atrader.indicator_strategy import IndicatorStrategy
from atrader.indicators import (
    Adx,
    Atr,
    Bollinger,
    Ema,
    Highest,
    Lowest,
    Macd,
    Rsi,
    Sma,
    atr,
    sma,
    wilder_memory,
)
from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, Context, EventStrategy
from benchmarks._support.report import Options, Report, run
from research.events.engine import EventEngine
from research.events.result import Result
from tests.support.event_runs import account_of, instance_of, plan_of

CLAIM = "A strategy in pure Python decides a million bars a second, and its orders are those of a live run"
PAIR = "BTC/USD"
MARK_BARS_PER_S = 1_000_000
MARK_INDICATORS_US = 5.0
STOP_ATR, ATR_PERIOD = 3.0, 14


class Turning:
    """Long while a fast average is above a slow one, with a stop in average true ranges."""

    context: Context
    above: bool | None = None
    held: str | None = None

    def turn(self, above: bool, close: float, atr_now: float) -> None:
        """Open or close where the averages crossed; at the first bar nobody knows whether they did."""
        is_first, self.above = self.above is None, above
        if is_first:
            return
        if above:
            stop = decimal_price(close - STOP_ATR * atr_now, self.context.instrument.price_tick)
            self.context.order("buy", units=Decimal("0.01"), stop_loss=stop)
        elif self.held is not None:
            self.context.close(self.held)

    def on_trade(self, trade: Trade) -> None:
        """Remember what is open."""
        self.held = trade.trade_id if trade.is_open else None


class Cross(Turning, IndicatorStrategy):
    """Names its indicators; averages of whole ticks, which are exact."""

    def __init__(self, fast: int, slow: int) -> None:
        super().__init__(BaseParameters())
        self._fast, self._slow = fast, slow

    @property
    def warmup_bars(self) -> int:
        """Enough for the averages and a settled range."""
        return max(self._slow, wilder_memory(ATR_PERIOD))

    def indicators(self, bars: Bars) -> tuple[NDArray[np.float64], ...]:
        """Return the averages and the range."""
        ticks = np.rint(bars.close * 10)
        return sma(ticks, self._fast), sma(ticks, self._slow), atr(bars.high, bars.low, bars.close, ATR_PERIOD)

    def on_indicators(self, bar: Bar, values: tuple[float, ...]) -> None:
        """Act when the averages crossed."""
        fast, slow, atr_now = values
        above = fast > slow
        if above is not self.above:
            self.turn(above, bar.close, atr_now)


class Kept(Turning, EventStrategy):
    """The same with indicators that it keeps itself, bar by bar."""

    def __init__(self, fast: int, slow: int) -> None:
        super().__init__(BaseParameters())
        self._fast, self._slow, self._atr = Sma(fast), Sma(slow), Atr(ATR_PERIOD)
        self._left = max(slow, wilder_memory(ATR_PERIOD))

    def on_bar(self, bar: Bar) -> None:
        """Bring the indicators up to date; act when the averages crossed."""
        close = bar.close
        ticks = (close * 10.0 + 0.5) // 1.0
        fast, slow, atr_now = (
            self._fast.update(ticks), self._slow.update(ticks), self._atr.update(bar.high, bar.low, close),
        )  # fmt: skip
        self._left -= 1
        if self._left <= 0 and (fast > slow) is not self.above:
            self.turn(fast > slow, close, atr_now)


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


def alone(bars: Bars, strategy: Cross) -> float:
    """Return the CPU seconds of the strategy in a plain loop over bars and values that are made already."""
    strategy.turn = lambda above, close, atr_now: setattr(strategy, "above", above)  # type: ignore[method-assign]
    columns = [column.tolist() for column in strategy.indicators(bars)]
    values = list(zip(*columns, strict=True))[strategy.warmup_bars - 1 :]
    rows = list(map(partial(tuple.__new__, Bar), zip(*(column.tolist() for column in bars.columns), strict=True)))
    rows, on_indicators = rows[strategy.warmup_bars - 1 :], strategy.on_indicators
    began_s = time.process_time()
    for row, value in zip(rows, values, strict=True):
        on_indicators(row, value)
    return time.process_time() - began_s


def measure(options: Options) -> Report:
    count = 100_000 if options.quick else 1_000_000
    rounds = options.rounds or (2 if options.quick else 3)
    bars = bars_of(count)
    report = Report()
    idle_s, _ = timed(bars, lambda: Idle(BaseParameters()), rounds)
    report.add("engine, for each bar of a strategy that does nothing", idle_s / count * 1e6, "us")
    for fast, slow in ((50, 1000), (10, 100)):
        took_s, result = timed(bars, partial(Cross, fast, slow), rounds)
        name = f"SMA {fast}/{slow} with ATR stop, {len(result.closed):,} trades in {count:,} bars"
        report.add(
            name, count / took_s, "bars/s",
            beside="the strategy in a plain loop, nothing ordered", floor=count / alone(bars, Cross(fast, slow)),
            mark=f">= {MARK_BARS_PER_S:,}", holds=count / took_s >= MARK_BARS_PER_S,
        )  # fmt: skip
        report.add(f"{name}: for each order", (took_s - idle_s) / len(result.orders) * 1e6, "us")
        kept_s, kept = timed(bars, partial(Kept, fast, slow), rounds)
        report.add(
            f"{name}, indicators kept bar by bar", count / kept_s, "bars/s",
            mark=f">= {MARK_BARS_PER_S:,}", holds=count / kept_s >= MARK_BARS_PER_S,
        )  # fmt: skip
        assert kept.fills == result.fills
    nine_us = live_indicators_us(bars[: min(count, 100_000)], rounds)
    report.add(
        "all nine live indicators, for each bar", nine_us, "us",
        mark=f"<= {MARK_INDICATORS_US:g}", holds=nine_us <= MARK_INDICATORS_US,
    )  # fmt: skip
    part = bars[: count // 5]
    report.add("calls in Python and C for each order", calls_for_each_order(part), "calls")
    took_s, slowly = timed(part, lambda: Cross(10, 100), 1, look_ahead=False)
    report.add("SMA 10/100, every quote played (as the look-ahead is checked)", len(part) / took_s, "bars/s")
    assert slowly.fills == timed(part, lambda: Cross(10, 100), 1)[1].fills
    return report


def live_indicators_us(bars: Bars, rounds: int) -> float:
    """Return the CPU microseconds that every indicator of the library costs at a bar, updated one after the other."""
    best_s = float("inf")
    for _ in range(rounds):
        of_close = [one.update for one in (Sma(20), Ema(20), Rsi(14), Bollinger(20), Macd(), Highest(20), Lowest(20))]
        of_bar = [one.update for one in (Atr(14), Adx(14))]
        columns = (bars.high.tolist(), bars.low.tolist(), bars.close.tolist())
        began_s = time.process_time()
        for high, low, close in zip(*columns, strict=True):
            for update in of_close:
                update(close)
            for update_bar in of_bar:
                update_bar(high, low, close)
        best_s = min(best_s, time.process_time() - began_s)
    return best_s / len(bars) * 1e6


def calls_for_each_order(bars: Bars) -> float:
    """Return the calls, Python's and C's, that an order costs in all: the same on every machine."""
    plan = plan_of(account_of(), [(instance_of(instrument=PAIR), Cross(10, 100))], {(PAIR, "1m"): bars})
    engine = EventEngine(plan)
    return (calls_of(engine.run) - len(bars)) / engine.account.submitted


def calls_of(work: Callable[[], object]) -> int:
    """Return how many calls something makes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return calls


if __name__ == "__main__":
    run("event_engine", CLAIM, measure)
