"""The last 100,000 bars on the data layer's host, as arrays: a view beside what stores give."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))


import numpy as np

from atrader.clock import parse_time
from atrader.market import BAR_COLUMNS, Bars
from benchmarks._support.floors import timed_s
from benchmarks._support.peers import NoPeers, Peers
from benchmarks._support.report import Options, Report, percentile, run
from data_layer.client import DataClient
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.data_layer import DataLayerProcess

CLAIM = "The last 100,000 bars are arrays in ten microseconds, whatever their number"
PAIR = "EUR/USD"
LAST = 100_000

PEERS = """
import json, sys, time
import numpy as np, pandas as pd
folder, last, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
columns = dict(np.load(folder + "/bars.npz"))
frame = pd.DataFrame(columns)

def timed(work):
    work()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        arrays = work()
        took.append(time.perf_counter() - began)
        assert len(arrays) == len(columns) and all(len(one) == last for one in arrays)
    return took

def arctic():
    import arcticdb
    library = arcticdb.Arctic("lmdb://" + folder + "/arctic").get_library("bars", create_if_missing=True)
    library.write("bars", frame)
    return lambda: [column.to_numpy() for _, column in library.tail("bars", last).data.items()]

def duck():
    import duckdb
    base = duckdb.connect(folder + "/duck.db")
    base.execute("create table bars as select * from frame")
    query = f"select * from bars where rowid >= {len(frame) - last}"
    return lambda: list(base.execute(query).fetchnumpy().values())

def feather():
    import pyarrow as pa, pyarrow.feather
    table = pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
    pyarrow.feather.write_feather(table, folder + "/bars.feather", compression="uncompressed", chunksize=len(frame))
    def read():
        with pa.memory_map(folder + "/bars.feather") as file:
            table = pa.ipc.open_file(file).read_all().slice(len(frame) - last)
            return [column.chunk(0).to_numpy() for column in table.columns]
    return read

peers = (("ArcticDB", arctic), ("DuckDB", duck), ("Feather, mapped", feather))
print(json.dumps({name: timed(make()) for name, make in peers}))
"""


def bars_of(count: int) -> Bars:
    """Return so many minute bars of a random walk."""
    walk = 1.1 + np.random.default_rng(1).normal(0, 1e-5, count).cumsum()
    times = parse_time("2015-01-01T00:00:00Z") + np.arange(count) * 60 * 10**9
    return Bars(times, *(walk + number * 1e-5 for number in range(8)), np.ones(count))


def measure(options: Options) -> Report:
    rounds = options.rounds or (200 if options.quick else 5000)
    bars = bars_of(200_000 if options.quick else 1_000_000)
    report = Report()
    layer = DataLayerProcess(options.directory / "home", {})
    store = SqliteMarketStore(layer.home.market_store, "a benchmark", 1.0)
    store.put_bars(PAIR, "1m", "test", bars)
    store.close()
    with layer, DataClient(layer.home) as client:

        def view() -> Bars:
            return client.bars(PAIR, "1m", count=LAST)[0]

        sent = timed_s(lambda: client.bars(PAIR, "1m", count=LAST, mapped=False), 20)
        first = timed_s(view, 1)
        timed_s(view, 100)
        ours, read = (
            timed_s(view, rounds),
            timed_s(lambda: [one.sum() for one in view().columns], max(10, rounds // 50)),
        )
        every = timed_s(lambda: client.bars(PAIR, "1m"), 1) and timed_s(lambda: client.bars(PAIR, "1m"), rounds)
        copied = timed_s(lambda: [one.copy() for one in bars[-LAST:].columns], 20)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = percentile(ours, share) * 1e6
        mark = {"mark": "10 us", "holds": value <= 10} if name == "p50" else {}
        report.add(
            f"view of the last {LAST:,} ({name})", value, "us", "a copy of them", percentile(copied, 0.5) * 1e6, **mark
        )
    report.add(f"view of all {len(bars):,} (p50)", percentile(every, 0.5) * 1e6, "us")
    report.add("a view, and every value read (p50)", percentile(read, 0.5) * 1e6, "us")
    report.add(
        "the first view: shared and mapped", first[0] * 1e6, "us", "the same over the bus", percentile(sent, 0.5) * 1e6
    )
    np.savez(options.directory / "bars.npz", **{name: getattr(bars, name) for name in BAR_COLUMNS})
    try:
        peers = Peers(options.directory, "arcticdb", "duckdb", "pyarrow", "pandas", "numpy")
        for peer, took in peers.run(PEERS, options.directory, LAST, 20).items():
            value, theirs = percentile(ours, 0.5) * 1e6, percentile(took, 0.5) * 1e6
            report.add(f"view of the last {LAST:,} (p50)", value, "us", peer, theirs)
    except NoPeers as why:
        report.notes.append(f"without the stores: {why}")
    report.notes.append("the stores are open and warm, and asked again and again, as is the data layer")
    return report


if __name__ == "__main__":
    run("bar_view", CLAIM, measure)
