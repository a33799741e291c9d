"""SIGKILL of a gateway with a long journal and many open trades at OANDA: how soon its successor is RUNNING.

It reads its journal, logs in, takes the whole account, and compares every trade with it before it lets anybody trade.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from atrader.clock import SystemClock
from atrader.errors import Retryable
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from benchmarks._support import fleets
from benchmarks._support.floors import BareForkServer, timed_s
from benchmarks._support.oanda_orders import order_venue
from benchmarks._support.report import Options, Report, median, run
from benchmarks.price_path import write_fleet
from benchmarks.stream_memory import LISTENER
from broker_api.client import BrokerClient
from tests.support.fleet import Fleet, wait_for

CLAIM = "A gateway with 10,000 journal events and 500 open trades at OANDA is ready 2 s after its death"
GATEWAY = "gateway-oanda"
MARK_S = 2.0
INSTANCES = 10
TRADES = 500
NO_LIMIT = 1_000_000
ACCOUNT = f"[budget]\nper_second = {NO_LIMIT}\nburst = {NO_LIMIT}\n[trade]\nmax_price_age = '1h'\n"


class Trader:
    """One instance that fills the journal; for one thread."""

    def __init__(self, fleet: Fleet, number: int) -> None:
        self._client, self._clock = BrokerClient(fleet.home, "oanda"), SystemClock()
        self._name, self._magic = f"i{number}", number + 1
        self._n = self._client.attach(self._name, self._magic, self._clock.now_ns()).last_n

    def fill(self, pairs: int, trades: int) -> None:
        """Open and close so many trades, and leave so many others open."""
        for _ in range(pairs):
            self._submit(action="close", trade_id=self._open())
        for _ in range(trades):
            self._open()
        self._client.close()

    def _open(self) -> str:
        """Open a trade; while there is no fresh price that is denied."""
        while (order := self._submit(action="open", side="buy", units=Decimal(1))).state is OrderState.DENIED:
            time.sleep(0.2)
        return order.client_id

    def _submit(self, **wanted: object) -> Order:
        self._n += 1
        common = {"magic": self._magic, "instance": self._name, "instrument": "EUR/USD", "n": self._n}
        intent = Intent.model_validate({**common, **wanted, "time_ns": self._clock.now_ns()})
        while True:
            try:
                return self._client.submit(intent, timeout_s=5.0).order
            except Retryable:
                pass  # the same intent again, as a worker does


def held(fleet: Fleet) -> tuple[int, int]:
    """Return how many orders and fills are in the journal, and how many trades are open."""
    connection = sqlite3.connect(f"file:{fleet.home.journal('oanda')}?mode=ro", uri=True)
    try:
        (events,) = connection.execute("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM fills)").fetchone()
        (trades,) = connection.execute("SELECT count(*) FROM trades WHERE is_open = 1").fetchone()
    finally:
        connection.close()
    return events, trades


def restart_s(fleet: Fleet) -> float:
    """Kill the gateway once; return how long until its successor was RUNNING."""
    pid, began_ns = fleet.pid(GATEWAY), SystemClock().now_ns()
    fleet.kill(GATEWAY)

    def running() -> list[fleets.Transition]:
        return [event for event in fleets.transitions(fleet, GATEWAY, began_ns) if event.target == "RUNNING"]

    (found, *_) = wait_for(running, "RUNNING again", deadline_s=60)
    fleet.wait_replaced(GATEWAY, pid)
    return (found.time_ns - began_ns) / 1e9


def measure(options: Options) -> Report:
    rounds, events = (3, 2_000) if options.quick else (10, options.rounds or 10_000)
    pairs = max(0, events - 2 * TRADES) // 4 // INSTANCES + 1
    with order_venue(NO_LIMIT) as made:
        fleet = write_fleet(options.directory / "home", made, ("EUR/USD",), INSTANCES, LISTENER, fleets.ORDERS)
        path = fleet.home.etc / "accounts" / "oanda.toml"
        path.write_text(
            path.read_text() + f"[budget]\nper_second = {NO_LIMIT}\nburst = {NO_LIMIT}\n[trade]\nmax_price_age = '1h'\n"
        )
        with fleets.running(fleet):
            fleet.command("stop", *(f"worker-i{number}" for number in range(INSTANCES)))  # these threads speak for them
            with ThreadPoolExecutor(INSTANCES) as threads:
                traders = [Trader(fleet, number) for number in range(INSTANCES)]
                for filled in [threads.submit(trader.fill, pairs, TRADES // INSTANCES) for trader in traders]:
                    filled.result()
            found = held(fleet)
            if found[1] < TRADES:
                raise RuntimeError(f"only {found[1]} trades were opened")
            took = []
            for _ in range(rounds):
                took.append(restart_s(fleet))
                time.sleep(0.3)  # past the restart window: each death is a first one
    bare = BareForkServer()
    try:
        forks = timed_s(bare.fork, rounds)
        seen = [bare.kill_and_notice_s(pid) for pid in list(bare.children)]
    finally:
        bare.close()
    report = Report()
    report.add(
        "killed to RUNNING (p50)", median(took), "s", "bare pidfd + bare fork", median(seen) + median(forks),
        mark=f"<= {MARK_S:g} s", holds=median(took) <= MARK_S,
    )  # fmt: skip
    report.add("  (longest)", max(took), "s", mark=f"<= {MARK_S:g} s", holds=max(took) <= MARK_S)
    report.notes.append(f"{rounds} kills; {found[0]:,} orders and fills in the journal, {found[1]:,} trades open")
    return report


if __name__ == "__main__":
    run("gateway_restart", CLAIM, measure)
