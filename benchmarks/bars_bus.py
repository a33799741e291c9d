"""A million bars over the bus, as another host gets them: beside bare sockets that carry the same bytes."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import zmq

from atrader.bus import SyncCallClient
from atrader.frames import bars_of_frames
from atrader.messages.data import GetBars
from benchmarks._support.floors import timed_s
from benchmarks._support.report import Options, Report, median, run
from benchmarks.bar_view import PAIR, bars_of
from data_layer.client import DataClient
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.data_layer import DataLayerProcess, wait_until

CLAIM = "Bars over the bus cost little more than their bytes through a socket"

BUS = """
import asyncio, sys
sys.path.append(sys.argv[3])
from atrader.bus import CallServer, Reply
from atrader.messages.data import BarsAnswer, GetBars
from benchmarks.bar_view import bars_of
from atrader.frames import frames_of_bars

bars = bars_of(int(sys.argv[2]))

def get(request, caller):
    answer = BarsAnswer(instrument=request.instrument, timeframe="1m", count=len(bars), epoch=1, seq=1)
    return Reply(answer, frames_of_bars(bars))

async def main():
    server = CallServer(sys.argv[1], {GetBars: get})
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.close()

asyncio.run(main())
"""

BARE = """
import sys, threading, zmq
sys.path.append(sys.argv[3])
from benchmarks.bar_view import bars_of

columns = bars_of(int(sys.argv[2])).columns
router = zmq.Context().socket(zmq.ROUTER)
router.linger = 0
router.bind(sys.argv[1])
poller = zmq.Poller()
poller.register(router, zmq.POLLIN)
poller.register(sys.stdin, zmq.POLLIN)
while True:
    ready = dict(poller.poll())
    if router not in ready:
        break
    identity, _ = router.recv_multipart()
    router.send_multipart([identity, *columns], copy=False)
"""


@contextmanager
def server(program: str, options: Options, name: str, count: int) -> Iterator[str]:
    """Run a server of bars and give its endpoint."""
    path = options.directory / name
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-P", "-c", program, f"ipc://{path}", str(count), str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_until(path.exists, name)
        yield f"ipc://{path}"
        process.communicate(b"")


def in_turn(rounds: int, *works: Callable[[], object]) -> list[list[float]]:
    """Time several works in turn, so that whatever others do hits all of them."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, times in zip(works, took, strict=True):
            times += timed_s(work, 1)
    return took


def measure(options: Options) -> Report:
    count = 100_000 if options.quick else 1_000_000
    rounds = options.rounds or (10 if options.quick else 40)
    layer = DataLayerProcess(options.directory / "home", {})
    store = SqliteMarketStore(layer.home.market_store, "a benchmark", 1.0)
    store.put_bars(PAIR, "1m", "test", bars_of(count))
    store.close()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with server(BUS, options, "bus", count) as bus, server(BARE, options, "bare", count) as bare:
        client, dealer = SyncCallClient(bus), context.socket(zmq.DEALER)
        dealer.connect(bare)

        def ours() -> None:
            _, frames = client.call_frames(GetBars(instrument=PAIR, timeframe="1m"), 30)
            assert len(bars_of_frames(frames)) == count

        def theirs() -> None:
            dealer.send(b"")
            frames = dealer.recv_multipart(copy=False)
            assert len([np.frombuffer(frame.buffer, np.int64) for frame in frames][9]) == count

        in_turn(3, ours, theirs)
        bus_s, bare_s = in_turn(rounds, ours, theirs)
        client.close()
        dealer.close(linger=0)
    context.term()
    with layer, DataClient(layer.home) as data:

        def stored() -> None:
            assert len(data.bars(PAIR, "1m", mapped=False)[0]) == count

        in_turn(2, stored)
        (store_s,) = in_turn(rounds, stored)
    report = Report()
    value, floor = median(bus_s) * 1e3, median(bare_s) * 1e3
    report.add(
        f"{count:,} bars by a call",
        value,
        "ms",
        "bare pyzmq multipart",
        floor,
        mark="1.5 x",
        holds=value <= 1.5 * floor,
    )
    report.add("  the same, out of the store", median(store_s) * 1e3, "ms", "bare pyzmq multipart", floor)
    report.notes.append(f"ten columns, {count * 80 / 1e6:.0f} MB over ipc; asked in turn {rounds} times")
    return report


if __name__ == "__main__":
    run("bars_bus", CLAIM, measure, about_s=(10, 20))
