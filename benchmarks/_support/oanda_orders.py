"""OANDA in a process of its own that notes when each request came in. Prints what it is as JSON, answers ``noted``.

It keeps the real venue's limit of requests. Clocks: monotonic nanoseconds, the same in all processes of a host.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._support.oanda_venue import Venue
from tests.oanda_simulator import HEDGING_ACCOUNT, AccountSettings, Limits, OandaSimulator
from tests.oanda_simulator.http_server import Request
from tests.oanda_simulator.reply import Reply
from tests.oanda_simulator.synthetic import MovingPrices, load_history


class NotingSimulator(OandaSimulator):
    """Notes arrivals."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.arrivals: list[tuple[int, str]] = []

    def gate(self, request: Request) -> Reply | None:
        """Take note, and decide as ever."""
        self.arrivals.append((time.monotonic_ns(), request.headers.get("clientrequestid", "")))
        return super().gate(request)


class OrderVenue(Venue):
    """A running venue that notes."""

    def noted(self) -> list[tuple[int, str]]:
        """Return the arrivals since the last time: when, and the client id of the intent behind it, if there is one."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("noted\n")
        self.process.stdin.flush()
        return [(at_ns, client_id) for at_ns, client_id in json.loads(self.process.stdout.readline())]


async def main(requests_per_s: int) -> None:
    account = AccountSettings(HEDGING_ACCOUNT, hedging=True, maximum_trades=10_000)
    limits = Limits(requests_per_s=requests_per_s, connections_per_s=1000)
    async with NotingSimulator([account], limits=limits, price_window_s=0) as simulator:
        load_history(simulator, 1, 1.0, "always")
        simulator.spawn(MovingPrices(simulator, 1, 0.5).run())
        told = {"rest_url": simulator.rest_url, "stream_url": simulator.stream_url, "token": simulator.token}
        print(json.dumps(told | {"account_id": HEDGING_ACCOUNT}), flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            arrivals, simulator.arrivals = simulator.arrivals, []
            print(json.dumps(arrivals), flush=True)


@contextmanager
def order_venue(requests_per_s: int = Limits.requests_per_s) -> Iterator[OrderVenue]:
    """Run a venue that takes so many requests a second."""
    command = [sys.executable, "-P", __file__, str(requests_per_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield OrderVenue(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
