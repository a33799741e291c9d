"""Reports of backtests: one offline HTML file of a result with thousands of trades, how long and how large."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import time
from collections.abc import Callable

from benchmarks._support.report import Options, Report, run
from benchmarks.event_engine import bars_of
from research.reports import load
from research.reports.page import page
from research.reports.picture import picture
from tests.support.saved_results import run_cross

CLAIM = "A report of a backtest is one small file that needs no network, written at once"
PAIR = "BTC/USD"
RICH = {"initial_balance": "1000000"}
MARK_S, MARK_BYTES = 0.1, 250_000


def best_s(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU seconds of the quickest of some rounds."""
    found = []
    for _ in range(rounds):
        began_s = time.process_time()
        work()
        found.append(time.process_time() - began_s)
    return min(found)


def measure(options: Options) -> Report:
    count = 50_000 if options.quick else 500_000
    rounds = options.rounds or (3 if options.quick else 10)
    report = Report()
    over = run_cross(bars_of(count), instrument=PAIR, paper=RICH, fast=10, slow=100, units="0.01")
    saved = over.save(options.directory)
    what = f"{count:,} bars, {len(saved.trades()):,} trades"
    read_s = best_s(saved.details, rounds)
    page_s = best_s(lambda: page(load(saved.folder)), rounds)
    size = len(page(saved).encode())
    report.add(
        f"HTML from the files: {what}", page_s * 1000, "ms", beside="reading the files", floor=read_s * 1000,
        mark=f"<= {MARK_S * 1000:.0f}", holds=page_s <= MARK_S,
    )  # fmt: skip
    report.add("its size, offline", size / 1000, "kB", mark=f"<= {MARK_BYTES / 1000:.0f}", holds=size <= MARK_BYTES)
    save_s = best_s(lambda: over.save(options.directory), 1)
    report.add("PNG from the files", best_s(lambda: picture(saved), 1) * 1000, "ms")
    report.add("saving the run: hash, figures, excursions, JSON and Parquet", save_s * 1000, "ms")
    report.notes.append(
        "CPU time; the peer, quantstats, takes 1.5 s and 980 kB for its page, which fetches from elsewhere"
    )
    return report


if __name__ == "__main__":
    run("html_report", CLAIM, measure, about_s=(5, 15))
