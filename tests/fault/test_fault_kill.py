"""kill -9 of everything, at random moments and at the worst ones: no order lost, none sent twice."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import signal
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from atrader.clock import SystemClock
from atrader.orders.model import Intent, Order
from broker_api.client import BrokerClient
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from tests.support.books import check_books, orders_so_far, wait_until_decided
from tests.support.fleet import Fleet, wait_for

KILLS = 100


def test_a_hundred_kills_at_random_moments_lose_and_double_nothing(fleet: Fleet) -> None:
    fleet.write_busy(instances=2, text=fleet.unlimited())
    fleet.start()
    seed = int(os.environ.get("ATRADER_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"seed {seed} (ATRADER_TEST_SEED replays it)")
    chance = random.Random(seed)
    names = ("worker-busy1", "worker-busy2", "gateway-paper", "data-layer")
    for _ in range(KILLS):
        name = chance.choice(names)
        pid = fleet.pid(name)
        threading.Event().wait(chance.uniform(0.0, 0.15))  # the random moment
        with contextlib.suppress(ProcessLookupError):  # it was between two lives
            os.kill(pid, signal.SIGKILL)
    fleet.wait_running()
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 3, "orders to flow again")
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


@pytest.mark.parametrize(("session", "holder"), [("gateway", "gateway-paper"), ("worker", "worker-busy1")])
def test_who_holds_the_session_killed_at_each_step_of_the_order_protocol_comes_back_with_one_order_per_intent(
    fleet: Fleet, tmp_path: Path, session: str, holder: str
) -> None:
    markers = [tmp_path / point for point in CRASH_POINTS]
    assert [marker.name for marker in markers] == [
        *("before-journal", "after-journal-before-send", "after-send-before-answer", "after-answer-before-publish")
    ]
    fleet.environment[VARIABLE] = ",".join(f"{marker.name}@{marker}" for marker in markers)
    fleet.write_busy(instances=1, text=fleet.unlimited(), session=session)
    fleet.launch()
    for marker in markers:
        wait_for(marker.exists, f"the crash at {marker.name}")
    wait_for(lambda: (fleet.process(holder).get("restarts") or 0) >= len(markers), "the manager to start it each time")
    fleet.wait_running()
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


def test_the_whole_fleet_ends_with_its_manager_and_recovers_when_it_is_started_again(
    fleet: Fleet,
) -> None:
    fleet.write_busy(instances=2, text=fleet.unlimited())
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 5, "orders to flow")
    os.kill(fleet.manager_pid, signal.SIGKILL)
    wait_for(lambda: not fleet.survivors(), "the fleet to end")
    fleet.reap()
    check_books(fleet, history_complete=False)
    fleet.start()
    # The fork server's socket is of this life, below run/ and nowhere else; that of the killed one is swept away.
    assert len(list(fleet.home.sockets.glob("fork-server-*/*"))) == 1
    assert len(list(fleet.home.sockets.glob("fork-server-*"))) == 1
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    assert not list(fleet.home.sockets.glob("fork-server-*"))
    check_books(fleet)


def test_a_machine_that_stops_at_one_moment_lost_and_doubled_nothing_when_it_comes_back(fleet: Fleet) -> None:
    """That journals are forced to the disk before anything is sent, test_journal shows; here nobody says goodbye."""
    fleet.write_busy(instances=3, text=fleet.unlimited())
    for _ in range(2):
        fleet.start()
        enough = orders_so_far(fleet) + 5
        wait_for(functools.partial(_more_than, fleet, enough), "orders to flow")
        for number in (signal.SIGSTOP, signal.SIGKILL):  # first nobody moves any more, then nobody is there
            for process in (psutil.Process(fleet.manager_pid), *fleet.survivors()):
                with contextlib.suppress(psutil.NoSuchProcess):  # the kernel kills children with their parent
                    process.send_signal(number)
        fleet.reap()
        wait_for(lambda: not fleet.survivors(), "the end of all")
        check_books(fleet, history_complete=False)
    fleet.start()
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


def _more_than(fleet: Fleet, orders: int) -> bool:
    return orders_so_far(fleet) > orders


def test_without_the_data_layer_nothing_opens_on_old_prices_and_closes_go(fleet: Fleet) -> None:
    fleet.write_fleet()
    fleet.write_account(text="[trade]\nmax_price_age = '500ms'")
    fleet.write_instance("hand", 9, text="enabled = false")
    fleet.start()
    client, numbers = BrokerClient(fleet.home, "paper"), itertools.count(1)

    def submit(**values: Any) -> Order:
        intent = Intent(
            magic=9, n=next(numbers), instance="hand", instrument="EUR/USD", time_ns=SystemClock().now_ns(), **values
        )
        return client.submit(intent).order

    def open_one() -> Order:
        return submit(action="open", side="buy", units=Decimal(1000))

    opened = wait_for(lambda: (order := open_one()).state == "FILLED" and order, "a trade")
    assert fleet.command("stop", "data-layer").returncode == 0
    refused = wait_for(lambda: (order := open_one()).state == "DENIED" and order, "an open that is refused")
    assert refused.reason.startswith("price-age")
    assert submit(action="close", trade_id=opened.client_id).state == "FILLED"
    assert fleet.command("start", "data-layer").returncode == 0
    wait_for(lambda: open_one().state == "FILLED", "opens to go again")
    client.close()
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_sigterm_in_a_burst_of_orders_ends_everything_in_order(fleet: Fleet) -> None:
    fleet.write_fleet(ticks=200.0)
    fleet.write_account()
    for number in range(1, 4):
        fleet.write_instance(f"busy{number}", number, text=fleet.unlimited())
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 20, "a burst of orders")
    assert fleet.stop() == 0
    wait_for(lambda: not fleet.survivors(), "helpers of the interpreter to end after it")
    check_books(fleet)
