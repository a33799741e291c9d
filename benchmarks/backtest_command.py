"""What a trader types: ``atrader backtest sma-cross`` over a million stored minutes, as a whole process."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import statistics
import subprocess
import time
from typing import NamedTuple

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.templates import write_template
from benchmarks._support.report import Options, Report, run
from benchmarks.vector_engine import MINUTE, bars_of
from data_layer.offline import open_market

CLAIM = "A backtest of a million stored bars is there before one has looked up"
ATRADER = Path(sys.executable).parent / "atrader"
FLOOR = "import numpy, pydantic.main, pydantic.types"
CROSSES = ((10, 100), (50, 1000))
"""Averages: one that trades every hour, and one that trades twice a day."""


class Timed(NamedTuple):
    """Of one process: ms until its figures were printed, until it was over, and how many trades it closed."""

    printed_ms: float
    whole_ms: float
    trades: int


def backtest(home: Home, fast: int, slow: int, end: str) -> Timed:
    """Run the command, and look at the clock whenever it prints a line."""
    words = f"-C {home.root} backtest sma-cross --instrument BTC/USD --timeframe 1m --engine vector --start 2020-01-01"
    command = [ATRADER, *words.split(), "--end", end, "--param", f"fast={fast}", "--param", f"slow={slow}"]
    began_s, printed_s, trades = time.perf_counter(), 0.0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("kept in"):
                break
            printed_s = time.perf_counter()
            if line.startswith("  trades") and "closed" in line:
                trades = int(line.split()[1].replace(",", ""))
    if process.returncode:
        raise SystemExit(f"atrader backtest ended with {process.returncode}")
    return Timed((printed_s - began_s) * 1000, (time.perf_counter() - began_s) * 1000, trades)


def floor_ms(rounds: int) -> float:
    """Return how long a process takes that only imports what every part of the program is made of."""
    times = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        subprocess.run([sys.executable, "-P", "-c", FLOOR], check=True)
        times.append(time.perf_counter() - began_s)
    return statistics.median(times) * 1000


def forget(folder: Path) -> None:
    """Ask the system to drop what it keeps of the files of a folder in memory."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bars", type=int, default=1_000_000, metavar="N", help="stored (default: %(default)s)")


def measure(options: Options) -> Report:
    count = 100_000 if options.quick else options.given.bars
    rounds = options.rounds or (3 if options.quick else 7)
    home = Home(options.directory / "home")
    write_template(home.root, "empty")
    bars = bars_of(count)
    with open_market(home) as market:
        market.import_bars("BTC/USD", "1m", "benchmark", bars)
    end = iso_from_ns(int(bars.open_time_ns[-1]) + MINUTE)
    report = Report()
    floor = floor_ms(rounds)
    mark_ms = 400.0
    for fast, slow in CROSSES:
        backtest(home, fast, slow, end)  # leaves bytecode and the image of the series, as any earlier reading does
        timed = [backtest(home, fast, slow, end) for _ in range(rounds)]
        printed, whole = (statistics.median(column) for column in zip(*(one[:2] for one in timed), strict=True))
        what = f"backtest sma-cross {fast}/{slow}, {count:,} stored bars, {timed[0].trades:,} trades"
        report.add(
            f"{what}: result printed", printed, "ms", beside="imports of numpy and pydantic", floor=floor,
            mark=f"<= {mark_ms:g} ms", holds=printed <= mark_ms,
        )  # fmt: skip
        report.add(f"{what}: written, process gone", whole, "ms", beside="imports of numpy and pydantic", floor=floor)
    forget(home.data)
    cold = backtest(home, *CROSSES[-1], end)
    report.add("the last one with none of the store in memory: result printed", cold.printed_ms, "ms")
    return report


if __name__ == "__main__":
    run("backtest_command", CLAIM, measure, add_arguments)
