"""SIGKILL of a worker: how soon the manager knows, and how soon its successor is RUNNING."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import time

from atrader.clock import SystemClock
from benchmarks._support import fleets
from benchmarks._support.floors import bare_restart_s
from benchmarks._support.report import Options, Report, median, percentile, run
from tests.support.fleet import Fleet, wait_for

CLAIM = "SIGKILL of a worker to RUNNING again, first backoff zero: 0.25 s at most; noticed within 20 ms"
WORKER = "worker-i1"


def kill_once(fleet: Fleet) -> tuple[float, float]:
    """Kill the worker once; return seconds until the manager noticed and until its successor was RUNNING."""
    pid = fleet.pid(WORKER)
    began_ns = SystemClock().now_ns()
    fleet.kill(WORKER)

    def events() -> list[fleets.Transition]:
        return fleets.transitions(fleet, WORKER, began_ns)

    running = wait_for(lambda: [event for event in events() if event.target == "RUNNING"], "RUNNING again")[0]
    noticed = next(event for event in events() if event.source == "RUNNING")
    fleet.wait_replaced(WORKER, pid)
    return (noticed.time_ns - began_ns) / 1e9, (running.time_ns - began_ns) / 1e9


def measure(options: Options) -> Report:
    rounds = 5 if options.quick else 30
    fleet = fleets.write_installation(options.directory / "home", 1, ticks_per_second=1)
    noticed, running = [], []
    with fleets.running(fleet):
        for _ in options.progress.each(range(rounds), "kill"):
            found = kill_once(fleet)
            noticed.append(found[0])
            running.append(found[1])
            time.sleep(0.3)  # past the restart window: each death is a first one
    bare_noticed_s, bare_fork_s = bare_restart_s(rounds)
    report = Report()
    p50 = median(noticed)
    report.add(
        "noticed (p50)", p50 * 1e3, "ms", "bare pidfd", bare_noticed_s * 1e3, mark="<= 20 ms", holds=p50 <= 0.020
    )
    report.add("noticed (p99)", percentile(noticed, 0.99) * 1e3, "ms")
    p50, floor = median(running), bare_noticed_s + bare_fork_s
    report.add(
        "RUNNING (p50)", p50 * 1e3, "ms", "bare pidfd + bare fork", floor * 1e3, mark="<= 250 ms", holds=p50 <= 0.25
    )
    report.add("RUNNING (p99)", percentile(running, 0.99) * 1e3, "ms")
    report.notes.append(f"{rounds} kills; times from the manager's log, so they include writing that line")
    return report


if __name__ == "__main__":
    run("worker_restart", CLAIM, measure, about_s=(10, 35))
