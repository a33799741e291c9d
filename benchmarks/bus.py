"""The bus beside bare sockets and a bare pipe: a call there and back, a tick from publisher to subscriber."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import json
import subprocess
import time

from atrader.bus import Message, StreamClient, SyncCallClient
from atrader.market import tick_topic
from atrader.messages.data import GetPrices
from benchmarks._support.floors import pipe_round_trip_s, timed_s, zmq_round_trip_s
from benchmarks._support.report import Options, Report, percentile, run
from tests.support.fleet import wait_for

CLAIM = "A call costs little more than bytes through a pipe, a tick half of it"

SERVER = """
import asyncio, sys, time
from atrader.bus import CallServer, StreamServer
from atrader.market import TICK, tick_topic
from atrader.messages.data import GetPrices, Price, PricesAnswer

def prices(request, caller):
    return PricesAnswer(prices=(Price(instrument="EUR/USD", time_ns=1, received_ns=2, bid=1.1, ask=1.2, age_s=0.5),))

async def main(folder, rate, count):
    server = CallServer(f"ipc://{folder}/call", {GetPrices: prices})
    await server.start()
    stream = StreamServer(f"ipc://{folder}/stream")
    topic = tick_topic("EUR/USD")
    while not stream.has_subscriber(topic):
        await asyncio.sleep(0.01)
    for number in range(count):
        await asyncio.sleep(1 / rate)
        stream.publish(topic, TICK, ("EUR/USD", number, time.monotonic_ns(), 1.1, 1.2))
    print("published", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stream.close()
    await server.close()

asyncio.run(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
"""


def ticks_s(directory: Path, count: int) -> list[float]:
    """Return how long each tick took from the publisher's hand to the subscriber's."""
    client = StreamClient(f"ipc://{directory}/stream")
    client.subscribe(tick_topic("EUR/USD"))
    took: list[float] = []
    lost = 0
    deadline_s = time.monotonic() + 60
    while len(took) + lost < count and time.monotonic() < deadline_s:
        if not client.poll(500):
            continue
        items = client.drain()
        now_ns = time.monotonic_ns()
        for item in items:
            if isinstance(item, Message):
                took.append((now_ns - item.values[2]) / 1e9)
            else:
                lost += 1
    client.close()
    if len(took) < count:
        raise RuntimeError(f"{count - len(took)} of {count} ticks did not arrive: {json.dumps(client.counters)}")
    return took


def measure(options: Options) -> Report:
    count = 500 if options.quick else 5000
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER, str(options.directory), "1000", str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with server:
        assert server.stdin is not None
        wait_for((options.directory / "stream").exists, "the server")
        ticks = ticks_s(options.directory, count)
        client = SyncCallClient(f"ipc://{options.directory}/call")
        timed_s(lambda: client.call(GetPrices(), timeout_s=5), 100)
        calls = timed_s(lambda: client.call(GetPrices(), timeout_s=5), count)
        client.close()
        server.stdin.close()
    pipe = pipe_round_trip_s(count)
    bare = zmq_round_trip_s(options.directory, count)
    report = Report()
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        call, there, floor = (percentile(values, share) * 1e6 for values in (calls, bare, pipe))
        report.add(f"call there and back ({name})", call, "us", "bytes through a pipe", floor)
        report.add(f"  the same ({name})", call, "us", "bare DEALER/ROUTER", there)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        floor = percentile(pipe, share) * 1e6 / 2
        report.add(f"tick delivered ({name})", percentile(ticks, share) * 1e6, "us", "half a pipe round trip", floor)
    report.notes.append(
        f"{count} of each; the call returns a validated price, the server is an asyncio process; ticks at 1,000/s, "
        "none lost"
    )
    return report


if __name__ == "__main__":
    run("bus", CLAIM, measure)
