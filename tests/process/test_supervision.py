"""The real manager over real processes: starts, deaths, stalls, stops."""

from __future__ import annotations

import itertools
import os
import signal
import time

import psutil
import pytest

from atrader.errors import Rejected
from atrader.exit_codes import ExitCode
from atrader.messages.manager import Control, GetStatus, SetTradingState
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from tests.support.fleet import START_S, gone, wait_for
from tests.support.toy_fixtures import MakeToyFleet
from tests.support.toy_fleet import ToyFleet

HASTY = "count = 2\nmin_backoff = '10ms'\nmax_backoff = '50ms'\nprobation = '200ms'"
FLAT = {"exposure": {"toy1": {"open_trades": 0, "live_orders": 0}}}
EXPOSED = {"exposure": {"toy1": {"open_trades": 1, "live_orders": 0}}}


def test_everything_starts_in_order_and_stops_in_reverse(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    assert fleet.stop() == ExitCode.OK
    words = [line.rpartition(" ")[0] for line in fleet.diary()]
    assert words[:2] == ["start data-layer", "start gateway-paper"]
    assert set(words[2:4]) == {"start worker-toy1", "start worker-toy2"}
    assert set(words[4:6]) == {"end worker-toy1", "end worker-toy2"}
    assert words[6:] == ["end gateway-paper", "end data-layer"]
    assert fleet.states("worker-toy1") == ["STARTING", "RUNNING", "STOPPING", "STOPPED"]


@pytest.mark.parametrize("name", ["data-layer", "gateway-paper", "worker-toy1"])
def test_a_killed_process_comes_back(make_toy_fleet: MakeToyFleet, name: str) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    pid = fleet.kill(name)
    fleet.wait_replaced(name, pid)
    assert fleet.process(name)["restarts"] == 1
    assert "signal 9" in next(text for text in fleet.transitions(name) if text.startswith("RUNNING -> BACKOFF"))


def test_a_worker_that_keeps_crashing_ends_on_probation_while_flat(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(restart=HASTY)
    fleet.beats_with("gateway-paper", FLAT)
    fleet.tell("worker-toy1", "crash")
    fleet.launch()
    fleet.wait_state("worker-toy1", "PROBATION")
    assert fleet.states("worker-toy1").count("BACKOFF") == 2
    fleet.tell("worker-toy1", "")
    fleet.wait_state("worker-toy1", "RUNNING")


def test_a_worker_that_keeps_crashing_fails_when_its_instance_holds_a_trade(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(restart=HASTY)
    fleet.beats_with("gateway-paper", EXPOSED)
    fleet.tell("worker-toy1", "crash")
    fleet.launch()
    row = fleet.wait_state("worker-toy1", "FAILED")
    assert "exposed" in row["reason"]
    fleet.tell("worker-toy1", "")
    answer = fleet.ask(Control(verb="start", names=("toy1",)))
    assert answer.lines == ("worker-toy1: RUNNING",)


@pytest.mark.parametrize(
    ("mode", "state", "why"),
    [
        ("config-error", "FAILED", "CONFIG before READY: toy: wrong configuration; the same fails again"),
        ("maintenance", "BACKOFF", "BROKER_MAINTENANCE before READY, see log/worker-toy1.log"),
        ("crash-early", "BACKOFF", "FAILURE before READY: RuntimeError: toy: crash before READY"),
    ],
)
def test_a_death_before_ready_is_treated_by_its_cause_and_told_in_its_own_words(
    make_toy_fleet: MakeToyFleet, mode: str, state: str, why: str
) -> None:
    fleet = make_toy_fleet(restart="min_backoff = '30s'")
    fleet.tell("worker-toy1", mode)
    fleet.launch()
    row = fleet.wait_state("worker-toy1", state)
    assert fleet.states("worker-toy1") == ["STARTING", state]
    assert why in row["reason"]


def test_a_process_that_never_becomes_ready_is_killed_after_its_grace(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(process={"start_grace": "1s"}, restart="min_backoff = '30s'")
    fleet.tell("worker-toy1", "never-ready")
    fleet.launch()
    row = fleet.wait_state("worker-toy1", "BACKOFF")
    assert "STALLED before READY" in row["reason"]
    assert any("start-grace" in text and "process.start_grace" in text for text in fleet.transitions("worker-toy1"))


@pytest.mark.parametrize("how", ["SIGSTOP", "spin"])
def test_a_stalled_worker_is_found_its_stacks_are_dumped_and_it_is_replaced(
    make_toy_fleet: MakeToyFleet, how: str
) -> None:
    fleet = make_toy_fleet(process={"beat_timeout": "1s"})
    if how == "spin":
        fleet.tell("worker-toy1", "spin")
    fleet.start()
    pid = fleet.pid("worker-toy1")
    fleet.tell("worker-toy1", "")
    if how == "SIGSTOP":
        os.kill(pid, signal.SIGSTOP)
    fleet.wait_replaced("worker-toy1", pid)
    assert gone(pid)
    assert any("beat-timeout" in text and "process.beat_timeout" in text for text in fleet.transitions("worker-toy1"))
    stacks = (fleet.home.log / "worker-toy1.stacks").read_text()
    assert "toy.py" in stacks
    assert "_after_ready" in stacks


def test_a_worker_that_handles_no_bars_while_bars_arrive_is_stalled(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(process={"progress_timeout": "500ms"})
    fleet.beats_with("data-layer", {"latest": {"EUR/USD|1s": 1}})
    fleet.beats_with("worker-toy1", {"handled": {"EUR/USD|1s": 1}})
    fleet.start()
    pid = fleet.pid("worker-toy1")
    bars = itertools.count(2)

    def replaced() -> bool:
        fleet.beats_with("data-layer", {"latest": {"EUR/USD|1s": next(bars)}})
        return fleet.process("worker-toy1")["pid"] not in (None, pid)

    wait_for(replaced, "another worker")
    assert any("progress-timeout" in text for text in fleet.transitions("worker-toy1"))


def test_a_worker_over_its_memory_limit_is_killed(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(process={"memory_hard": "300MB"})
    fleet.tell("worker-toy1", "grow")
    fleet.launch()
    wait_for(
        lambda: any("MEMORY" in text for text in fleet.transitions("worker-toy1")) if fleet.try_status() else False,
        "a death for memory",
    )


def test_a_process_deaf_to_sigterm_is_killed_after_its_grace_and_the_fleet_stops(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(process={"stop_grace": "500ms"})
    fleet.tell("worker-toy1", "deaf")
    fleet.start()
    assert fleet.stop() == ExitCode.OK
    assert "ended by signal 9" in fleet.transitions("worker-toy1")[-1]


def test_children_of_a_dead_child_end_with_it(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.tell("worker-toy1", "grandchildren")
    fleet.start()
    pid = fleet.pid("worker-toy1")
    children = wait_for(lambda: len(found := psutil.Process(pid).children()) == 2 and found, "two grandchildren")
    fleet.tell("worker-toy1", "")
    fleet.kill("worker-toy1")
    wait_for(lambda: all(gone(child.pid) for child in children), "the end of the grandchildren")


def test_the_fleet_ends_with_the_managers_sigkill(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=3)
    fleet.start()
    pids = [row["pid"] for row in (fleet.try_status() or {})["processes"]]
    os.kill(fleet.manager_pid, signal.SIGKILL)
    wait_for(lambda: all(map(gone, pids)), "the end of the fleet")
    fleet.end()
    fleet.start()
    assert {row["state"] for row in (fleet.try_status() or {})["processes"]} == {"RUNNING"}


def test_a_killed_fork_server_takes_the_fleet_with_it_and_all_come_back(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    pids = {row["name"]: row["pid"] for row in (fleet.try_status() or {})["processes"]}
    server = psutil.Process(pids["data-layer"]).ppid()
    os.kill(server, signal.SIGKILL)
    for name, pid in pids.items():
        fleet.wait_replaced(name, pid)
        assert gone(pid)


def test_a_second_manager_on_the_same_directory_is_refused_and_told_who_runs_it(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    second = ToyFleet(fleet.home.root)
    second.launch()
    assert second._manager is not None
    assert second._manager.wait(START_S) == ExitCode.LOCKED
    assert f"manager (pid {fleet.manager_pid}," in fleet.output()
    assert fleet.process("worker-toy1")["state"] == "RUNNING"


def test_survivors_of_a_dead_manager_are_ended_before_anything_starts(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    environment = {**os.environ, "ATRADER_PROCESS_TAG": str(fleet.home.root)}
    survivor = psutil.Popen(["sleep", "600"], env=environment, start_new_session=True)
    fleet.start()
    assert survivor.wait(START_S) == -signal.SIGKILL


def test_a_child_that_was_not_preloaded_refuses_to_run(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.launch(preload="manager.preload.no_such_module")
    row = fleet.wait_state("data-layer", "FAILED")
    assert "INVARIANT" in row["reason"]


def test_named_processes_stop_start_and_restart(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2)
    fleet.start()
    assert fleet.ask(Control(verb="stop", names=("worker-toy1",))).lines == ("worker-toy1: STOPPED",)
    assert fleet.process("worker-toy2")["state"] == "RUNNING"
    assert fleet.ask(Control(verb="start", names=("toy1",))).lines == ("worker-toy1: RUNNING",)
    pid = fleet.pid("worker-toy2")
    assert fleet.ask(Control(verb="restart", names=("worker-toy2",))).lines == ("worker-toy2: RUNNING",)
    assert fleet.pid("worker-toy2") != pid
    with pytest.raises(Rejected, match="no process 'nobody'"):
        fleet.ask(Control(verb="stop", names=("nobody",)))


def test_processes_that_need_each_other_restart_by_one_command(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    answer = fleet.ask(Control(verb="restart", names=("toy1", "paper", "data-layer")))
    assert answer.lines == ("worker-toy1: RUNNING", "gateway-paper: RUNNING", "data-layer: RUNNING")
    assert answer.failed == ()


def test_a_failed_worker_that_is_asked_for_with_its_gateway_starts_after_it(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    for name in ("worker-toy1", "gateway-paper"):
        fleet.tell(name, "config-error")
    fleet.launch()
    fleet.wait_state("gateway-paper", "FAILED")
    fleet.tell("gateway-paper", "")
    assert fleet.ask(Control(verb="start", names=("paper",))).lines == ("gateway-paper: RUNNING",)
    fleet.wait_state("worker-toy1", "FAILED")
    fleet.ask(Control(verb="stop", names=("paper",)))
    fleet.tell("worker-toy1", "")
    answer = fleet.ask(Control(verb="start", names=("toy1",)))  # its gateway stays away: known at once
    assert answer.failed == ("worker-toy1",)
    assert answer.lines == ("worker-toy1: STOPPED (waiting for gateway-paper)",)
    assert fleet.ask(Control(verb="start", names=("paper",))).failed == ()
    fleet.wait_state("worker-toy1", "RUNNING")


def test_the_stop_command_ends_the_manager(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    fleet.ask(Control(verb="stop"))
    assert fleet._manager is not None
    assert fleet._manager.wait(START_S) == ExitCode.OK


def test_a_trading_state_survives_the_manager_but_the_closed_gate_does_not(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet()
    fleet.start()
    fleet.ask(SetTradingState(scope="instance:toy1", state=TradingState.HALTED))
    assert fleet.process("worker-toy1")["trading_state"] == "HALTED"
    fleet.stop()
    assert TradingStates.load(fleet.home.trading_states).stopping
    fleet.start()
    states = TradingStates.load(fleet.home.trading_states)
    assert not states.stopping
    assert states.instances == {"toy1": TradingState.HALTED}
    assert fleet.process("worker-toy1")["trading_state"] == "HALTED"


def test_a_manager_that_was_stopped_itself_kills_nobody_when_it_goes_on(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(workers=2, process={"beat_timeout": "1500ms"})
    fleet.start()
    os.kill(fleet.manager_pid, signal.SIGSTOP)
    began_s = time.monotonic()
    wait_for(lambda: time.monotonic() - began_s > 2.0, "more than the beat timeout")
    os.kill(fleet.manager_pid, signal.SIGCONT)
    wait_for(lambda: "manager-was-not-scheduled" in fleet.output(), "the manager's note")
    wait_for(lambda: (fleet.process("worker-toy2").get("beat_age_s") or 9) < 0.5, "fresh beats")
    assert fleet.states("worker-toy1") == fleet.states("worker-toy2") == ["STARTING", "RUNNING"]


def test_control_answers_while_a_worker_crashes_in_a_loop(make_toy_fleet: MakeToyFleet) -> None:
    fleet = make_toy_fleet(restart="count = 1000\nmin_backoff = '10ms'\nmax_backoff = '10ms'")
    fleet.tell("worker-toy1", "crash")
    fleet.launch()
    wait_for(lambda: (fleet.process("worker-toy1").get("restarts") or 0) > 3, "some restarts")
    assert fleet.ask(GetStatus()).status["processes"]
