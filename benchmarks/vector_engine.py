"""The vector engine on a million minutes, or more: a cross, a full run, a grid; beside a copy of the bars."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread, as the mark says; before numpy is imported
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.instruments import Instrument
from atrader.market import Bars
from benchmarks._support.peers import NoPeers, Peers
from benchmarks._support.report import Options, Report, run
from research.vector import (
    CONVENTIONS,
    Decisions,
    Execution,
    Prices,
    Rules,
    Target,
    Terms,
    Workspace,
    average_crossings,
    average_range,
    built,
    day_ends,
    equity_curve,
    grid_crossings,
    sweep,
)

CLAIM = "Whole columns, whole ticks: a strategy over a million bars costs a few copies of them"
MINUTE = 60 * 10**9
MILLION = 1_000_000
COIN = Instrument(
    symbol="BTC/USD", kind="spot", price_tick=Decimal("0.000001"), pip=Decimal("0.000001"), unit_step=Decimal(1),
    min_units=Decimal(1), max_units=Decimal(1000), margin_rate_frac=Decimal(1), calendar="24/7",
)  # fmt: skip
# Fees of 0.1 percent on each side, money to eight digits: what the peers do in float64.
TERMS = Terms(
    instrument=COIN, initial_balance=Decimal(1_000_000), currency_digits=8, commission_per_million=Decimal(1000)
)
NEXT_OPEN = Rules(convention=CONVENTIONS["next-open"])
FAST = (5, 8, 10, 15, 20, 30, 40, 50, 60, 80)
SLOW = (100, 120, 150, 200, 250, 300, 400, 500, 700, 1000)


def bars_of(count: int) -> Bars:
    """Return minutes of a walk between about 40 and 150, six decimals: averages are never equal by chance."""
    chance = np.random.default_rng(20240501)
    closes = np.round(100 * np.exp(np.cumsum(chance.normal(0, 4e-4, count))), 6)
    opens = np.round(np.concatenate(([100.0], closes[:-1])) * (1 + chance.normal(0, 5e-5, count)), 6)
    wicks = 1 + np.abs(chance.normal(0, 2e-4, (2, count)))
    highs = np.round(np.maximum(opens, closes) * wicks[0], 6)
    lows = np.round(np.minimum(opens, closes) / wicks[1], 6)
    times = parse_time("2020-01-01T00:00:00Z") + np.arange(count) * MINUTE
    bids = (opens, highs, lows, closes)
    return Bars(times, *bids, *bids, np.ones(count))


def best_ms(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Return the shortest CPU time of the process, all its threads together, and what came of it."""
    best, result = float("inf"), None
    for _ in range(rounds):
        began_s = time.process_time()
        result = work()
        best = min(best, time.process_time() - began_s)
    return best * 1000, result


def crossing(prices: Prices, fast: int, slow: int, units: int = 1) -> Decisions:
    """Long while the fast average is above the slow one."""
    return long_while(*average_crossings(prices.bid_close, fast, slow), units)


def long_while(bars: np.ndarray, sides: np.ndarray, units: int = 1) -> Decisions:
    """Enter where a column crosses above, leave where it crosses below."""
    above = sides > 0
    return Decisions.at(bars, above.astype(np.int8), (~above).astype(np.int8), steps=units)


def full_run(prices: Prices, execution: Execution, workspace: Workspace, out: np.ndarray) -> Any:
    """Cross, stop three average ranges away, two partial targets; trades, equity, drawdown."""
    decisions = crossing(prices, 10, 100, units=100)  # something that parts can be taken of
    distance = np.rint(3.0 * np.nan_to_num(average_range(prices, 14, out)[decisions.bar]))
    stop = prices.bid_close[decisions.bar] - distance.astype(np.int32)
    outcome = execution.run(decisions.with_protection(stop=stop), workspace)
    return outcome, equity_curve(outcome, prices, TERMS, out=out)


def grid(prices: Prices, threads: int) -> Any:
    """Run a hundred crosses: averages once, then crossings, trades and daily profits of each pair."""
    pairs = [(fast, slow) for fast in FAST for slow in SLOW]
    halves = [pairs[part::threads] for part in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        found = [one for half in pool.map(lambda half: grid_crossings(prices.bid_close, half), halves) for one in half]
    days = day_ends(prices, Calendar.get("24/7"))
    return sweep(prices, lambda number: long_while(*found[number]), 100, NEXT_OPEN, TERMS, days, threads=threads)


PEER_BARS = 100_000  # enough to agree or not; a million take freqtrade two minutes
CROSSES = Path(__file__).parent / "_support" / "crosses"


def closed_at_the_end(prices: Prices) -> Decisions:
    """Return the cross that enters nothing in the last bar and leaves at its open: so freqtrade ends every run."""
    bars, sides = average_crossings(prices.bid_close, 10, 100)
    last = len(prices) - 2  # decided there, filled in the last bar
    before = bars < last
    return long_while(np.append(bars[before], last), np.append(sides[before], -1))


def add_peers(report: Report, bars: Bars, directory: Path) -> None:
    """Put the same cross through other engines in an environment made for them, if a package index answers."""
    prices = Prices.of(bars, TERMS, MINUTE)
    execution, workspace = Execution(prices, NEXT_OPEN, TERMS), Workspace()
    for name in ("open_time_ns", "open", "high", "low", "close"):
        np.save(directory / f"{name}.npy", getattr(bars, name))
    for package in ("vectorbt", "backtesting", "freqtrade"):
        decide = closed_at_the_end if package == "freqtrade" else lambda prices: crossing(prices, 10, 100)
        ours_ms, outcome = best_ms(lambda decide=decide: execution.run(decide(prices), workspace), 5)
        equity = float(equity_curve(outcome, prices, TERMS).equity[-1])
        script = (CROSSES / f"{package}.py").read_text()
        longest_s = 300.0 * max(1.0, len(bars) / PEER_BARS)
        try:
            trades, found, took_ms = Peers(directory / package, package).run(script, directory, longest_s=longest_s)
        except NoPeers as error:
            report.notes.append(f"{package}: left out, it could not be installed or run here ({error})")
            continue
        apart = abs(found / equity - 1)
        report.add(
            f"SMA 10/100 cross, {len(bars):,} bars: {trades:,} trades, equity apart by {apart:.1e}", ours_ms, "ms",
            beside=package, floor=took_ms, mark="trades equal, <= 1e-9 apart",
            holds=trades == len(outcome.trades) and apart <= 1e-9,
        )  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bars", type=int, metavar="N", help="bars to play (default: a million); with more of them no grid"
    )
    parser.add_argument(
        "--peers", action="store_true", help="vectorbt, backtesting.py and freqtrade, too; needs a package index"
    )
    parser.add_argument(
        "--peer-bars", type=int, default=PEER_BARS, metavar="N", help="bars that go to them (default: %(default)s)"
    )


def measure(options: Options) -> Report:
    count = options.given.bars or (100_000 if options.quick else MILLION)
    share = count / MILLION
    rounds = options.rounds or (5 if options.quick else 15)
    report = Report()
    bars = bars_of(count)
    prepared_ms, prices = best_ms(lambda: Prices.of(bars, TERMS, MINUTE), 3)
    source, target = np.ones(count), np.empty(count)
    copy_ms, _ = best_ms(lambda: np.copyto(target, source), rounds)

    def add(what: str, value: float, mark_ms: float) -> None:
        mark = mark_ms * share
        report.add(
            what, value, "ms", beside="copy of a column", floor=copy_ms, mark=f"<= {mark:g} ms", holds=value <= mark
        )

    for engine, mark_ms in (("compiled", 2.5), ("plain", 15.0)):
        if engine == "compiled" and not built.is_there:
            report.notes.append("the compiled execution was not built here: install a C compiler and 'make setup'")
            continue
        was, built.is_there = built.is_there, engine == "compiled"
        execution = Execution(prices, NEXT_OPEN, TERMS, engine=engine)  # type: ignore[arg-type]
        workspace = Workspace()
        took_ms, outcome = best_ms(lambda e=execution, w=workspace: e.run(crossing(prices, 10, 100), w), rounds)
        built.is_there = was
        how = "numpy alone" if engine == "plain" else engine
        add(f"SMA 10/100 cross, {how}: {len(outcome.trades):,} trades", took_ms, mark_ms)

    targets = Rules(convention=CONVENTIONS["next-open"], targets=(Target(1, 0.4), Target(2, 0.3)))
    execution, workspace = Execution(prices, targets, TERMS), Workspace()
    took_ms, (outcome, _) = best_ms(lambda: full_run(prices, execution, workspace, target), rounds)
    add(f"ATR stop, two targets, trades, equity, drawdown: {len(outcome.fills):,} fills", took_ms, 10.0)
    report.add("bars made into ticks, all checked (once for any number of runs)", prepared_ms, "ms",
               beside="copy of a column", floor=copy_ms)  # fmt: skip
    if count <= MILLION:
        add_grid(report, prices, add)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mark_mb = 600 if count <= MILLION else 1_200
    report.add("memory of all that", peak_mb, "MB", mark=f"<= {mark_mb:,} MB", holds=peak_mb <= mark_mb)
    if options.given.peers:
        add_peers(report, bars[: options.given.peer_bars], options.directory)
    return report


def add_grid(report: Report, prices: Prices, add: Callable[[str, float, float], None]) -> None:
    took_ms, result = best_ms(lambda: grid(prices, 1), 3)
    add(f"grid of 100 pairs: {int(result.trades.sum()):,} trades, daily profits", took_ms, 100.0)
    two_s, one_s = (wall_s(lambda threads=threads: grid(prices, threads)) for threads in (2, 1))
    report.add("the same on two threads, by the clock", two_s * 1000, "ms", beside="one thread", floor=one_s * 1000)


def wall_s(work: Callable[[], Any]) -> float:
    """Return the shorter wall time of two."""
    times = []
    for _ in range(2):
        began_s = time.perf_counter()
        work()
        times.append(time.perf_counter() - began_s)
    return min(times)


if __name__ == "__main__":
    run("vector_engine", CLAIM, measure, add_arguments)
