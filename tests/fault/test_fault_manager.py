"""What may go wrong around the manager: a twin, a corrupt configuration, a clock that jumps."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.exit_codes import ExitCode
from tests.support.books import check_books, orders_so_far
from tests.support.fleet import Fleet, wait_for


def pids_of(fleet: Fleet) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}


def test_a_reload_touches_only_what_changed_and_hands_the_state_over(fleet: Fleet) -> None:
    fleet.write_busy(instances=2)
    fleet.start()
    pids = pids_of(fleet)
    fleet.write_instance("busy2", 2, text="time_budget = '1s'\n" + fleet.unlimited())
    assert fleet.command("reload").returncode == 0
    fleet.wait_running()
    after = pids_of(fleet)
    assert {name for name in pids if after[name] != pids[name]} == {"worker-busy2"}
    fleet.write_instance("busy3", 3, text=fleet.unlimited())
    assert fleet.command("reload").returncode == 0
    fleet.wait_running()
    third = pids_of(fleet)
    # The gateway takes the new instance while it runs: a broker would not see a reconnect.
    assert third == {**after, "worker-busy3": third["worker-busy3"]}
    wait_for(lambda: orders_of(fleet, "busy3"), "orders of the new instance")
    (fleet.home.etc / "strategies" / "busy3.toml").unlink()
    assert fleet.command("reload").returncode == 0
    assert pids_of(fleet) == after
    assert fleet.stop() == 0
    check_books(fleet)


def orders_of(fleet: Fleet, instance: str) -> int:
    return sum(row["instance"] == instance for row in fleet.history("orders"))


def test_a_changed_limit_holds_while_orders_flow_and_nothing_is_restarted(fleet: Fleet) -> None:
    fleet.write_busy(instances=2)
    fleet.start()
    pids = pids_of(fleet)
    wait_for(lambda: orders_of(fleet, "busy1") and orders_of(fleet, "busy2"), "orders of both")
    fleet.write_instance("busy2", 2, text="[trade]\nmax_units = 10\n" + fleet.unlimited())
    done = fleet.command("reload")
    assert done.stdout == "gateway-paper: took the new configuration while running\n", done.stderr
    wait_for(lambda: any(row["reason"].startswith("max-units") for row in fleet.history("orders")), "a refused open")
    for name in ("gateway-paper", "worker-busy2"):  # what it applied is what a new life reads
        fleet.wait_replaced(name, fleet.kill(name))
    before = len([row for row in fleet.history("orders") if row["reason"].startswith("max-units")])
    wait_for(
        lambda: len([r for r in fleet.history("orders") if r["reason"].startswith("max-units")]) > before,
        "a refused open in the next life of the gateway",
    )
    now = pids_of(fleet)
    assert {name for name in pids if now[name] != pids[name]} == {"gateway-paper", "worker-busy2"}
    assert fleet.stop() == 0
    check_books(fleet)


HOLD = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Hold(EventStrategy):
    def on_tick(self, tick):
        if not self.context.trades() and not self.context.orders():
            self.context.order("buy", units=Decimal(1000), reason="hold")
"""


def test_a_removed_instance_with_a_trade_is_shown_and_can_be_flattened(fleet: Fleet) -> None:
    fleet.write_busy(instances=1)
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD)
    fleet.write_instance("holder", 7, strategy="strategies/hold.py:Hold")
    fleet.start()
    wait_for(lambda: [r for r in fleet.history("trades") if r["instance"] == "holder"], "a trade that is held")
    (fleet.home.etc / "strategies" / "holder.toml").unlink()
    done = fleet.command("reload")
    assert "holder (magic 7) is in no strategy file" in done.stdout
    assert "'orphans close paper holder' closes them" in done.stdout
    assert "open trades: 1" in wait_for(
        lambda: (text := fleet.command("status").stdout) and "holder" in text and text, "the orphan in the status"
    )
    wait_for(lambda: [r for r in fleet.history("alerts") if r["kind"] == "orphan"], "an alert")
    assert fleet.command("halt").returncode == 0  # whatever strategies may not do: a person may close
    assert fleet.command("flatten", "holder", "--yes").returncode == 0
    wait_for(
        lambda: [r for r in fleet.history("trades") if r["instance"] == "holder" and r["state"] == "closed"], "the end"
    )
    wait_for(lambda: "no strategy file" not in fleet.command("status").stdout, "nothing left of it")
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_changed_strategy_file_replaces_its_workers_only_and_a_broken_one_none(fleet: Fleet) -> None:
    fleet.write_busy(instances=1)
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD)
    fleet.write_instance("holder", 7, strategy="strategies/hold.py:Hold")
    fleet.start()
    pids = pids_of(fleet)
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD + "\nthis is no Python")
    done = fleet.command("reload")
    assert done.returncode == ExitCode.FAILURE
    assert "the old one keeps running" in done.stdout
    assert "invalid syntax (hold.py" in done.stdout
    assert pids_of(fleet) == pids
    (fleet.home.root / "strategies" / "hold.py").write_text(HOLD + "\n# better\n")
    assert fleet.command("reload").stdout == "worker-holder: replaced, its strategy file changed\n"
    fleet.wait_running()
    after = pids_of(fleet)
    assert {name for name in pids if after[name] != pids[name]} == {"worker-holder"}
    assert fleet.command("reload").stdout == "nothing changed\n"
    assert fleet.stop() == 0
    check_books(fleet)


DAY_S = 86_400
SHIM = Path(__file__).resolve().parents[1] / "support" / "wall_clock.c"


@pytest.fixture(scope="session")
def wall_clock_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library that shifts a process's wall clock, and only that."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler (Debian package gcc)")
    library = tmp_path_factory.mktemp("shim") / "wall_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], check=True)
    return library


@pytest.mark.parametrize("jump_s", [DAY_S, -DAY_S], ids=["forwards", "backwards"])
def test_a_clock_that_jumps_by_a_day_kills_nobody_and_loses_nothing(
    fleet: Fleet, tmp_path: Path, wall_clock_shim: Path, jump_s: int
) -> None:
    rule = tmp_path / "shift"
    rule.write_text("0")
    fleet.environment.update(LD_PRELOAD=str(wall_clock_shim), WALL_CLOCK_SHIFT_FILE=str(rule))
    fleet.write_busy(instances=2)
    fleet.start()
    pids = pids_of(fleet)
    rule.write_text(str(jump_s))
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow after the jump")
    assert pids_of(fleet) == pids
    way = "forward" if jump_s > 0 else "back"
    wait_for(lambda: any(f"went {way} by" in row["text"] for row in fleet.history("alerts")), "an alert of the jump")
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_directory_that_was_moved_while_stopped_starts_and_knows_its_history(fleet: Fleet, tmp_path: Path) -> None:
    fleet.write_busy(instances=1)
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 5, "orders to flow")
    assert fleet.stop() == 0
    shutil.move(fleet.home.root, tmp_path / "moved")
    moved = Fleet(tmp_path / "moved")
    try:
        moved.start()
        # What waited for the history when it was stopped is handed over in the next life.
        wait_for(lambda: len(moved.history("orders")) > 5, "the history of before", interval_s=0.1)
        assert moved.stop() == 0
        check_books(moved)
    finally:
        moved.end()


# -- one fleet for the rest; last, as it works until the end of the file


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give a fleet that trades, whatever tests try; all of it goes on, and all is in its books."""
    fleet = Fleet(tmp_path_factory.mktemp("trading") / "home")
    try:
        fleet.write_busy(instances=1)
        fleet.start()
        yield fleet
        assert fleet.stop() == 0
        check_books(fleet)
    finally:
        fleet.end()


def test_a_second_manager_on_one_directory_is_refused_and_names_the_first(trading: Fleet) -> None:
    pids = pids_of(trading)
    second = trading.command("start")
    assert second.returncode == ExitCode.LOCKED
    assert str(trading.manager_pid) in second.stderr
    assert trading.process("worker-busy1")["state"] == "RUNNING"
    assert pids_of(trading) == pids


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("strategies/busy1.toml", "strategy = ", "busy1.toml"),
        ("strategies/busy2.toml", "\x00\xff not toml at all", "busy2.toml"),
        ("accounts/paper.toml", "broker = 'paper'\ncurrncy = 'USD'\n", "did you mean"),
        ("atrader.toml", "max_workers = -1\n", "max_workers"),
    ],
)
def test_a_corrupt_configuration_on_reload_is_refused_and_the_old_one_keeps_running(
    trading: Fleet, name: str, text: str, says: str
) -> None:
    pids, path = pids_of(trading), trading.home.etc / name
    good = path.read_bytes() if path.exists() else None
    path.write_bytes(text.encode("latin-1"))
    try:
        answer = trading.command("reload")
    finally:
        path.unlink()
        if good is not None:
            path.write_bytes(good)
    assert answer.returncode == ExitCode.CONFIG
    assert says in answer.stderr
    before = orders_so_far(trading)
    wait_for(lambda: orders_so_far(trading) > before, "orders to flow on")
    assert pids_of(trading) == pids
