"""A running fleet is changed: reload with hand-over, on_down, recycling, detaching, the end of a replay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from atrader.errors import ConfigError
from atrader.exit_codes import ExitCode
from atrader.messages.manager import Activate, Control, Reload
from manager.lock import owner_of
from tests.support.fleet import START_S, gone, wait_for
from tests.support.toy_fixtures import MakeToyFleet
from tests.support.toy_fleet import ToyFleet


def pids(fleet: ToyFleet) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in (fleet.try_status() or {})["processes"]}


def test_a_reload_replaces_only_the_changed_worker_and_never_runs_two(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    before = pids(fleet)
    fleet.write_toy_worker(2, "time_budget = '200ms'")
    assert fleet.ask(Reload()).lines == ("worker-toy2: replaced",)
    fleet.wait_state("worker-toy2", "RUNNING")
    after = pids(fleet)
    assert {name for name in before if before[name] != after[name]} == {"worker-toy2"}
    # The new one was started first, but came into office only after the end of the old one.
    lines = [line for line in fleet.diary() if "worker-toy2" in line]
    assert lines[1:] == [f"start worker-toy2 {after['worker-toy2']}", f"end worker-toy2 {before['worker-toy2']}"]
    assert fleet.states("worker-toy2") == ["STARTING", "RUNNING", "STARTING", "STOPPING", "STOPPED", "RUNNING"]
    assert gone(before["worker-toy2"])
    os.kill(after["worker-toy2"], signal.SIGKILL)  # and it is supervised like any other
    fleet.wait_replaced("worker-toy2", after["worker-toy2"])


def test_a_replacement_that_fails_leaves_the_old_worker_at_work(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    before = pids(fleet)
    fleet.tell("worker-toy1", "crash-early")
    fleet.write_toy_worker(1, "time_budget = '200ms'")
    (line,) = fleet.ask(Reload()).lines
    assert "the old one keeps running" in line
    assert pids(fleet) == before
    assert fleet.process("worker-toy1")["state"] == "RUNNING"


def test_a_corrupt_configuration_changes_nothing(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    before = pids(fleet)
    path = fleet.home.etc / "strategies" / "toy1.toml"
    good = path.read_text()
    path.write_text(good.replace("magic = 1", "magic = 'one'"))
    with pytest.raises(ConfigError, match="magic"):
        fleet.ask(Reload())
    os.kill(fleet.manager_pid, signal.SIGHUP)
    wait_for(lambda: "reload-refused" in fleet.output(), "the refusal in the log")
    assert pids(fleet) == before
    path.write_text(good)
    assert fleet.ask(Reload()).lines == ("nothing changed",)


def test_instances_come_and_go_with_their_files(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    gateway = fleet.pid("gateway-paper")
    fleet.write_toy_worker(2)
    lines = fleet.ask(Reload()).lines
    assert lines == ("gateway-paper: took the new configuration while running", "worker-toy2: started")
    assert f"instances toy1,toy2 {gateway}" in fleet.diary()
    fleet.wait_state("worker-toy2", "RUNNING")
    (fleet.home.etc / "strategies" / "toy1.toml").unlink()
    assert "worker-toy1: stopped, it is gone from the configuration" in fleet.ask(Reload()).lines
    assert set(pids(fleet)) == {"data-layer", "gateway-paper", "worker-toy2"}
    assert f"instances toy2 {gateway}" in fleet.diary()
    assert fleet.pid("gateway-paper") == gateway


def test_a_gateway_that_cannot_take_its_configuration_while_running_is_restarted(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    before = pids(fleet)
    fleet.tell("gateway-paper.refuse", "yes")
    fleet.write_toy_worker(2)
    lines = fleet.ask(Reload()).lines
    assert lines == ("gateway-paper: restarted with the new configuration", "worker-toy2: started")
    assert pids(fleet)["gateway-paper"] != before["gateway-paper"]
    assert pids(fleet)["worker-toy1"] == before["worker-toy1"]
    assert "toy: not while running" in fleet.output()


def test_limits_and_a_disabled_strategy_never_restart_a_gateway(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    before = pids(fleet)
    fleet.write_account(text="[limits]\nmax_open_trades = 3")
    fleet.write_toy_worker(1, "[limits]\nmax_open_trades = 1")
    assert fleet.ask(Reload()).lines == ("gateway-paper: took the new configuration while running",)
    fleet.write_toy_worker(2, "enabled = false")
    assert fleet.ask(Reload()).lines == ("worker-toy2: stopped, it is gone from the configuration",)
    assert pids(fleet) == {name: pid for name, pid in before.items() if name != "worker-toy2"}


def test_a_restart_of_the_fleet_reads_the_configuration_or_touches_nothing(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    before = pids(fleet)
    path = fleet.home.etc / "atrader.toml"
    good = path.read_text()
    path.write_text("max_workers = 'many'\n" + good)
    with pytest.raises(ConfigError, match="max_workers"):
        fleet.ask(Control(verb="restart"))
    assert pids(fleet) == before
    path.write_text(good.replace("stop_grace = '60s'", "stop_grace = '50s'"))
    (fleet.home.etc / "strategies" / "toy1.toml").unlink()
    fleet.write_toy_worker(3)
    answer = fleet.ask(Control(verb="restart"))
    assert answer.failed == ()
    after = pids(fleet)
    assert set(after) == {"data-layer", "gateway-paper", "worker-toy2", "worker-toy3"}
    assert not set(after.values()) & set(before.values())
    assert fleet.ask(Reload()).lines == ("nothing changed",)


def test_a_fleet_key_is_reported_as_needing_a_restart(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    before = pids(fleet)
    fleet.write_toy_fleet("max_workers = 7")
    assert fleet.ask(Reload()).lines == ("nothing changed",)
    path = fleet.home.etc / "atrader.toml"
    path.write_text(path.read_text().replace("beat_interval = '100ms'", "beat_interval = '200ms'"))
    (line,) = fleet.ask(Reload()).lines
    assert line.startswith("etc/atrader.toml: beat_interval:")
    assert pids(fleet) == before


def test_only_a_standby_worker_may_take_over(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    pid = fleet.pid("worker-toy1")
    fleet.ask(Activate(name="worker-toy1", pid=pid))  # it is in office: a repeated call
    with pytest.raises(Exception, match="does not stand by"):
        fleet.ask(Activate(name="worker-toy1", pid=1))
    assert fleet.pid("worker-toy1") == pid


def test_the_gateway_is_told_once_that_a_worker_is_down_for_too_long(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(restart="count = 0", instance="on_down = 'flatten'\non_down_after = '300ms'")
    fleet.beats_with("gateway-paper", {"exposure": {"toy1": {"open_trades": 1, "live_orders": 0}}})
    fleet.tell("worker-toy1", "crash")
    fleet.launch()
    fleet.wait_state("worker-toy1", "FAILED")
    assert wait_for(lambda: _told(fleet), "InstanceDown at the gateway") == ["down toy1 flatten"]
    wait_for(lambda: any("on_down = flatten" in line for line in fleet.output().splitlines()), "a note of it")


def test_on_down_of_a_strategy_that_was_disabled_is_carried_out_as_well(make_toy_fleet: MakeToyFleet) -> None:
    policy = "on_down = 'flatten'\non_down_after = '300ms'"
    fleet = make_toy_fleet(instance=policy)
    fleet.start()
    fleet.write_toy_worker(1, f"enabled = false\n{policy}")
    assert fleet.ask(Reload()).lines == ("worker-toy1: stopped, it is gone from the configuration",)
    assert wait_for(lambda: _told(fleet), "InstanceDown at the gateway") == ["down toy1 flatten"]
    # Named "not enabled", or as the worker when that takes longer to stop than it may be down.
    wait_for(lambda: "its worker is down for more than 0.3 s: on_down = flatten" in fleet.output(), "a note of it")


def _told(fleet: ToyFleet) -> list[str]:
    return [line.rpartition(" ")[0] for line in fleet.diary() if line.startswith("down ")]


def test_a_large_worker_is_recycled_when_its_instance_is_flat_and_not_before(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(process={"memory_soft": "1MB"}, restart="count = 1000")
    fleet.beats_with("gateway-paper", {"exposure": {"toy1": {"open_trades": 1, "live_orders": 0}}})
    fleet.start()
    pid = fleet.pid("worker-toy1")
    fleet.wait_state("gateway-paper", "RUNNING")
    assert fleet.pid("worker-toy1") == pid
    fleet.beats_with("gateway-paper", {"exposure": {}})
    wait_for(lambda: fleet.process("worker-toy1").get("pid") not in (None, pid), "the recycled worker")
    assert any("memory-soft" in text for text in fleet.transitions("worker-toy1"))


def test_the_fleet_stops_with_success_when_the_replay_is_over(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    for file, changes in {
        "atrader.toml": (("feed = 'synthetic'", "feed = 'replay'"), ("base_timeframe = '1s'", "base_timeframe = '1m'")),
        "strategies/toy1.toml": (("timeframe = '1s'", "timeframe = '1m'"),),
    }.items():
        path = fleet.home.etc / file
        for old, new in changes:
            path.write_text(path.read_text().replace(old, new))
    fleet.tell("worker-toy1", "idle")
    fleet.start()
    fleet.beats_with("gateway-paper", {"outbox_lag": 3})
    fleet.beats_with("data-layer", {"replay": {"state": "finished"}})
    wait_for(lambda: (fleet.process("worker-toy1").get("progress_age_s") or 0) > 1.0, "an idle worker")
    assert fleet.process("gateway-paper")["state"] == "RUNNING"  # its outbox is not empty yet
    fleet.beats_with("gateway-paper", {"outbox_lag": 0})
    assert fleet._manager is not None
    assert fleet._manager.wait(START_S) == ExitCode.OK


def test_a_detached_manager_returns_when_the_fleet_runs_and_outlives_its_caller(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    code = "import sys; sys.path.append(sys.argv[1]); from tests.support.toy_manager import detached; detached()"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, root, str(fleet.home.root)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    status = fleet.try_status()
    assert status is not None
    assert {row["state"] for row in status["processes"]} == {"RUNNING"}
    manager = psutil.Process(status["manager"]["pid"])
    assert os.getsid(manager.pid) != os.getsid(0)
    manager.terminate()
    wait_for(lambda: owner_of(fleet.home) is None, "the end of the manager")


def test_a_detached_manager_tells_which_process_failed(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.tell("worker-toy1", "config-error")
    code = "import sys; sys.path.append(sys.argv[1]); from tests.support.toy_manager import detached; detached()"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, root, str(fleet.home.root)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == ExitCode.FAILURE
    assert "worker-toy1 FAILED" in done.stderr
    status = fleet.try_status()
    assert status is not None
    psutil.Process(status["manager"]["pid"]).terminate()
    wait_for(lambda: owner_of(fleet.home) is None, "the end of the manager")
