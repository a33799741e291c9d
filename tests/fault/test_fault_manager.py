"""What may go wrong around the manager: a twin, a corrupt configuration, a clock that jumps."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from atrader.exit_codes import ExitCode
from tests.support.books import check_books, orders_so_far
from tests.support.fleet import Fleet, wait_for


def test_a_second_manager_on_one_directory_is_refused_and_names_the_first(fleet: Fleet) -> None:
    fleet.write_busy(instances=1)
    fleet.start()
    second = fleet.command("start")
    assert second.returncode == ExitCode.LOCKED
    assert str(fleet.manager_pid) in second.stderr
    assert fleet.process("worker-busy1")["state"] == "RUNNING"
    assert fleet.stop() == 0
    check_books(fleet)


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
    fleet: Fleet, name: str, text: str, says: str
) -> None:
    fleet.write_busy(instances=1)
    fleet.start()
    pids = {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}
    (fleet.home.etc / name).write_bytes(text.encode("latin-1"))
    answer = fleet.command("reload")
    assert answer.returncode == ExitCode.CONFIG
    assert says in answer.stderr
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before, "orders to flow on")
    assert {row["name"]: row["pid"] for row in fleet.json("status")["processes"]} == pids
    assert fleet.stop() == 0
    check_books(fleet)


def test_a_reload_touches_only_what_changed_and_hands_the_state_over(fleet: Fleet) -> None:
    fleet.write_busy(instances=2)
    fleet.start()
    pids = {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}
    fleet.write_instance("busy2", 2, text="time_budget = '1s'\n" + fleet.unlimited())
    assert fleet.command("reload").returncode == 0
    fleet.wait_running()
    after = {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}
    assert {name for name in pids if after[name] != pids[name]} == {"worker-busy2"}
    fleet.write_instance("busy3", 3, text=fleet.unlimited())
    assert fleet.command("reload").returncode == 0
    fleet.wait_running()
    third = {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}
    # The gateway holds the limits of its account's instances, so it starts again; workers repeat their questions.
    assert {name for name in after if third[name] != after[name]} == {"gateway-paper"}
    assert set(third) - set(after) == {"worker-busy3"}
    (fleet.home.etc / "strategies" / "busy3.toml").unlink()
    assert fleet.command("reload").returncode == 0
    wait_for(lambda: "worker-busy3" not in {r["name"] for r in fleet.json("status")["processes"]}, "busy3 to go")
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
    pids = {row["name"]: row["pid"] for row in fleet.json("status")["processes"]}
    rule.write_text(str(jump_s))
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow after the jump")
    assert {row["name"]: row["pid"] for row in fleet.json("status")["processes"]} == pids
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
        assert len(moved.history("orders")) > 5
        assert moved.stop() == 0
        check_books(moved)
    finally:
        moved.end()
