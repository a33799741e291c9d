"""One real gateway process: killed at each step of the order protocol, stopped in a burst, alone on its account."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.bus import StreamClient
from atrader.clock import SystemClock
from atrader.errors import Rejected
from atrader.exit_codes import ExitCode
from atrader.messages.gateway import OrderAnswer
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from tests.support.fleet import wait_for
from tests.support.gateway_host import GatewayProcess

CLOCK = SystemClock()


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
    worker.join(90)
    assert answers
    final = wait_for(lambda: gateway.outcome(intent), "an outcome")
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
    items: list[Any] = []

    def is_heard() -> bool:
        items.extend(stream.drain())
        return stream.counters["heartbeats"] > 0

    # What is published before the subscription has arrived is nobody's: it would be a gap after `resume` only.
    wait_for(is_heard, "the stream")
    order = gateway.submit(gateway.intent()).order

    def has_come() -> bool:
        items.extend(stream.drain())
        topics = {item.topic for item in items if order.client_id in item.values.json}
        return topics == {"order|alpha", "trade|alpha"}

    wait_for(has_come, "both events")
    snapshot = gateway.client.attach("alpha", 7, 0)
    seqs = {"order|alpha": snapshot.order_seq, "trade|alpha": snapshot.trade_seq}
    wait_for(lambda: has_come() and {item.topic: item.seq for item in items} == seqs, f"the last events, {seqs}")
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
