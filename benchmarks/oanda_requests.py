"""From a worker's intent to the request at OANDA's door: alone, and while a backfill takes all that the budget leaves.

Gateway, data layer and venue are processes; this one is the worker. The venue notes when it has read a request, so the
time has everything in it: the call to the gateway, the risk gate, the journal synced, the budget, HTTP, and the venue's
own reading. What is not ours is measured beside it, with the same pause before each: one fsync, and a request that lies
ready, from a bare socket to the door.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from urllib.parse import urlsplit

from atrader.clock import SystemClock
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from benchmarks._support import fleets
from benchmarks._support.floors import fsync_append_s
from benchmarks._support.oanda_orders import OrderVenue, order_venue
from benchmarks._support.report import Options, Report, median, percentile, run
from benchmarks.price_path import write_fleet
from benchmarks.stream_memory import LISTENER
from broker_api.client import BrokerClient
from tests.support.fleet import Fleet, wait_for

CLAIM = "An intent is on the wire 2 ms after the fsync it needs, and an exit waits 20 ms at most beside a backfill"
MARK_MS = 2.0
EXIT_MARK_MS = 20.0
PER_SECOND = 100
PAUSE_S = 0.05
AT_ONCE = 30
FLOOR_ROUNDS = 40
DRIVER = Path(__file__).parent / "_support" / "candle_driver.py"


class Worker:
    """Opens and closes trades, one after another."""

    def __init__(self, fleet: Fleet) -> None:
        self._client, self._clock = BrokerClient(fleet.home, "oanda"), SystemClock()
        self._n = self._client.attach("i0", 1, self._clock.now_ns()).last_n
        self.submitted_ns: dict[str, int] = {}
        self.closes: set[str] = set()

    def warm_up(self) -> None:
        """Wait for the first price, and trade for a while."""
        wait_for(lambda: self._open().state is not OrderState.DENIED, "no price", interval_s=0.2)
        self.trade(10)

    def trade(self, rounds: int) -> None:
        """Open a trade and close it, so many times; a pause after each."""
        for _ in range(rounds):
            opened = _filled(self._open())
            time.sleep(PAUSE_S)
            self.closes.add(_filled(self._submit(action="close", trade_id=opened)))
            time.sleep(PAUSE_S)

    def _open(self) -> Order:
        return self._submit(action="open", side="buy", units=Decimal(1000))

    def _submit(self, **wanted: object) -> Order:
        self._n += 1
        common = {"magic": 1, "instance": "i0", "instrument": "EUR/USD", "n": self._n, "time_ns": self._clock.now_ns()}
        intent = Intent.model_validate({**common, **wanted})
        self.submitted_ns[intent.client_id] = time.monotonic_ns()
        return self._client.submit(intent, timeout_s=10.0).order

    def close(self) -> None:
        """Hang up."""
        self._client.close()


def _filled(order: Order) -> str:
    if order.state is not OrderState.FILLED:
        raise RuntimeError(f"{order.client_id} is {order.state}: {order.reason}")
    return order.client_id


@contextlib.contextmanager
def backfill(fleet: Fleet) -> Iterator[None]:
    """Let a backfill ask for candles without end."""
    command = [sys.executable, "-P", str(DRIVER), str(fleet.home.root), "oanda", "EUR/USD", str(AT_ONCE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            if not driver.stdout.readline():
                raise RuntimeError("the backfill has begun nothing")
            yield
        finally:
            driver.kill()


def bare_request_s(made: OrderVenue, rounds: int) -> list[float]:
    """Send a request that lies ready over a bare connection, now and then; return when each was at the door."""
    there = urlsplit(made.told["rest_url"])
    request = f"GET /v3/accounts HTTP/1.1\r\nHost: {there.netloc}\r\nAuthorization: Bearer {made.told['token']}\r\n"
    sent_ns = {}
    made.noted()
    with socket.create_connection((there.hostname, there.port)) as connection:
        for name in (f"bare-{number}" for number in range(rounds)):
            data = f"{request}ClientRequestID: {name}\r\n\r\n".encode()
            time.sleep(PAUSE_S)
            sent_ns[name] = time.monotonic_ns()
            connection.sendall(data)
            connection.recv(65536)
    return [(at_ns - sent_ns[name]) / 1e9 for at_ns, name in made.noted() if name in sent_ns]


def way_s(worker: Worker, arrivals: list[tuple[int, str]], among: set[str]) -> list[float]:
    """Return how long each intent took to the door."""
    came_ns = {client_id: at_ns for at_ns, client_id in reversed(arrivals) if client_id}
    return [(came_ns[client_id] - worker.submitted_ns[client_id]) / 1e9 for client_id in sorted(among)]


def play(worker: Worker, made: OrderVenue, rounds: int) -> tuple[list[tuple[int, str]], float]:
    """Trade; return what arrived meanwhile, and how long that took."""
    made.noted()
    worker.submitted_ns.clear()
    worker.closes.clear()
    began_s = time.monotonic()
    worker.trade(rounds)
    return made.noted(), time.monotonic() - began_s


def measure(options: Options) -> Report:
    rounds = options.rounds or (60 if options.quick else 400)
    with order_venue() as made:
        fleet = write_fleet(options.directory / "home", made, ("EUR/USD",), 1, LISTENER, fleets.ORDERS)
        with fleets.running(fleet):
            fleet.command("stop", "worker-i0")  # this process speaks for it
            wait_for(lambda: fleet.process("worker-i0")["state"] == "STOPPED", "no worker")
            worker = Worker(fleet)
            worker.warm_up()
            fsync = median(fsync_append_s(options.directory, FLOOR_ROUNDS, PAUSE_S))
            bare = median(bare_request_s(made, FLOOR_ROUNDS))
            arrivals, _ = play(worker, made, rounds)
            alone = way_s(worker, arrivals, set(worker.submitted_ns))
            fsync = (fsync + median(fsync_append_s(options.directory, FLOOR_ROUNDS, PAUSE_S))) / 2
            bare = (bare + median(bare_request_s(made, FLOOR_ROUNDS))) / 2
            with backfill(fleet):
                time.sleep(1.0)  # what the budget had saved is gone then
                arrivals, took_s = play(worker, made, rounds)
            exits = way_s(worker, arrivals, worker.closes)
            worker.close()
    report = Report()
    beyond_ms = (median(alone) - fsync - bare) * 1e3
    report.add("submit to request at the door (p50)", median(alone) * 1e3, "ms", "one fsync", fsync * 1e3)
    report.add("  the same", median(alone) * 1e3, "ms", "a bare request", bare * 1e3)
    report.add("  beyond both", beyond_ms, "ms", mark=f"<= {MARK_MS:g} ms", holds=beyond_ms <= MARK_MS)
    report.add("  (p99)", percentile(alone, 0.99) * 1e3, "ms", "one fsync", fsync * 1e3)
    beside, p50_ms = "alone (p50)", median(alone) * 1e3
    queued_ms = percentile(exits, 0.99) * 1e3 - p50_ms
    report.add("exit beside a backfill (p50)", median(exits) * 1e3, "ms", beside, p50_ms)
    report.add("  (p99)", percentile(exits, 0.99) * 1e3, "ms", beside, p50_ms)
    report.add("  queueing (p99 beyond that)", queued_ms, "ms", mark=f"<= {EXIT_MARK_MS:g} ms",
               holds=queued_ms <= EXIT_MARK_MS)  # fmt: skip
    rate = len(arrivals) / took_s
    report.add("requests a second meanwhile", rate, "/s", "the budget", PER_SECOND, mark=f">= {0.95 * PER_SECOND:g}/s",
               holds=rate >= 0.95 * PER_SECOND)  # fmt: skip
    report.notes.append(
        f"{2 * rounds} intents alone, as many beside a backfill, {rounds} of them exits; {AT_ONCE} pages are asked for"
        " at once; the venue refuses what is more than 120 requests/s."
    )
    return report


if __name__ == "__main__":
    run("oanda_requests", CLAIM, measure)
