"""What a large market store costs: opening, memory and appends, by the number of bars in it, and modelled beyond.

The store has 500 instruments in 5 timeframes, in the proportions that 5 years of minutes have; ``--rows`` says how
many bars in all. The whole would be 1.2 thousand million, 95 GB: it is modelled from the sizes that were measured.
"""

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import json
import math
import os
import random
import subprocess
import time
from collections.abc import Iterator

import numpy as np

from atrader.market import BAR_COLUMNS, Bar, Bars
from benchmarks._support.report import Options, Report, median, percentile, run
from data_layer.store import MarketBatch
from data_layer.store.market_sqlite import SqliteMarketStore

CLAIM = "A store of 500 instruments x 5 timeframes x 5 years opens as fast, and takes appends as fast, as a small one"

INSTRUMENTS = 500
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240}
YEARS_OF_MINUTES = 5 * 52 * 5 * 1440  # FX weeks
WHOLE = int(INSTRUMENTS * sum(YEARS_OF_MINUTES / length for length in MINUTES.values()))
MINUTE_NS = 60 * 10**9
START_NS = 1_500_000_000 * 10**9
OPEN_MARK_S = 1.0
MEMORY_MARK_MB = 300.0

OPENER = """
import json, resource, sys, time
from pathlib import Path
import data_layer.layer
from atrader.configuration.home import Home
from data_layer.open_stores import OpenStores
from data_layer.store.places import EmbeddedPlace

def rss_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6

before_mb, began = rss_mb(), time.perf_counter()
with OpenStores(EmbeddedPlace(Home(Path(sys.argv[1])))) as stores:
    opened = time.perf_counter()
    series = stores.query_market.series()
    stores.market_reader.forming("1m")
    listed = time.perf_counter()
    print(json.dumps({"open_s": opened - began, "list_s": listed - opened, "series": len(series),
                      "rows": sum(one.count for one in series), "rss_mb": rss_mb(), "before_mb": before_mb}))
"""


def bars(count: int, step_minutes: int, first: int = 0) -> Bars:
    """Return bars of a walk; values that hardly pack."""
    times = START_NS + (np.arange(count, dtype=np.int64) + first) * (step_minutes * MINUTE_NS)
    walk = 1.1 + np.cumsum(np.random.default_rng(first + step_minutes).normal(0, 1e-4, count))
    return Bars(times, *(walk + column * 1e-5 for column in range(len(BAR_COLUMNS) - 1)))


def instruments() -> Iterator[str]:
    """Yield symbols."""
    for number in range(INSTRUMENTS):
        yield f"S{number:03d}/USD"


def build(path: Path, rows: int) -> None:
    """Make a store of about so many bars in all its series."""
    store = SqliteMarketStore(path, "benchmark")
    for number, symbol in enumerate(instruments()):
        for timeframe, length in MINUTES.items():
            count = max(1, int(rows * (YEARS_OF_MINUTES / length) / WHOLE))
            store.put_bars(symbol, timeframe, "benchmark", bars(count, length))
        if number % 20 == 0:
            store.tidy()
    store.tidy()
    store.close()


def forget(path: Path) -> None:
    """Let the kernel drop what it has of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def opened(home: Path, rounds: int) -> dict[str, float]:
    """Open the stores in fresh processes with a cold cache; return the median of each figure."""
    found = []
    for _ in range(rounds):
        forget(home / "data" / "market.db")
        command = [sys.executable, "-P", "-c", OPENER, str(home)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        found.append(json.loads(done.stdout))
    return {name: median([one[name] for one in found]) for name in found[0]}


def appends_s(path: Path, count: int) -> list[float]:
    """Return how long each append of one complete bar took, to a random series each; every series had one before."""
    store = SqliteMarketStore(path, "benchmark")
    draw, symbols = random.Random(5), list(instruments())
    ends: dict[str, int] = {}
    took = []
    for symbol in [*symbols, *draw.choices(symbols, k=count)]:
        last = store.last_bar(symbol, "1m") if symbol not in ends else None
        ends[symbol] = ends.get(symbol, last.open_time_ns if last else START_NS) + MINUTE_NS
        bar = Bar(ends[symbol], *(1.1 for _ in BAR_COLUMNS[1:]))
        began = time.perf_counter()
        store.write(MarketBatch("1m", "feed", [(symbol, bar)], [], {}))
        took.append(time.perf_counter() - began)
    store.close()
    return took[len(symbols) :]


def line(sizes: list[float], values: list[float]) -> tuple[float, float, float]:
    """Fit ``a + b x`` by least squares; return a, b and the share of the variance it explains."""
    slope, start = np.polyfit(np.array(sizes), np.array(values), 1)
    rest = np.array(values) - (start + slope * np.array(sizes))
    spread = np.array(values) - np.mean(values)
    return float(start), float(slope), float(1 - (rest @ rest) / (spread @ spread)) if spread.any() else 1.0


def measure(options: Options) -> Report:
    """Build stores of growing size, measure each, model the whole."""
    report = Report()
    given = options.given.rows or ("200k,1M" if options.quick else "1M,3M,10M,30M")
    sizes = [rows_of(text) for text in given.split(",")]
    rounds, count = (2, 50) if options.quick else (5, 500)
    rounds = options.rounds or rounds
    curve: dict[str, list[float]] = {"open": [], "open and list": [], "memory": [], "append": [], "disk": []}
    for rows in sizes:
        home = options.directory / str(rows)
        path = home / "data" / "market.db"
        path.parent.mkdir(parents=True)
        options.progress.say(f"building a store of {rows:,} bars")
        build(path, rows)
        options.progress.say(f"opening it, {rounds} times")
        cold = opened(home, rounds)
        options.progress.say(f"{count} appends")
        took = appends_s(path, count)
        curve["open"].append(cold["open_s"])
        curve["open and list"].append(cold["open_s"] + cold["list_s"])
        curve["memory"].append(cold["rss_mb"])
        curve["append"].append(median(took) * 1e6)
        curve["disk"].append(path.stat().st_size / 1e6)
        name = f"{cold['rows'] / 1e6:.3g}M bars"
        total_s = cold["open_s"] + cold["list_s"]
        report.add(f"{name}: open", cold["open_s"], "s", mark="<= 1 s", holds=cold["open_s"] <= OPEN_MARK_S)
        report.add(f"{name}: open, list {cold['series']:.0f} series", total_s, "s")
        report.add(f"{name}: memory", cold["rss_mb"], "MB", "imports alone", cold["before_mb"], mark="<= 300 MB")
        report.add(f"{name}: append of a bar", median(took) * 1e6, "us", "in the smallest", curve["append"][0])
        report.add(f"{name}: append p99", percentile(took, 0.99) * 1e6, "us")
        path.unlink()
    model(report, [float(size) for size in sizes], curve)
    return report


def model(report: Report, sizes: list[float], curve: dict[str, list[float]]) -> None:
    """Add what the lines through the measured sizes say of the whole store."""
    units = {"open": "s", "open and list": "s", "memory": "MB", "append": "us", "disk": "MB"}
    marks = {"open": OPEN_MARK_S, "memory": MEMORY_MARK_MB}
    if len(sizes) < 2:
        return
    for name, values in curve.items():
        # What an append touches grows with the depth of the trees, everything else with the number of chunks.
        scale, of = (math.log10, "log10 of ") if name == "append" else (float, "")
        start, slope, fit = line([scale(size) for size in sizes], values)
        whole = max(start + slope * scale(WHOLE), values[-1])  # noise must not make the large one smaller
        limit = marks.get(name)
        mark = "" if limit is None else f"<= {limit:g} {units[name]}"
        holds = None if limit is None else whole <= limit
        report.add(f"modelled, {WHOLE / 1e9:.2g}G bars: {name}", whole, units[name], mark=mark, holds=holds)
        report.notes.append(
            f"model of {name}: {start:.4g} {units[name]} + {slope:.4g} {units[name]} x {of}bars,"
            f" R2 {fit:.3f} over {', '.join(f'{size / 1e6:g}M' for size in sizes)}"
        )


def rows_of(text: str) -> int:
    """Read a number of bars such as ``300k``, ``10M`` or ``1G``."""
    factor = {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:], 1)
    return int(float(text.rstrip("kMG")) * factor)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this benchmark is told."""
    parser.add_argument("--rows", metavar="N,N,...", help="sizes to measure, e.g. 1M,10M,100M (8 GB of disk for 100M)")


if __name__ == "__main__":
    run("store_growth", CLAIM, measure, add_arguments, about_s=(40, 300))
