"""Ticks to 1, 10 and 50 subscribers: how late, whether any is lost, and what a flood does; beside bare PUB and SUB."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import gc
import json
import os
import subprocess
import time
from typing import NamedTuple

from benchmarks._support.report import Options, Report, percentile, run

CLAIM = "A tick reaches fifty workers in milliseconds, none is lost, and what a flood loses is counted"
MARKS_MS = {1: 0.3, 10: 0.5, 50: 2.5}
WARM_UP = 500
"""Ticks before those that count: a forked process copies its pages when it first does anything."""

SUBSCRIBERS = """
import gc, json, os, sys, time
import zmq
from atrader.bus import Gap, StreamClient
from atrader.market import tick_topic

kind, endpoint, count, warm_up, end = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])

def of_the_bus():
    client = StreamClient(endpoint)
    client.subscribe(tick_topic("EUR/USD"))
    late, last = [], 0
    while client.counters["received"] + client.counters["missed"] < end and last < end:
        if not client.poll(10_000):
            break
        items = client.drain()
        now_ns = time.monotonic_ns()
        for item in items:
            if not isinstance(item, Gap):
                last = item.values.time_ns
                if last > warm_up:
                    late.append(now_ns - item.values.received_ns)
    return late, client.counters["missed"]

def bare():
    socket = zmq.Context().socket(zmq.SUB)
    socket.rcvhwm = 10_000
    socket.subscribe(b"")
    socket.connect(endpoint)
    late, last = [], 0
    while last < end:
        if not socket.poll(10_000):
            break
        try:
            while True:
                last, sent_ns = map(int, socket.recv(zmq.DONTWAIT).split())
                if last > warm_up:
                    late.append(time.monotonic_ns() - sent_ns)
        except zmq.Again:
            pass
    return late, 0

gc.collect()
gc.freeze()
pipes = []
for number in range(count):
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.nice(10)  # as workers run
        late, missed = of_the_bus() if kind == "bus" else bare()
        some = sorted(late)[:: max(1, len(late) // 2000)]
        os.write(write_end, json.dumps({"late": some, "got": len(late), "missed": missed}).encode())
        os._exit(0)
    os.close(write_end)
    pipes.append(read_end)
print(json.dumps([json.loads(b"".join(iter(lambda: os.read(pipe, 65536), b""))) for pipe in pipes]))
"""

PUBLISHER = """
import sys, time
import zmq
from atrader.bus import StreamServer
from atrader.market import TICK, tick_topic

kind, endpoint, _, warm_up, end = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
pause_s = float(sys.argv[6])
topic = tick_topic("EUR/USD")
if kind == "bus":
    server = StreamServer(endpoint, keep=0)
    send = lambda number: server.publish(topic, TICK, ("EUR/USD", number, time.monotonic_ns(), 1.1, 1.2))
    beat = server.heartbeat
else:
    socket = zmq.Context().socket(zmq.PUB)
    socket.sndhwm = 10_000
    socket.bind(endpoint)
    send = lambda number: socket.send(b"%d %d" % (number, time.monotonic_ns()))
    beat = lambda: None
print("bound", flush=True)
sys.stdin.readline()
due_s = time.monotonic()
for number in range(1, end + 1):
    send(number)
    if pause_s or number <= warm_up:
        due_s += pause_s or 0.001
        time.sleep(max(0.0, due_s - time.monotonic()))
    if number % 1000 == 0:
        beat()
for _ in range(40):  # a lost last message shows by the heartbeats after it
    beat()
    time.sleep(0.05)
sys.stdin.readline()
"""


class Fanout(NamedTuple):
    """What the subscribers saw together."""

    late_s: list[float]
    got: int
    missed: int


def fan_out(options: Options, kind: str, subscribers: int, rounds: int, pause_s: float) -> Fanout:
    """Publish so many ticks, after those to warm up, to so many subscribers, each a process of its own."""
    endpoint = f"ipc://{options.directory}/{kind}-{subscribers}-{pause_s}"
    command = [sys.executable, "-P", "-c"]
    arguments = [kind, endpoint, str(subscribers), str(WARM_UP), str(WARM_UP + rounds)]
    publisher = subprocess.Popen(
        [*command, PUBLISHER, *arguments, str(pause_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    publisher.stdout.readline()
    readers = subprocess.Popen([*command, SUBSCRIBERS, *arguments], stdout=subprocess.PIPE)
    time.sleep(1.5 + subscribers * 0.03)  # PUB does not tell when the last of many subscriptions has arrived
    publisher.stdin.write(b"go\n")
    publisher.stdin.flush()
    told, _ = readers.communicate()
    publisher.communicate(b"end\n")
    seen = json.loads(told)
    late = [late / 1e9 for one in seen for late in one["late"]]
    return Fanout(late, sum(one["got"] for one in seen), sum(one["missed"] for one in seen))


def measure(options: Options) -> Report:
    rounds = options.rounds or (1000 if options.quick else 10_000)
    report = Report()
    gc.collect()
    for subscribers, mark_ms in MARKS_MS.items():
        bare = fan_out(options, "bare", subscribers, rounds, 0.001)
        ours = fan_out(options, "bus", subscribers, rounds, 0.001)
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            value, floor = percentile(ours.late_s, share) * 1e3, percentile(bare.late_s, share) * 1e3
            mark = {"mark": f"{mark_ms} ms", "holds": value <= mark_ms} if name == "p99" else {}
            report.add(f"tick to {subscribers} subscribers ({name})", value, "ms", "bare PUB and SUB", floor, **mark)
        lost = rounds * subscribers - ours.got
        report.add(f"  lost of {rounds * subscribers:,}", lost, "ticks", mark="0", holds=lost == 0)
    flood = rounds * 20
    ours = fan_out(options, "bus", 10, flood, 0.0)
    uncounted = flood * 10 - ours.got - ours.missed
    report.add(f"flood of {flood:,} to 10: lost", 100 * ours.missed / (flood * 10), "%")
    report.add("  lost and not counted", uncounted, "ticks", mark="0", holds=uncounted == 0)
    report.notes.append(
        f"1,000 ticks/s, {rounds:,} of them after {WARM_UP} to warm up, subscribers at nice +10 as workers are, on"
        f" {os.cpu_count()} processors; a counted loss is healed by the last price or by bars"
        " (tests/process/test_data_layer_tcp.py)"
    )
    return report


if __name__ == "__main__":
    run("tick_fanout", CLAIM, measure)
