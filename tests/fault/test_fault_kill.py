"""kill -9 of everything, at random moments and at the worst ones: no order lost, none sent twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from tests.support.books import check_books, orders_so_far, wait_until_decided
from tests.support.fleet import Fleet, wait_for

KILLS = 100


@pytest.mark.timeout(300)
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
    fleet.wait_running(60)
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 3, "orders to flow again")
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


@pytest.mark.parametrize(
    "point", ["before-journal", "after-journal-before-send", "after-send-before-answer", "after-answer-before-publish"]
)
def test_a_gateway_killed_at_each_step_of_the_order_protocol_comes_back_with_one_order_per_intent(
    fleet: Fleet, tmp_path: Path, point: str
) -> None:
    marker = tmp_path / "crashed"
    fleet.environment["ATRADER_CRASH_POINT"] = f"{point}@{marker}"
    fleet.write_busy(instances=1, text=fleet.unlimited())
    fleet.launch()
    wait_for(marker.exists, f"the crash at {point}")
    wait_for(lambda: fleet.process("gateway-paper").get("restarts") == 1, "the manager to start it again")
    fleet.wait_running()
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


def test_the_whole_fleet_ends_within_two_seconds_of_its_manager_and_recovers_when_it_is_started_again(
    fleet: Fleet,
) -> None:
    fleet.write_busy(instances=2, text=fleet.unlimited())
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 5, "orders to flow")
    os.kill(fleet.manager_pid, signal.SIGKILL)
    wait_for(lambda: not fleet.survivors(), "the fleet to end", deadline_s=2.0)
    fleet.reap()
    check_books(fleet, history_complete=False)
    fleet.start()
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    wait_until_decided(fleet)
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
    assert not fleet.survivors()
    check_books(fleet)
