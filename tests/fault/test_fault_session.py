"""An account whose session a worker holds: whoever dies, hangs or fails in that one process, no order is lost."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
from typing import Any

from tests.support.books import check_books, orders_so_far, wait_until_decided
from tests.support.fleet import BUSY, Fleet, wait_for

KILLS = 12


def trades_on(fleet: Fleet) -> None:
    """Wait until orders flow (again)."""
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 3, "orders to flow")


def account_row(fleet: Fleet) -> dict[str, Any]:
    rows = (fleet.try_status() or {"accounts": []})["accounts"]
    return dict(rows[0]) if rows else {}


def events(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (fleet.home.log / f"{name}.log").read_text().splitlines()]


def test_kills_at_random_moments_of_the_worker_that_holds_the_session_lose_and_double_nothing(fleet: Fleet) -> None:
    fleet.write_busy(instances=1, text=fleet.unlimited(), session="worker")
    fleet.start()
    assert {row["name"] for row in (fleet.try_status() or {})["processes"]} == {"data-layer", "worker-busy1"}
    seed = int(os.environ.get("ATRADER_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"seed {seed} (ATRADER_TEST_SEED replays it)")
    chance = random.Random(seed)
    for _ in range(KILLS):
        pid = fleet.pid(chance.choice(("worker-busy1", "worker-busy1", "data-layer")))
        threading.Event().wait(chance.uniform(0.0, 0.15))  # the random moment
        with contextlib.suppress(ProcessLookupError):  # it was between two lives
            os.kill(pid, signal.SIGKILL)
    fleet.wait_running()
    trades_on(fleet)
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


HANGS = """
import pathlib
import threading


def _hang(self, ticks):
    threading.Event().wait()


class Hanging(Busy):
    def on_bar(self, bar):
        import broker_api.gateway.core

        marker = pathlib.Path({marker!r})
        if not marker.exists():
            marker.touch()
            broker_api.gateway.core.Gateway.on_ticks = _hang
"""


def test_a_session_that_hangs_counts_as_a_worker_that_hangs(fleet: Fleet, tmp_path: Any) -> None:
    """Only the thread with the session stops: the strategy's own loop turns, and would beat for ever."""
    limits = "[limits]\nmax_orders_per_minute = 1000000\n[process]\nbeat_timeout = '1500ms'\n"
    fleet.write_busy(instances=1, session="worker")
    (fleet.home.root / "strategies" / "hanging.py").write_text(BUSY + HANGS.format(marker=f"{tmp_path}/hung"))
    fleet.write_instance("busy1", 1, strategy="strategies/hanging.py:Hanging", text=limits)
    fleet.launch()
    wait_for(lambda: (fleet.process("worker-busy1").get("restarts") or 0) >= 1, "the hanging worker's end")
    fleet.wait_running()
    assert "process.beat_timeout" in fleet.output()
    assert "_hang" in (fleet.home.log / "worker-busy1.stacks").read_text()
    trades_on(fleet)
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_session_that_fails_ends_its_worker_with_the_code_of_a_gateway(fleet: Fleet) -> None:
    fleet.write_busy(instances=1, text=fleet.unlimited(), session="worker")
    journal = fleet.home.journal("paper")
    journal.parent.mkdir(parents=True)
    journal.write_bytes(b"this is no database" * 1000)
    fleet.launch()
    row = wait_for(
        lambda: (row := fleet.process("worker-busy1")).get("state") == "BACKOFF" and row, "the end of the worker"
    )
    assert "STORE" in row["reason"]
    assert "journal/paper.db" in row["reason"]
    assert journal.read_bytes().startswith(b"this is no database")
    assert fleet.stop() == 0


def test_everything_that_is_asked_of_a_gateway_is_asked_of_a_session_in_the_worker(fleet: Fleet) -> None:
    fleet.write_busy(instances=1, text=fleet.unlimited(), session="worker")
    fleet.start()
    trades_on(fleet)
    pid = fleet.pid("worker-busy1")
    wait_for(lambda: account_row(fleet).get("proof") == "holds", "the proof in the status")
    row = fleet.json("account", "paper")
    assert (row["source"], row["session"], row["online"]) == ("gateway", "worker", True)
    assert fleet.command("flatten", "account:paper", "--yes").returncode == 0
    wait_for(lambda: fleet.process("worker-busy1").get("trading_state") == "FLATTENING", "the state in the status")
    wait_for(lambda: not [row for row in fleet.history("trades") if row["state"] == "open"], "no open trade")
    assert fleet.command("resume", "paper").returncode == 0
    trades_on(fleet)
    # Limits reach the session while it runs.
    fleet.write_instance("busy1", 1, text=fleet.unlimited().replace("1000000", "1"))
    done = fleet.command("reload")
    assert "took the new configuration while running" in done.stdout, done.stdout + done.stderr
    wait_for(lambda: "DENIED" in {row["state"] for row in fleet.history("orders")}, "an order over the new limit")
    assert fleet.pid("worker-busy1") == pid
    # Names and logs: the account is found in the worker.
    for name in ("paper", "gateway-paper"):
        assert "worker-busy1" in fleet.command("logs", name).stdout
    assert fleet.command("restart", "paper").returncode == 0
    assert fleet.pid("worker-busy1") != pid
    assert fleet.stop() == 0
    check_books(fleet)
    row = fleet.json("account", "paper")
    assert (row["source"], row["session"], row["note"]) == ("journal", "worker", "nothing runs for this account")
    assert "stopped-while-busy" not in {event["event"] for event in events(fleet, "worker-busy1")}


def test_a_reload_moves_the_session_there_and_back_while_orders_flow(fleet: Fleet) -> None:
    fleet.write_busy(instances=1, text=fleet.unlimited())
    fleet.start()
    trades_on(fleet)
    for session, processes in (
        ("worker", {"data-layer", "worker-busy1"}),
        ("gateway", {"data-layer", "gateway-paper", "worker-busy1"}),
    ):
        fleet.write_account(text=f"session = '{session}'")
        done = fleet.command("reload")
        assert done.returncode == 0, done.stdout + done.stderr
        assert {row["name"] for row in (fleet.try_status() or {})["processes"]} == processes
        trades_on(fleet)
        wait_for(lambda: account_row(fleet).get("proof") == "holds", "the proof in the status")
        # A changed strategy is replaced by one that waits until the old one is gone, with its session where it has it.
        fleet.write_instance("busy1", 1, text=f"time_budget = '{len(processes)}s'\n{fleet.unlimited()}")
        done = fleet.command("reload")
        assert "worker-busy1: replaced" in done.stdout, done.stdout + done.stderr
        trades_on(fleet)
    assert all(row["restarts"] == 0 for row in (fleet.try_status() or {})["processes"])
    wait_until_decided(fleet)
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_sigterm_in_a_burst_of_orders_ends_strategy_and_session_in_order(fleet: Fleet) -> None:
    fleet.write_busy(instances=1, text=fleet.unlimited(), session="worker")
    fleet.write_fleet(ticks=200.0)
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 20, "a burst of orders")
    assert fleet.stop() == 0
    wait_for(lambda: not fleet.survivors(), "helpers of the interpreter to end after it")
    check_books(fleet)
