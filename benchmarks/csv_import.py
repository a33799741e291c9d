"""A CSV file of minute bars: to checked columns and into the store, beside pandas and polars, which check nothing."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

import os

import numpy as np

from benchmarks._support.peers import Peers, run_script
from benchmarks._support.report import Options, Report, run

CLAIM = "A million rows of CSV a second, every one of them checked, into the store"
MARK = 1_000_000

_TIMED = """
import json, sys, time
path, rounds = sys.argv[1], int(sys.argv[2])
def timed(work, after=lambda: None):
    found = []
    for _ in range(rounds):
        began, cpu = time.perf_counter(), time.process_time()
        count = work()
        found.append((time.perf_counter() - began, time.process_time() - cpu, count))
        after()
    return found
"""

OURS = f"""{_TIMED}
import shutil, tempfile
from pathlib import Path
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.home import Home
from data_layer.files.column_reader import read_with_arrow, read_with_numpy
from data_layer.files.importing import Importer
from data_layer.files.reading import ReadOptions, read_source
from data_layer.files.sources import Source
from data_layer.offline import open_market
source = Source(Path(path))
def whole(columns):
    found = read_source(source, ReadOptions(), None, columns)
    assert not found.bad_rows
    return found.rows
def into_store():
    home = Home(Path(tempfile.mkdtemp(dir=Path(path).parent, prefix="store-")))
    with open_market(home, FleetConfig()) as market:
        importer = Importer(market, FleetConfig(), ReadOptions(), instrument="EUR/USD")
        stored = importer.store(importer.read((source,)))
    return stored.new
def remove():
    for store in Path(path).parent.glob("store-*"):
        shutil.rmtree(store)
print(json.dumps({{
    "arrow": timed(lambda: whole(read_with_arrow)),
    "numpy": timed(lambda: whole(read_with_numpy)),
    "store": timed(into_store, remove),
}}))
"""

PANDAS = f"""{_TIMED}
import pandas as pd
def whole(engine):
    frame = pd.read_csv(path, parse_dates=["timestamp"], engine=engine)
    times = frame["timestamp"].dt.as_unit("ns").to_numpy()
    return len([times, *(frame[name].to_numpy("float64") for name in frame.columns[1:])][0])
print(json.dumps({{"c": timed(lambda: whole("c")), "pyarrow": timed(lambda: whole("pyarrow"))}}))
"""

POLARS = f"""{_TIMED}
import polars as pl
def whole():
    frame = pl.read_csv(path, try_parse_dates=True)
    times = frame["timestamp"].dt.timestamp("ns").to_numpy()
    return len([times, *(frame[name].cast(pl.Float64).to_numpy() for name in frame.columns[1:])][0])
print(json.dumps({{"polars": timed(whole)}}))
"""


def write_file(path: Path, count: int) -> None:
    """Write minute bars as `atrader data export` does, one side."""
    generator = np.random.default_rng(1)
    close = np.round(1.1 + np.cumsum(generator.normal(0, 1e-5, count)), 5)
    open_ = np.round(close + 1e-5, 5)
    high, low = np.round(np.maximum(open_, close) + 2e-5, 5), np.round(np.minimum(open_, close) - 2e-5, 5)
    times = np.datetime_as_string((np.datetime64("2020-01-01T00:00") + np.arange(count)).astype("datetime64[s]"))
    rows = zip(times.tolist(), *(column.tolist() for column in (open_, high, low, close)), strict=True)
    with path.open("w") as handle:
        handle.write("timestamp,open,high,low,close,volume\n")
        handle.writelines(f"{t}Z,{o},{h},{lo},{c},{n % 999}\n" for n, (t, o, h, lo, c) in enumerate(rows))


def measure(options: Options) -> Report:
    """Read one file in every way."""
    count, rounds = 1_000_000, 3 if options.quick else 5  # with fewer rows it would be opening stores that is measured
    path = options.directory / "eurusd-1m.csv"
    write_file(path, count)
    peers = Peers(options.directory, "pandas", "polars", "pyarrow", "numpy")
    ours = run_script(sys.executable, OURS, path, rounds, env={**os.environ, "PYTHONPATH": str(ROOT)})
    theirs = {**peers.run(PANDAS, path, rounds), **peers.run(POLARS, path, rounds)}
    found = {**ours, **theirs}
    assert all(rows == count for runs in found.values() for _, _, rows in runs)
    # The best run of each: what others do meanwhile only makes it slower.
    rate = {name: count / min(wall_s for wall_s, _, _ in runs) / 1e6 for name, runs in found.items()}
    # CPU time hardly minds the others.
    spent = {name: count / min(cpu_s for _, cpu_s, _ in runs) / 1e6 for name, runs in found.items()}
    report = Report()
    holds = rate["store"] >= MARK / 1e6
    report.add("into the store", rate["store"], "M rows/s", mark=f">= {MARK / 1e6:g}", holds=holds)
    for what, ours_name, beside, name in (
        ("into the store", "store", "pandas, C reader", "c"),
        ("checked columns, pyarrow", "arrow", "pandas, C reader", "c"),
        ("checked columns, pyarrow", "arrow", "pandas, pyarrow reader", "pyarrow"),
        ("checked columns, pyarrow", "arrow", "polars", "polars"),
        ("checked columns, numpy only", "numpy", "pandas, C reader", "c"),
    ):
        report.add(what, rate[ours_name], "M rows/s", beside, rate[name])
        report.add(f"{what}, CPU", spent[ours_name], "M rows/CPU s", beside, spent[name])
    report.notes.append("A ratio above 1 means faster than the one beside; the peers check neither rows nor order.")
    return report


if __name__ == "__main__":
    run("csv_import", CLAIM, measure)
