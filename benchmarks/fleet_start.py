"""Fifty workers from `start` to all RUNNING, what each costs in memory, and what they cost while nothing happens."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import time

import psutil

from atrader.clock import SystemClock
from benchmarks._support import fleets
from benchmarks._support.floors import BareForkServer, cold_spawn_s, timed_s
from benchmarks._support.report import Options, Report, median, run
from tests.support.fleet import Fleet

CLAIM = "50 workers from start to all RUNNING in 3 s, 16 MB of their own each, 5 % of one core while idle"
WORKERS = 50


def start_once(directory: Path, workers: int) -> float:
    """Start a fleet and stop it again; return seconds from the command to the last RUNNING."""
    fleet = fleets.write_installation(directory, workers, ticks_per_second=0.01)
    began_ns = SystemClock().now_ns()
    with fleets.running(fleet):
        return start_s(fleet, began_ns)


def start_s(fleet: Fleet, began_ns: int) -> float:
    """Return seconds from the command to the last RUNNING, by the manager's log."""
    return max(event.time_ns - began_ns for event in fleets.transitions(fleet) if event.target == "RUNNING") / 1e9


def cpu_s(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that processes have used."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def measure(options: Options) -> Report:
    workers = 10 if options.quick else WORKERS
    idle_s = 3.0 if options.quick else 10.0
    say = options.progress.say
    say(f"a fleet of {workers}, started and left alone")
    began_ns = SystemClock().now_ns()
    fleet = fleets.write_installation(options.directory / "home", workers, ticks_per_second=0.01)
    with fleets.running(fleet):
        took = [start_s(fleet, began_ns)]
        time.sleep(2.0)  # the end of starting is not idleness
        processes = fleets.members(fleet)
        status = fleet.try_status()
        assert status is not None
        pids = [row["pid"] for row in status["processes"] if row["kind"] == "worker"]
        own = [psutil.Process(pid).memory_full_info().uss / 1e6 for pid in pids]
        before_s, began_s = cpu_s(processes), time.monotonic()
        time.sleep(idle_s)
        idle_frac = (cpu_s(processes) - before_s) / (time.monotonic() - began_s)
    say("starts again")
    took += [start_once(options.directory / f"again{number}", workers) for number in range(0 if options.quick else 2)]
    say("cold spawns and bare forks")
    cold = median(cold_spawn_s(2 if options.quick else 5))
    bare = BareForkServer()
    try:
        forks = sum(timed_s(bare.fork, workers))
        floor_mb = median([psutil.Process(pid).memory_full_info().uss / 1e6 for pid in bare.children])
    finally:
        bare.close()
    report = Report()
    report.add(
        f"start to {workers} RUNNING",
        median(took),
        "s",
        f"one cold import + {workers} bare forks",
        cold + forks,
        mark="<= 3 s",
        holds=median(took) <= 3.0,
    )
    report.add(f"peer: {workers} cold spawns", cold * workers / (psutil.cpu_count() or 1), "s")
    report.add(
        "own memory, idle worker",
        median(own),
        "MB",
        "bare fork",
        floor_mb,
        mark="<= 16 MB",
        holds=median(own) <= 16,
    )
    report.add(
        f"CPU of the idle fleet of {workers}", idle_frac * 100, "% of a core", mark="<= 5 %", holds=idle_frac <= 0.05
    )
    report.notes.append(
        f"start: median of {len(took)}, from before the command is run to the last RUNNING in the manager's log; "
        f"peer: {cold:.2f} s for one, spread over all cores; idle: {idle_s:g} s, manager and fork server included"
    )
    return report


if __name__ == "__main__":
    run("fleet_start", CLAIM, measure, about_s=(20, 60))
