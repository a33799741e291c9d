"""SIGKILL of a gateway with a long journal and many open trades at OANDA: how soon its successor is RUNNING.

It reads its journal, logs in, takes the whole account, and compares every trade with it before it lets anybody trade.
The open trades are made by trading; what is closed long ago is written into the journal before the fleet begins.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psutil

from atrader.clock import NS_PER_S, SystemClock
from atrader.errors import Retryable
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from benchmarks._support import fleets
from benchmarks._support.floors import bare_restart_s
from benchmarks._support.oanda_orders import order_venue
from benchmarks._support.past_trades import EVENTS_PER_TRADE, Past, write_pasts
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
    """One instance that opens trades; for one thread."""

    def __init__(self, fleet: Fleet, number: int) -> None:
        self._client, self._clock = BrokerClient(fleet.home, "oanda"), SystemClock()
        self._name, self._magic = f"i{number}", number + 1
        self._n = self._client.attach(self._name, self._magic, self._clock.now_ns()).last_n

    def open_trades(self, trades: int) -> None:
        """Open so many trades and leave them open."""
        for _ in range(trades):
            self._open()
        self._client.close()

    def _open(self) -> None:
        """Open a trade; while there is no fresh price that is denied."""
        while self._submit().state is OrderState.DENIED:
            time.sleep(0.2)

    def _submit(self) -> Order:
        self._n += 1
        intent = Intent(
            magic=self._magic, instance=self._name, instrument="EUR/USD", n=self._n, action="open", side="buy",
            units=Decimal(1), time_ns=self._clock.now_ns(),
        )  # fmt: skip
        while True:
            try:
                return self._client.submit(intent, timeout_s=5.0).order
            except Retryable:
                pass  # the same intent again, as a worker does


def write_past(fleet: Fleet, events: int) -> None:
    """Fill the journal with trades that were closed an hour ago."""
    trades = max(0, events) // EVENTS_PER_TRADE // INSTANCES
    end_ns = SystemClock().now_ns() - 3600 * NS_PER_S
    pasts = (Past("oanda", f"i{number}", number + 1, trades, end_ns) for number in range(INSTANCES))
    write_pasts(fleet.home.journal("oanda"), pasts)


def held(fleet: Fleet) -> tuple[int, int]:
    """Return how many orders and fills are in the journal, and how many trades are open."""
    connection = sqlite3.connect(f"file:{fleet.home.journal('oanda')}?mode=ro", uri=True)
    try:
        (events,) = connection.execute("SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM fills)").fetchone()
        (trades,) = connection.execute("SELECT count(*) FROM trades WHERE is_open = 1").fetchone()
    finally:
        connection.close()
    return events, trades


def restart_s(fleet: Fleet) -> tuple[float, float]:
    """Kill the gateway once; return how long until its successor was RUNNING, and the CPU seconds that it took."""
    pid, began_ns = fleet.pid(GATEWAY), SystemClock().now_ns()
    fleet.kill(GATEWAY)

    def running() -> list[fleets.Transition]:
        return [event for event in fleets.transitions(fleet, GATEWAY, began_ns) if event.target == "RUNNING"]

    (found, *_) = wait_for(running, "RUNNING again", deadline_s=60)
    fleet.wait_replaced(GATEWAY, pid)
    used = psutil.Process(fleet.pid(GATEWAY)).cpu_times()
    return (found.time_ns - began_ns) / 1e9, used.user + used.system


def measure(options: Options) -> Report:
    rounds, events = (3, 2_000) if options.quick else (10, options.rounds or 10_000)
    say = options.progress.say
    with order_venue(NO_LIMIT) as made:
        fleet = write_fleet(options.directory / "home", made, ("EUR/USD",), INSTANCES, LISTENER, fleets.ORDERS)
        with (fleet.home.etc / "accounts" / "oanda.toml").open("a") as file:
            file.write(ACCOUNT)
        say(f"writing a journal of {events:,} events")
        write_past(fleet, events - 2 * TRADES)
        with fleets.running(fleet):
            fleet.command("stop", *(f"worker-i{number}" for number in range(INSTANCES)))  # these threads speak for them
            say(f"opening {TRADES} trades")
            with ThreadPoolExecutor(INSTANCES) as threads:
                traders = [Trader(fleet, number) for number in range(INSTANCES)]
                for opened in [threads.submit(trader.open_trades, TRADES // INSTANCES) for trader in traders]:
                    opened.result()
            found = held(fleet)
            if found[1] < TRADES:
                raise RuntimeError(f"only {found[1]} trades were opened")
            say("waiting until the history has the past")
            wait_for(lambda: fleet.json("account", "oanda")["outbox"] == 0, "an empty outbox", 120, interval_s=0.5)
            took, used = [], []
            for _ in options.progress.each(range(rounds), "kill"):
                seconds, cpu_s = restart_s(fleet)
                took.append(seconds)
                used.append(cpu_s)
                time.sleep(0.3)  # past the restart window: each death is a first one
    bare_noticed_s, bare_fork_s = bare_restart_s(rounds)
    report = Report()
    report.add(
        "killed to RUNNING (p50)", median(took), "s", "bare pidfd + bare fork", bare_noticed_s + bare_fork_s,
        mark=f"<= {MARK_S:g} s", holds=median(took) <= MARK_S,
    )  # fmt: skip
    report.add("  (longest)", max(took), "s", mark=f"<= {MARK_S:g} s", holds=max(took) <= MARK_S)
    report.add("  CPU of the successor until then, and a moment more", median(used), "s")
    report.notes.append(f"{rounds} kills; {found[0]:,} orders and fills in the journal, {found[1]:,} trades open")
    return report


if __name__ == "__main__":
    run("gateway_restart", CLAIM, measure, about_s=(15, 30))
