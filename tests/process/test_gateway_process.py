"""One real gateway process: killed at each step of the order protocol, stopped in a burst, alone on its account."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.bus import StreamClient, StreamServer, close_context
from atrader.clock import SystemClock
from atrader.configuration.home import Home
from atrader.errors import Rejected, Retryable
from atrader.exit_codes import ExitCode
from atrader.market import TICK, tick_topic
from atrader.messages.gateway import OrderAnswer
from atrader.orders.model import Intent
from atrader.orders.states import OrderState
from broker_api.client import BrokerClient
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from tests.support.fleet import wait_for

CLOCK = SystemClock()


class GatewayProcess:
    """A gateway with nothing around it but a stream of quotes; the data layer is away."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        for folder in (root / "etc" / "accounts", root / "etc" / "strategies", root / "run", root / "log"):
            folder.mkdir(parents=True)
        (root / "etc" / "atrader.toml").write_text('[market]\nfeed = "synthetic"\ninstruments = ["EUR/USD"]\n')
        (root / "etc" / "accounts" / "paper.toml").write_text('broker = "paper"\n[paper]\ninitial_balance = 1000000\n')
        (root / "etc" / "strategies" / "alpha.toml").write_text(
            'strategy = "sma-cross"\naccount = "paper"\nmagic = 7\ninstrument = "EUR/USD"\ntimeframe = "1m"\n'
            "[limits]\nmax_orders_per_minute = 100000\n"
        )
        self.home.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)  # the manager makes it otherwise
        self.process: subprocess.Popen[bytes] | None = None
        self.quotes = StreamServer(self.home.endpoint("data.stream"))
        self.client = BrokerClient(self.home, "paper")
        self._n = 0

    def start(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.support.gateway_process", str(self.home.root), "paper"],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **environment},
            stdin=subprocess.DEVNULL,
        )

    def quote(self) -> None:
        now_ns = CLOCK.now_ns()
        self.quotes.publish(tick_topic("EUR/USD"), TICK, ("EUR/USD", now_ns, now_ns, 1.1, 1.1001))

    def intent(self, **values: Any) -> Intent:
        self._n += 1
        values = {"action": "open", "side": "buy", "units": Decimal(1000), **values}
        return Intent.model_validate(
            {
                "magic": 7,
                "n": self._n,
                "instance": "alpha",
                "instrument": "EUR/USD",
                "time_ns": CLOCK.now_ns(),
                **values,
            }
        )

    def submit(self, intent: Intent, deadline_s: float = 30.0) -> OrderAnswer:
        """Hand an intent over as a worker does: again and again until it is answered."""
        end_s = CLOCK.monotonic_s() + deadline_s
        while True:
            self.quote()
            try:
                return self.client.submit(intent, timeout_s=1.0)
            except Retryable:
                assert CLOCK.monotonic_s() < end_s, f"{intent} is not answered"

    def wait_quoted(self) -> None:
        """Wait until the gateway has a price: a market order fills."""
        wait_for(lambda: self.submit(self.intent()).order.state is OrderState.FILLED, "a first fill")

    def rows(self, path: Path, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def states(self) -> dict[int, str]:
        return dict(self.rows(self.home.journal("paper"), "SELECT n, state FROM orders"))

    def wait_for_end(self, deadline_s: float = 20.0) -> int:
        assert self.process is not None
        return self.process.wait(deadline_s)

    def stop(self) -> int:
        wait_for(self._answers, "the gateway to be up")
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end()

    def _answers(self) -> bool:
        try:
            return self.client.account(timeout_s=1.0).name == "paper"
        except Retryable:
            return False

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.client.close()
        self.quotes.close()
        close_context()
        if self.home.sockets != self.home.run:
            shutil.rmtree(self.home.sockets)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path / "home")
    yield made
    made.end()


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_after_a_kill_at_each_step_the_repeated_intent_has_one_outcome_and_one_broker_order(
    gateway: GatewayProcess, tmp_path: Path, point: str
) -> None:
    gateway.start()
    gateway.wait_quoted()
    working = gateway.submit(gateway.intent(order_type="limit", price=Decimal("1.05"))).order
    assert gateway.stop() == ExitCode.OK
    marker = tmp_path / "crashed"
    gateway.start(**{VARIABLE: f"{point}@{marker}"})
    # A cancellation needs no price, so its outcome does not depend on when the first quote comes.
    intent = gateway.intent(action="cancel", side=None, units=None, order_id=working.client_id)
    answers: list[OrderAnswer] = []
    worker = threading.Thread(target=lambda: answers.append(gateway.submit(intent)))
    worker.start()
    assert gateway.wait_for_end() == -signal.SIGKILL
    assert marker.exists()
    gateway.start(**{VARIABLE: f"{point}@{marker}"})
    worker.join(30)
    assert answers
    final = wait_for(lambda: _outcome(gateway, intent), "an outcome")
    assert final == "DONE"
    assert gateway.stop() == ExitCode.OK
    seen = gateway.rows(gateway.home.paper("paper"), f"SELECT seen FROM clients WHERE client_id = '{intent.client_id}'")
    assert seen == [(1,)]


def test_a_second_gateway_of_the_account_is_turned_away(gateway: GatewayProcess) -> None:
    gateway.start()
    gateway.wait_quoted()
    first = gateway.process
    gateway.start()
    assert gateway.wait_for_end() == ExitCode.LOCKED
    gateway.process = first
    gateway.wait_quoted()
    assert gateway.stop() == ExitCode.OK


def test_a_gateway_told_to_stop_finishes_what_it_began(gateway: GatewayProcess) -> None:
    gateway.start()
    gateway.wait_quoted()
    gateway.submit(gateway.intent(order_type="limit", price=Decimal("1.05")))
    assert gateway.stop() == ExitCode.OK
    assert set(gateway.states().values()) <= {"FILLED", "REJECTED", "DENIED", "WORKING"}
    outbox = gateway.rows(gateway.home.journal("paper"), "SELECT count(*) FROM outbox")
    assert outbox[0][0] > 0, "the data layer was away: the rows wait here"


def test_events_and_snapshot_of_an_instance_agree(gateway: GatewayProcess) -> None:
    stream = StreamClient(gateway.home.endpoint("gateway.paper.stream"))
    stream.subscribe("order|alpha")
    stream.subscribe("trade|alpha")
    gateway.start()
    gateway.wait_quoted()
    order = gateway.submit(gateway.intent()).order
    items: list[Any] = []

    def has_come() -> bool:
        items.extend(stream.drain())
        topics = {item.topic for item in items if order.client_id in item.values.json}
        return topics == {"order|alpha", "trade|alpha"}

    wait_for(has_come, "both events")
    snapshot = gateway.client.attach("alpha", 7, 0)
    last = {item.topic: item.seq for item in items}
    assert (snapshot.order_seq, snapshot.trade_seq) == (last["order|alpha"], last["trade|alpha"])
    assert order in snapshot.orders
    assert order.client_id in {trade.trade_id for trade in snapshot.trades}
    assert snapshot.last_n == order.intent.n
    assert gateway.client.account().proof == "holds"
    assert gateway.client.close_all(7).done == len(snapshot.trades)
    assert gateway.client.close_all(7).done == 0
    assert gateway.client.account().open_trades == ()
    stream.close()
    assert gateway.stop() == ExitCode.OK


def test_what_no_worker_may_send_is_refused(gateway: GatewayProcess) -> None:
    gateway.start()
    gateway.wait_quoted()
    with pytest.raises(Rejected) as refused:
        gateway.client.submit(gateway.intent(n=-5))
    assert refused.value.details["reason"] == "reserved-counter"
    with pytest.raises(Rejected) as refused:
        gateway.client.submit(gateway.intent(magic=99))
    assert refused.value.details["reason"] == "unknown-instance"
    assert gateway.stop() == ExitCode.OK


def _outcome(gateway: GatewayProcess, intent: Intent) -> str | None:
    state = gateway.states().get(intent.n)
    return None if state in (None, "NEW", "SENT", "UNKNOWN") else state
