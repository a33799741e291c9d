"""A whole walk-forward on a million minutes: 1,500 sets with ATR stops, windows, ranking, overfitting, verdict."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread, as the mark says; before numpy is imported
sys.path.append(str(Path(__file__).resolve().parents[1]))

import itertools
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN
from atrader.market import Bars
from benchmarks._support.report import Options, Report, median, run
from benchmarks.vector_engine import MINUTE, bars_of
from research.events.market import Market
from research.events.plan import Plan, SeriesKey
from research.events.tape import BarTape
from research.optimisation.analysis import Analysis, analyse
from research.optimisation.axes import Choices
from research.optimisation.events import days_of
from research.optimisation.relay import Relay
from research.optimisation.searching import ListedSearch
from research.optimisation.space import Combination
from research.optimisation.study import run_study
from research.optimisation.trials import TrialFile
from research.optimisation.vectors import VectorTrials
from research.optimisation.windows import WalkForward
from research.vector import Decisions, day_ends
from research.vectorised import Stage
from worker.strategies.atr_cross import AtrCross

CLAIM = "Choosing among 1,500 sets, window by window, and knowing whether it was luck takes seconds"
DAYS_A_YEAR = 365.0
LOT = 64  # sets that are played side by side
AXES = [
    Choices("fast", (5, 10, 15, 20, 25)),
    Choices("slow", (50, 75, 100, 125, 150, 175, 200, 250, 300, 400)),
    Choices("atr_window", (7, 10, 14, 20, 30)),
    Choices("atr_multiplier", (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)),
]
SETS: list[Combination] = [
    dict(zip([axis.name for axis in AXES], values, strict=True))
    for values in itertools.product(*(axis.values for axis in AXES))
]


def plan_of(bars: Bars) -> Plan:
    """Return one instance over minutes, as `atrader optimise` loads it."""
    account = AccountConfig.model_validate({"name": "paper", "broker": "paper", "paper": {"slippage_pips": 0}})
    config = InstanceConfig.model_validate(
        {"name": "one", "strategy": "atr-cross", "account": "paper", "magic": 1, "instrument": "BTC/USD",
         "timeframe": "1m"}
    )  # fmt: skip
    return Plan(
        account=account,
        instances=[(config, strategy_of(SETS[0]))],
        instruments=KNOWN,
        calendar_of=lambda _symbol: Calendar.get("24/7"),
        tapes=[BarTape("BTC/USD", bars, MINUTE)],
        series={SeriesKey("BTC/USD", "1m"): bars},
    )


def strategy_of(combination: Combination) -> AtrCross:
    """Return a strategy as those of the peers: long only, of one size."""
    return AtrCross(AtrCross.Parameters.model_validate({**combination, "units": "0.01", "direction": "long"}))


def whole(plan: Plan, sets: list[Combination], workers: int, folder: Path) -> Analysis:
    """Try all sets, keep every one of them on disk, and judge them."""
    days_ns = days_of(Market(plan.tapes).ends, Calendar.get("24/7"))
    pool = Relay(VectorTrials(plan, strategy_of, days_ns, workers=workers), workers)  # makes bars ready meanwhile
    with TrialFile(folder / f"{time.perf_counter_ns()}.sqlite", {}, days_ns) as file:
        run_study(ListedSearch(sets, set()), pool, file)
        trials = file.trials()
    windows = WalkForward(train_days=180, test_days=30).windows(days_ns)
    with ThreadPoolExecutor(workers) as judges:
        return analyse(trials, days_ns, AXES, windows, DAYS_A_YEAR, pool=judges if workers > 1 else None)


class Scan:
    """The compiled part alone: two lots of sets whose decisions are made before, and no Python between their days.

    What two threads gain here is what the machine gives two threads; no search can gain more.
    """

    def __init__(self, plan: Plan, sets: list[Combination]) -> None:
        stage = Stage(plan)
        self._execution, self._ends = stage.execution, day_ends(stage.prices, stage.calendar)
        self._lots = [[self._decisions(stage, one) for one in lot] for lot in (sets[:LOT], sets[-LOT:])]

    @staticmethod
    def _decisions(stage: Stage, one: Combination) -> Decisions:
        signals = strategy_of(one).signals(stage.history.bars, stage.instrument)
        return Decisions.of(signals, stage.prices, stage.instrument, stage.rules)

    def lasts_s(self, workers: int, times: int) -> float:
        """Return how long both lots take, played so many times each."""
        began_s = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(self._play, self._lots * times))
        return time.perf_counter() - began_s

    def _play(self, lot: list[Decisions]) -> None:
        self._execution.days(lot, self._ends)


class Times(NamedTuple):
    """Seconds of one round by the clock, and CPU time of the whole search on one thread."""

    one_s: float
    cpu_s: float
    two_s: float
    scan_one_s: float
    scan_two_s: float

    @property
    def gain(self) -> float:
        """How many times as fast two threads are."""
        return self.one_s / self.two_s

    @property
    def machine(self) -> float:
        """How many times as fast two threads are where nothing but the machine holds them up."""
        return self.scan_one_s / self.scan_two_s


def one_round(search: Callable[[int], Any], scan: Scan) -> Times:
    """Search and scan on one thread and on two, one right after the other: machines have moods."""
    began_s, cpu_s = time.perf_counter(), time.process_time()
    search(1)
    one_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    scan_s = scan.lasts_s(1, 1)
    times = max(1, round(one_s / scan_s))  # as long as a search: short bursts of two threads may get less
    began_s = time.perf_counter()
    search(2)
    two_s = time.perf_counter() - began_s
    return Times(one_s, cpu_s, two_s, scan.lasts_s(1, times), scan.lasts_s(2, times))


def measure(options: Options) -> Report:
    count, sets = (350_000, SETS[::10]) if options.quick else (1_000_000, SETS)
    rounds = options.rounds or (1 if options.quick else 5)
    report = Report()
    bars = bars_of(count)
    bars = Bars(bars.open_time_ns, *(np.round(column * 300, 1) for column in bars.columns[1:9]), bars.volume)
    plan = plan_of(bars)
    with tempfile.TemporaryDirectory() as folder:
        found = whole(plan, sets, 2, Path(folder))  # not timed: the first touch of bars and libraries
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        scan = Scan(plan, sets)
        all_times = [one_round(lambda workers: whole(plan, sets, workers, Path(folder)), scan) for _ in range(rounds)]
    cpu_s, one_s, two_s = (min(getattr(one, name) for one in all_times) for name in ("cpu_s", "one_s", "two_s"))
    gain = median([one.gain for one in all_times])
    machine = median([one.machine for one in all_times])
    mark_s = 1.5 * len(sets) / len(SETS) * count / 1_000_000
    report.add(
        f"{len(sets):,} sets x {count:,} bars, {found.windows} windows, one thread, CPU", cpu_s, "s",
        mark=f"<= {mark_s:.2f} s", holds=cpu_s <= mark_s,
    )  # fmt: skip
    report.add("the same by the clock", one_s, "s")
    report.add("two threads, by the clock", two_s, "s", beside="one thread", floor=one_s)
    report.add(
        "two threads are so many times as fast", gain, "x", beside="compiled scans alone", floor=machine,
        mark=">= 1.8 x", holds=gain >= 1.8,
    )  # fmt: skip
    report.add("memory", peak_mb, "MB", mark="<= 500 MB", holds=peak_mb <= 500)
    report.notes.append(
        f"verdict over a walk of chance: {found.verdict}; trades of the first set: {found.top[0].trades:,}"
    )
    return report


if __name__ == "__main__":
    run("walk_forward", CLAIM, measure)
