"""From a tick to the acknowledged paper order it caused, through data layer, worker, gateway, journal and back."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import json

from benchmarks._support import fleets
from benchmarks._support.floors import fsync_append_s, sqlite_commit_s, zmq_round_trip_s
from benchmarks._support.report import Options, Report, median, percentile, run
from tests.support.fleet import wait_for

CLAIM = "Tick published to paper order acknowledged, journal on disk: p50 within 4 x (one fsync + three socket hops)"

STRATEGY = '''
"""Trades on ticks and writes down how long each order took; one host, so its wall clock is the same everywhere."""

import json
from decimal import Decimal
from pathlib import Path

from atrader.clock import SystemClock
from atrader.orders.states import OrderState
from atrader.strategy import EventStrategy

OUT = Path(__file__).with_name("latencies.jsonl")
CLOCK = SystemClock()


class Measured(EventStrategy):
    def on_start(self):
        self.cause = {}
        self.file = OUT.open("a", buffering=1)

    def on_tick(self, tick):
        if self.context.orders() or self.cause:
            return
        seen_ns = CLOCK.now_ns()
        trades = self.context.trades()
        if trades:
            client_id = self.context.close(trades[0].trade_id)
        else:
            client_id = self.context.order("buy", units=Decimal(1000))
        self.cause[client_id] = tick.received_ns, seen_ns

    def on_order(self, order):
        if order.client_id not in self.cause:
            return
        received_ns, seen_ns = self.cause[order.client_id]
        now_ns = CLOCK.now_ns()
        if order.state is OrderState.FILLED:
            row = {"tick_ns": seen_ns - received_ns, "order_ns": now_ns - seen_ns, "all_ns": now_ns - received_ns}
            print(json.dumps(row), file=self.file)
        if order.state in (OrderState.FILLED, OrderState.REJECTED, OrderState.DENIED):
            del self.cause[order.client_id]
'''


def measured_rows(path: Path) -> list[dict[str, int]]:
    """Read what the strategy has written so far; the last line may not be whole yet."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def measure(options: Options) -> Report:
    wanted = 100 if options.quick else 1000
    fleet = fleets.write_installation(
        options.directory / "home",
        1,
        ticks_per_second=50,
        strategy=STRATEGY,
        of_each=fleets.RESTARTS + fleets.ORDERS,
    )
    path = fleet.home.root / "strategies" / "latencies.jsonl"
    with fleets.running(fleet):
        wait_for(lambda: len(measured_rows(path)) >= wanted + 20, f"{wanted} orders", deadline_s=180, interval_s=0.5)
        rows = measured_rows(path)[-wanted:]
    fsync, commit = (median(floor(options.directory, 300)) for floor in (fsync_append_s, sqlite_commit_s))
    hop = median(zmq_round_trip_s(options.directory, 2000)) / 2
    floor_s = fsync + 3 * hop
    took = [row["all_ns"] / 1e9 for row in rows]
    p50 = median(took)
    report = Report()
    report.add(
        "tick to acknowledged order (p50)",
        p50 * 1e3,
        "ms",
        "one fsync + three hops",
        floor_s * 1e3,
        mark="<= 4 x",
        holds=p50 <= 4 * floor_s,
    )
    report.add("  (p99)", percentile(took, 0.99) * 1e3, "ms", "one fsync + three hops", floor_s * 1e3)
    for what, key in (("  of it, tick to strategy (p50)", "tick_ns"), ("  of it, order and answer (p50)", "order_ns")):
        report.add(what, median([row[key] / 1e6 for row in rows]), "ms")
    report.notes.append(
        f"{len(rows)} orders; fsync {fsync * 1e3:.3f} ms, SQLite commit {commit * 1e3:.3f} ms, hop {hop * 1e3:.3f} ms. "
        "The time counts from when the data layer had the price; before the answer the intent is in the journal, the "
        "order in the book of the paper account, and its fill in the journal, each on disk."
    )
    return report


if __name__ == "__main__":
    run("order_latency", CLAIM, measure)
