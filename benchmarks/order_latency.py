"""From a tick to the acknowledged paper order it caused, through data layer, worker, gateway, journal and back.

The floor is one fsync and the three hops that no design of three processes can save: quote to worker, intent to
gateway, answer back. It is taken by three bare processes that do nothing else, once before and once after the fleet,
and they sleep between two rounds as long as the real ones do between two quotes. The floor of the first version added a
hop and an fsync that were measured one after another without a pause. A process that spins like that is never woken
from sleep, so its hop costs a third of one in a fleet that waits for quotes, and the ratio told more about the idle
states of the machine than about us. The real path has a second fsync, as the fill is on disk before it is told: that is
ours to carry.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import json

from benchmarks._support import fleets
from benchmarks._support.floors import fsync_append_s, sqlite_commit_s, woken_chain_s
from benchmarks._support.report import Options, Report, median, percentile, run
from tests.support.fleet import wait_for

CLAIM = "Tick published to paper order acknowledged, journal on disk: p50 within 4 x (one fsync + three socket hops)"
TICKS_PER_SECOND = 50

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


def orders_of_a_fleet(options: Options, wanted: int) -> list[dict[str, int]]:
    """Run a fleet of one instance until it has that many orders, and return what it wrote down about each."""
    fleet = fleets.write_installation(
        options.directory / "home",
        1,
        ticks_per_second=TICKS_PER_SECOND,
        strategy=STRATEGY,
        of_each=fleets.RESTARTS + fleets.ORDERS,
    )
    path = fleet.home.root / "strategies" / "latencies.jsonl"
    with fleets.running(fleet):
        wait_for(lambda: len(measured_rows(path)) >= wanted + 20, f"{wanted} orders", deadline_s=180, interval_s=0.5)
        return measured_rows(path)[-wanted:]


def measure(options: Options) -> Report:
    wanted = 100 if options.quick else 1000
    say = options.progress.say
    say("the bare chain")
    bare = woken_chain_s(options.directory, wanted // 2, 1 / TICKS_PER_SECOND)
    say(f"{wanted} orders of a fleet")
    rows = orders_of_a_fleet(options, wanted)
    say("the bare chain again")
    bare += woken_chain_s(options.directory, wanted // 2, 1 / TICKS_PER_SECOND)
    fsync, commit = (median(floor(options.directory, 300)) for floor in (fsync_append_s, sqlite_commit_s))
    took = [row["all_ns"] / 1e9 for row in rows]
    p50, floor_s = median(took), median(bare)
    beside = "one fsync + three hops"
    report = Report()
    report.add(
        "tick to acknowledged order (p50)", p50 * 1e3, "ms", beside, floor_s * 1e3,
        mark="<= 4 x", holds=p50 <= 4 * floor_s,
    )  # fmt: skip
    report.add("  (p99)", percentile(took, 0.99) * 1e3, "ms", beside, percentile(bare, 0.99) * 1e3)
    for what, key in (("  of it, tick to strategy (p50)", "tick_ns"), ("  of it, order and answer (p50)", "order_ns")):
        report.add(what, median([row[key] / 1e6 for row in rows]), "ms")
    report.notes.append(
        f"{len(rows)} orders; an fsync by itself {fsync * 1e3:.3f} ms, a SQLite commit {commit * 1e3:.3f} ms. "
        "The time counts from when the data layer had the price; before the answer the intent is in the journal, the "
        "order in the book of the paper account, and its fill in the journal, each on disk."
    )
    return report


if __name__ == "__main__":
    run("order_latency", CLAIM, measure, about_s=(15, 90))
