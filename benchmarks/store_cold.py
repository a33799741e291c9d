"""A process that has just started: open a store and have a million bars as arrays, beside other stores."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))


from benchmarks._support.peers import NoPeers, Peers, run_script
from benchmarks._support.report import Options, Report, median, run
from tests.support.postgresql import NoServer, PostgresServer

CLAIM = "Open the store and read 1M bars (ten columns, 80 MB) into arrays: <= 15 ms, and <= half of ArcticDB"
MARK_MS = 15.0
FIRST = "embedded, the first time"
PEERS = ("arcticdb>=6", "duckdb>=1", "numpy", "pandas<3", "pyarrow>=17")

BARS = """
import json, os, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its threads wait by turning, which would count as ours
import numpy as np
place, count = sys.argv[1], int(sys.argv[2])
NAMES = ("open_time_ns", "open", "high", "low", "close", "ask_open", "ask_high", "ask_low", "ask_close", "volume")
def made():
    steps = np.random.default_rng(1).integers(-3, 4, count).cumsum() / 1e5 + 1.1
    times = 1_370_044_800_000_000_000 + np.arange(count, dtype=np.int64) * 60_000_000_000
    return [times, *(np.round(steps + number * 1e-5, 5) for number in range(9))]
def timed(work):
    began, cpu = time.perf_counter(), time.process_time()
    columns = work()
    took = time.perf_counter() - began, time.process_time() - cpu
    assert len(columns) == 10 and all(len(column) == count for column in columns)
    print(json.dumps({"s": took[0], "cpu_s": took[1], "sum": float(np.sum(columns[4]))}))
"""

OURS_WRITE = f"""{BARS}
from pathlib import Path
from atrader.configuration.home import Home
from atrader.market import Bars
from data_layer.store.places import place_at
store = place_at(Home(Path(place)), sys.argv[3]).market("benchmark", 5.0)
store.put_bars("EUR/USD", "1m", "benchmark", Bars(*made()))
store.tidy()
store.close()
print("null")
"""

OURS_READ = f"""{BARS}
from pathlib import Path
from atrader.configuration.home import Home
from data_layer.store.places import place_at
import shutil, sqlite3
if sys.argv[3] != "embedded":
    import data_layer.store.postgresql.market
home = place_at(Home(Path(place)), sys.argv[3])
if sys.argv[4] == "first":
    shutil.rmtree(Home(Path(place)).images, ignore_errors=True)
timed(lambda: home.market_reader("benchmark").bars("EUR/USD", "1m").columns)
"""

FILE_WRITE = f"""{BARS}
with open(place, "wb") as file:
    for column in made():
        file.write(column.tobytes())
print("null")
"""

FILE_READ = f"""{BARS}
def read():
    with open(place, "rb") as file:
        return [np.fromfile(file, np.float64 if number else np.int64, count) for number in range(10)]
timed(read)
"""

HUGE_READ = f"""{BARS}
import mmap
def read():
    room = mmap.mmap(-1, count * 80 + 2**22, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    room.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(room, np.uint8)
    begin = -whole.ctypes.data % 2**21
    columns = list(whole[begin : begin + count * 80].view(np.float64).reshape(10, count))
    with open(place, "rb", buffering=0) as file:
        for column in columns:
            file.readinto(column)
    return columns
timed(read)
"""

MAPPED_READ = f"""{BARS}
import mmap
from zlib_ng.zlib_ng import crc32
def read():
    with open(place, "rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    whole = memoryview(mapping)
    for begin in range(0, len(whole), 40 * 8192):
        crc32(whole[begin : begin + 40 * 8192])
    return list(np.frombuffer(mapping, np.float64).reshape(10, count))
timed(read)
"""

PEER_WRITE = f"""{BARS}
import duckdb, pandas as pd, pyarrow as pa, pyarrow.feather as feather, pyarrow.parquet as parquet
from arcticdb import Arctic
columns = made()
arrow = pa.table(dict(zip(NAMES, columns)))
parquet.write_table(arrow, place + "/bars.parquet", compression="zstd")
feather.write_feather(arrow, place + "/bars.feather", compression="uncompressed")
with duckdb.connect(place + "/bars.duckdb") as db:
    db.execute("CREATE TABLE bars AS SELECT * FROM arrow")
frame = pd.DataFrame(dict(zip(NAMES[1:], columns[1:])), index=pd.DatetimeIndex(columns[0], name="open_time_ns"))
Arctic("lmdb://" + place + "/arctic").get_library("bars", create_if_missing=True).write("EUR/USD", frame)
print("null")
"""

PEER_READ = {
    "ArcticDB (LMDB)": f"""{BARS}
from arcticdb import Arctic
def read():
    frame = Arctic("lmdb://" + place + "/arctic")["bars"].read("EUR/USD").data
    return [frame.index.to_numpy(), *(frame[name].to_numpy() for name in NAMES[1:])]
timed(read)
""",
    "DuckDB": f"""{BARS}
import duckdb
def read():
    with duckdb.connect(place + "/bars.duckdb", read_only=True) as db:
        found = db.execute("SELECT * FROM bars ORDER BY open_time_ns").fetchnumpy()
    return [found[name] for name in NAMES]
timed(read)
""",
    "Parquet (zstd)": f"""{BARS}
import pandas  # or pyarrow does so while it is timed
import pyarrow.parquet as parquet
timed(lambda: [column.to_numpy() for column in parquet.read_table(place + "/bars.parquet").columns])
""",
    "Feather, copied": f"""{BARS}
import pandas  # or pyarrow does so while it is timed
import pyarrow.feather as feather
timed(lambda: [column.to_numpy().copy() for column in feather.read_table(place + "/bars.feather").columns])
""",
}


def measure(options: Options) -> Report:
    count, rounds = (100_000, 3) if options.quick else (1_000_000, options.rounds or 7)
    place = options.directory
    report = Report()
    readers = {
        "one file of the same bytes": (sys.executable, FILE_READ, (place / "raw", count)),
        "one file into huge pages": (sys.executable, HUGE_READ, (place / "raw", count)),
        "one file mapped and summed up": (sys.executable, MAPPED_READ, (place / "raw", count)),
    }
    say = options.progress.say
    say("writing bars")
    run_script(sys.executable, FILE_WRITE, place / "raw", count)
    run_script(sys.executable, OURS_WRITE, place / "home", count, "embedded")
    readers[FIRST] = (sys.executable, OURS_READ, (place / "home", count, "embedded", "first"))
    readers["embedded"] = (sys.executable, OURS_READ, (place / "home", count, "embedded", "again"))
    say("starting PostgreSQL")
    server = _server(report)
    try:
        if server is not None:
            url = server.url()
            say("writing bars into PostgreSQL")
            run_script(sys.executable, OURS_WRITE, place / "client", count, url)
            readers["PostgreSQL, the first time"] = (sys.executable, OURS_READ, (place / "client", count, url, "first"))
            readers["PostgreSQL"] = (sys.executable, OURS_READ, (place / "client", count, url, "again"))
        say("making an environment for ArcticDB, DuckDB and pyarrow")
        peers = _peers(place, report)
        if peers is not None:
            say("writing bars into the peers' stores")
            peers.run(PEER_WRITE, place, count)
            readers |= {name: (peers, script, (place, count)) for name, script in PEER_READ.items()}
        found = _read_all(readers, rounds, options.progress)
    finally:
        if server is not None:
            server.close()
    _add_rows(report, found, count)
    return report


def _read_all(readers, rounds, progress):
    found = {name: [] for name in readers}
    for _ in progress.each(range(rounds), "reading all, round"):
        for name, (who, script, arguments) in readers.items():  # in turn: what disturbs one disturbs all
            answer = who.run(script, *arguments) if isinstance(who, Peers) else run_script(who, script, *arguments)
            found[name].append(answer)
    sums = {answer["sum"] for answers in found.values() for answer in answers}
    assert max(sums) - min(sums) < 1e-3, "not everybody read the same"
    return {
        name: (median([a["s"] for a in answers]) * 1e3, median([a["cpu_s"] for a in answers]) * 1e3)
        for name, answers in found.items()
    }


def _add_rows(report: Report, found, count: int) -> None:
    floor_ms, floor_cpu_ms = found.pop("one file of the same bytes")
    wall_ms, cpu_ms = found.pop("embedded")
    first_ms, first_cpu_ms = found.pop(FIRST)
    whole = count == 1_000_000
    report.add(
        "embedded, wall",
        wall_ms,
        "ms",
        "one file of the same bytes",
        floor_ms,
        mark=f"<= {MARK_MS:g} ms" if whole else "",
        holds=wall_ms <= MARK_MS if whole else None,
    )
    report.add("embedded, CPU", cpu_ms, "ms", "one file of the same bytes", floor_cpu_ms)
    report.add(f"{FIRST}, wall", first_ms, "ms", "one file of the same bytes", floor_ms)
    report.add(f"{FIRST}, CPU", first_cpu_ms, "ms", "one file of the same bytes", floor_cpu_ms)
    for name, (peer_ms, peer_cpu_ms) in found.items():
        arctic = name.startswith("ArcticDB")
        mark, holds = ("<= 0.5 x", wall_ms <= peer_ms / 2) if arctic else ("", None)
        report.add("embedded, wall", wall_ms, "ms", name, peer_ms, mark=mark, holds=holds)
        report.add("embedded, CPU", cpu_ms, "ms", name, peer_cpu_ms)
    report.notes.append(
        f"{count} bars; cold is the process, not the disk: a fresh one for each reading, timed after the imports, the"
        " files in the page cache. The first time bars are copied out of the database and left as an image, which is"
        " in the figure; afterwards the image is mapped. Ours checks a crc32 of every chunk either time. CPU is of the"
        " reading process, all its threads: PostgreSQL's own is not in it."
    )


def _server(report: Report) -> PostgresServer | None:
    try:
        server = PostgresServer(durable=True)
    except NoServer as reason:
        report.notes.append(f"PostgreSQL is left out: {reason}")
        return None
    server.start()
    return server


def _peers(directory: Path, report: Report) -> Peers | None:
    try:
        return Peers(directory, *PEERS)
    except NoPeers as reason:
        report.notes.append(f"ArcticDB, DuckDB, Parquet and Feather are left out: {reason}")
        return None


if __name__ == "__main__":
    run("store_cold", CLAIM, measure, about_s=(40, 120))
