"""Workers that stall, leak, fail or never get ready: found, ended and replaced, with the rule in the log."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from atrader.messages.gateway import Attach
from manager.commands.installed import ask_gateway
from tests.support.books import check_books, orders_so_far
from tests.support.fleet import Fleet, gone, wait_for

HEAD = """
from atrader.strategy import EventStrategy


class Bad(EventStrategy):
"""
FAST = """
[process]
beat_timeout = "1s"
stop_grace = "500ms"
{more}
[process.restart]
count = {count}
window = "60s"
min_backoff = "50ms"
max_backoff = "200ms"
probation = "1s"
"""


def write_bad(fleet: Fleet, body: str, *, count: int = 5, more: str = "", config: str = "") -> None:
    """Write a fleet with one misbehaving instance beside a good one."""
    fleet.write_fleet()
    fleet.write_account()
    (fleet.home.root / "strategies" / "bad.py").write_text(HEAD + body)
    fleet.write_instance("good", 1, text=fleet.unlimited())
    fleet.write_instance("bad", 2, strategy="strategies/bad.py:Bad", text=config + FAST.format(count=count, more=more))


def log_of(fleet: Fleet, name: str) -> str:
    path = fleet.home.log / f"{name}.log"
    return path.read_text() if path.exists() else ""


def test_a_stopped_worker_is_found_stalled_its_rule_logged_and_replaced(fleet: Fleet) -> None:
    write_bad(fleet, "    pass\n")
    fleet.start()
    pid = fleet.kill("worker-bad", signal.SIGSTOP)
    fleet.wait_replaced("worker-bad", pid)
    text = log_of(fleet, "manager")
    assert "beat_timeout" in text
    assert fleet.stop() == 0
    check_books(fleet)


LOOP = """
    def on_bar(self, bar):
        import pathlib, re
        marker = pathlib.Path({marker!r})
        if not marker.exists():
            marker.touch()
            re.match("(a+)+$", "a" * 64 + "b")  # runs for ever inside C and never gives the GIL away
"""


def test_an_endless_loop_holding_the_gil_is_found_its_stacks_dumped_and_the_worker_replaced(
    fleet: Fleet, tmp_path: object
) -> None:
    write_bad(fleet, LOOP.format(marker=f"{tmp_path}/looped"))
    fleet.launch()
    wait_for(lambda: (fleet.process("worker-bad").get("restarts") or 0) >= 1, "the looping worker's end")
    fleet.wait_running()
    stacks = (fleet.home.log / "worker-bad.stacks").read_text()
    assert "on_bar" in stacks
    assert fleet.process("worker-good")["restarts"] == 0
    assert fleet.stop() == 0
    check_books(fleet)


LEAK = """
    def on_tick(self, tick):
        self.kept = getattr(self, "kept", [])
        self.kept.append(bytearray(b"x" * 8_000_000))
"""


def test_a_leaking_worker_is_ended_at_its_limit_and_its_neighbours_live_on(fleet: Fleet) -> None:
    write_bad(fleet, LEAK, more='memory_hard = "300MB"')
    fleet.launch()
    wait_for(lambda: (fleet.process("worker-bad").get("restarts") or 0) >= 1, "the leaking worker's end")
    assert "memory_hard" in log_of(fleet, "manager")
    assert fleet.process("worker-good")["restarts"] == 0
    assert fleet.stop() == 0
    check_books(fleet)


RAISE = """
    def on_tick(self, tick):
        raise RuntimeError("always")
"""


def test_a_strategy_that_always_raises_backs_off_and_ends_in_probation_while_it_is_flat(fleet: Fleet) -> None:
    write_bad(fleet, RAISE, count=2, config='on_error = "stop"\n')
    fleet.launch()
    wait_for(lambda: fleet.process("worker-bad").get("state") == "PROBATION", "PROBATION")
    assert "BACKOFF" in log_of(fleet, "manager")
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before, "the good neighbour to trade on")
    assert fleet.stop() == 0
    check_books(fleet)


RAISE_WITH_TRADE = """
    def on_tick(self, tick):
        from decimal import Decimal
        if self.context.trades():
            raise RuntimeError("with a trade open")
        if not self.context.orders():
            self.context.order("buy", units=Decimal(1000))
"""


def test_a_strategy_that_always_raises_with_a_trade_open_ends_failed_and_alerts(fleet: Fleet) -> None:
    write_bad(fleet, RAISE_WITH_TRADE, count=2, config='on_error = "stop"\n')
    fleet.launch()
    wait_for(lambda: fleet.process("worker-bad").get("state") == "FAILED", "FAILED")
    wait_for(lambda: any("bad" in str(row) for row in fleet.history("alerts")), "an alert")
    assert fleet.stop() == 0
    check_books(fleet)


NEVER = """
    def on_start(self):
        import threading
        threading.Event().wait()
"""


def test_a_worker_that_never_gets_ready_is_ended_after_its_grace_and_the_fleet_runs_without_it(fleet: Fleet) -> None:
    write_bad(fleet, NEVER, count=1, more='start_grace = "1s"')
    fleet.launch()
    wait_for(lambda: fleet.process("worker-bad").get("state") in ("PROBATION", "FAILED", "BACKOFF"), "an end of it")
    assert "start_grace" in log_of(fleet, "manager")
    wait_for(lambda: fleet.process("worker-good").get("state") == "RUNNING", "its neighbour")
    assert fleet.stop() == 0
    check_books(fleet)


def test_an_exception_in_on_bar_is_an_alert_with_a_traceback_not_a_crash(fleet: Fleet) -> None:
    write_bad(
        fleet, "    def on_bar(self, bar):\n        raise RuntimeError('once a bar')\n", config="max_errors = 1000\n"
    )
    fleet.start()
    wait_for(lambda: any("once a bar" in str(row.get("text")) for row in fleet.history("alerts")), "the alert")
    assert fleet.process("worker-bad")["restarts"] == 0
    assert fleet.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_death_of_a_worker_with_a_trade_open_keeps_the_trade_and_its_stop(fleet: Fleet, number: int) -> None:
    write_bad(
        fleet,
        """
    def on_tick(self, tick):
        from decimal import Decimal
        if not self.context.trades() and not self.context.orders():
            self.context.order("buy", units=Decimal(1000), stop_loss=Decimal(str(round(tick.bid * 0.97, 4))))
""",
    )
    fleet.start()
    trade = wait_for(
        lambda: [row for row in fleet.history("trades") if row["instance"] == "bad" and row["state"] == "open"],
        "an open trade",
    )[0]
    pid = fleet.kill("worker-bad", number)
    fleet.wait_replaced("worker-bad", pid)
    assert gone(pid)
    rows = [row for row in fleet.history("trades") if row["instance"] == "bad"]
    assert [(row["trade_id"], row["state"]) for row in rows] == [(trade["trade_id"], "open")]
    assert fleet.stop() == 0
    check_books(fleet)


PART = """
    def on_tick(self, tick):
        state, trades = self.context.state, self.context.trades()
        if trades and not state.get("taken"):
            state["taken"] = True
            self.context.close(trades[0].trade_id, units=trades[0].units_opened / 4, reason="part")
        elif not state.get("entered"):
            state["entered"] = True
            self.context.order("buy", units=Decimal(1000), reason="in")

    def on_order(self, order):
        marker = pathlib.Path({folder!r}) / order.intent.action
        if order.state == "FILLED" and marker.exists():
            marker.with_suffix(".told").touch()
        elif order.state == "FILLED":
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_killed_between_its_orders_and_its_checkpoint_wants_nothing_twice(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Opens and partial exits decided on a quote: no bar, no decision key."""
    folder = tmp_path / "deaths"
    folder.mkdir()
    imports = "import os, pathlib, signal\nfrom decimal import Decimal\n"
    write_bad(fleet, PART.format(folder=str(folder)), count=20)
    code = fleet.home.root / "strategies" / "bad.py"
    code.write_text(imports + code.read_text())
    fleet.start()
    wait_for(lambda: (folder / "close").exists(), "both deaths")
    checkpoint = fleet.home.checkpoint("bad")
    before_ns = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    wait_for(lambda: checkpoint.exists() and checkpoint.stat().st_mtime_ns > before_ns, "a bar of the next life")
    assert {path.name for path in folder.iterdir()} == {"open", "open.told", "close", "close.told"}
    assert fleet.stop() == 0
    orders = [order for order in fleet.history("orders") if order["magic"] == 2]
    assert [(order["action"], order["state"], order["units"]) for order in orders] == [
        ("open", "FILLED", "1000"),
        ("close", "FILLED", "250"),
    ]
    check_books(fleet)


STUBBORN = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Stubborn(EventStrategy):
    def on_bar(self, bar):
        self.context.state["bars"] = self.context.state.get("bars", 0) + 1

    def on_tick(self, tick):
        if not self.context.state.get("asked"):
            self.context.state["asked"] = True
            self.context.order("buy", units=Decimal(1000), reason="first")

    def on_order(self, order):
        if order.state == "DENIED":
            self.context.order("buy", units=Decimal(1000), reason="again")
"""


def test_a_strategy_that_answers_each_refusal_by_another_order_is_no_end_of_its_worker(fleet: Fleet) -> None:
    fleet.write_fleet()
    fleet.write_account(text="[trade]\nmax_units = 10\n")
    (fleet.home.root / "strategies").mkdir(exist_ok=True)
    (fleet.home.root / "strategies" / "stubborn.py").write_text(STUBBORN)
    fleet.write_instance("stubborn", 7, strategy="strategies/stubborn.py:Stubborn", text=fleet.unlimited())
    fleet.start()
    pid = fleet.pid("worker-stubborn")

    def answered() -> int:
        trades = ask_gateway(fleet.home, "paper", Attach(instance="stubborn", magic=7, since_ns=0))
        return int(trades.last_n)

    wait_for(lambda: answered() > 300, "more refusals than a stack holds")
    row = fleet.process("worker-stubborn")
    assert (row["state"], row["pid"], row["restarts"]) == ("RUNNING", pid, 0)
    assert fleet.stop() == 0
