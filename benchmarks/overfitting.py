"""Overfitting statistics of a whole grid: cross-validation of 1,500 combinations over 2,000 days in 12,870 splits."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread, as the mark says; before numpy is imported
sys.path.append(str(Path(__file__).resolve().parents[1]))

import time
from collections.abc import Callable
from itertools import combinations, islice

import numpy as np

from atrader.statistics.trades import Floats
from benchmarks._support.report import Options, Report, median, run
from research.statistics.neighbourhood import neighbourhood_on_grid
from research.statistics.overfitting import probability_of_overfitting
from research.statistics.trials import deflate, effective_trials

CLAIM = "Overfitting probability, deflated Sharpe ratio and neighbours of a grid cost less than a second together"
BLOCKS = 16
MARK_S = 0.5


def timed_s(work: Callable[[], object], rounds: int) -> float:
    """Return the median CPU time of a call."""
    took = []
    for _ in range(rounds):
        began_s = time.process_time()
        work()
        took.append(time.process_time() - began_s)
    return median(took)


def plain(returns: Floats, splits: int) -> float:
    """Return the share of overfitted splits, each computed from its returns as the definition says."""
    parts = np.array_split(np.arange(len(returns)), BLOCKS)
    lower = 0
    for half in islice(combinations(range(BLOCKS), BLOCKS // 2), splits):
        within = np.concatenate([parts[number] for number in half])
        without = np.concatenate([parts[number] for number in range(BLOCKS) if number not in half])
        before, after = (returns[rows].mean(axis=0) / returns[rows].std(axis=0, ddof=1) for rows in (within, without))
        lower += int((after <= after[before.argmax()]).sum() <= len(after) / 2)
    return lower / splits


def measure(options: Options) -> Report:
    periods, trials = (400, 150) if options.quick else (2000, 1500)
    rounds = options.rounds or (1 if options.quick else 5)
    returns = np.random.default_rng(20240501).normal(0, 0.01, (periods, trials))
    report = Report()
    splits = 10 if options.quick else 20
    floor_s = timed_s(lambda: plain(returns, splits), 1) / splits * 12_870
    took_s = timed_s(lambda: probability_of_overfitting(returns, BLOCKS), rounds)
    report.add(
        f"PBO of {trials:,} x {periods:,}, 12,870 splits", took_s * 1e3, "ms",
        "each split from its returns (extrapolated)", floor_s * 1e3, mark=f"<= {MARK_S * 1e3:.0f} ms",
        holds=took_s <= MARK_S,
    )  # fmt: skip
    product_s = timed_s(lambda: returns.T @ returns, rounds)
    report.add("deflated Sharpe ratio of the best", timed_s(lambda: deflate(returns), rounds) * 1e3, "ms")
    report.add(
        "effective number of trials", timed_s(lambda: effective_trials(returns), rounds) * 1e3, "ms",
        "one product of the matrix with itself", product_s * 1e3,
    )  # fmt: skip
    grid = returns[0].reshape(3, 5, 10, -1)
    report.add("neighbours on a 4-D grid", timed_s(lambda: neighbourhood_on_grid(grid), rounds) * 1e3, "ms")
    report.notes.append("CPU time of one thread")
    return report


if __name__ == "__main__":
    run("overfitting", CLAIM, measure)
