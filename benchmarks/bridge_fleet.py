"""The C library's stand-in in workers: how soon a crashed one trades again, and what 32 instances cost."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import time

import psutil

from benchmarks._support import fleets
from benchmarks._support.report import Options, Report, median, run
from tests.support.asirikuy_fleet import AsirikuyFleet, time_server
from tests.support.books import check_books
from tests.support.fleet import wait_for

CLAIM = "a crash of the library to its worker RUNNING again: 1 s at most, with state and orders right"
INSTANCES = 32
WORKER = "worker-bbs"
_TICKS = 5.0  # quotes a second: each of them is a call


def crashes(options: Options) -> list[float]:
    """Let a library crash in each of its lives; return the seconds from death to RUNNING. The books hold afterwards."""
    wanted = 5 if options.quick else 20
    fleet = AsirikuyFleet(options.directory / "crashes")
    fleet.environment["ASIRIKUY_STANDIN_MISBEHAVE"] = "crash:10"
    with time_server() as server:
        fleet.servers = f"ntp_servers = ['{server}']"
        fleet.write_market(ticks=20.0)
        fleet.write_library_instance(text=fleet.unlimited())
        fleet.import_minutes()
        with fleets.running(fleet):
            wait_for(lambda: len(_down(fleet)) >= wanted, "crashes", 120)
    check_books(fleet)
    return _down(fleet)


def _down(fleet: AsirikuyFleet) -> list[float]:
    """Return how long the worker was not RUNNING, death by death."""
    took, died_ns = [], 0
    for event in fleets.transitions(fleet, WORKER):
        if event.source == "RUNNING" and event.target != "STOPPING":
            died_ns = event.time_ns
        elif event.target == "RUNNING" and died_ns:
            took.append((event.time_ns - died_ns) / 1e9)
            died_ns = 0
    return took


def many(options: Options) -> tuple[float, list[float], float, int]:
    """Run 32 instances; return seconds to all RUNNING, megabytes of each of their own, CPU of all, calls a second."""
    seconds = 3.0 if options.quick else 20.0
    fleet = AsirikuyFleet(options.directory / "many")
    with time_server() as server:
        fleet.servers = f"ntp_servers = ['{server}']"
        fleet.write_market(ticks=_TICKS)
        for number in range(1, INSTANCES + 1):
            fleet.write_library_instance(f"bbs{number}", number, row=(0, -1, 0), bars=600, text=fleet.unlimited())
        fleet.import_minutes(900)
        began_s = time.monotonic()
        with fleets.running(fleet):
            started_s = time.monotonic() - began_s
            time.sleep(2.0)
            pids = [fleet.pid(f"worker-bbs{number}") for number in range(1, INSTANCES + 1)]
            workers = [psutil.Process(pid) for pid in pids]
            own_mb = [worker.memory_full_info().uss / 1e6 for worker in workers]
            before_s, began_s = _cpu_s(workers), time.monotonic()
            time.sleep(seconds)
            cpu_frac = (_cpu_s(workers) - before_s) / (time.monotonic() - began_s)
    return started_s, own_mb, cpu_frac, int(INSTANCES * _TICKS)


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(options: Options) -> Report:
    options.progress.say("crashes")
    took = crashes(options)
    options.progress.say(f"{INSTANCES} instances")
    started_s, own_mb, cpu_frac, calls = many(options)
    report = Report()
    report.add("crash to RUNNING (p50)", median(took) * 1e3, "ms", mark="<= 1000 ms", holds=median(took) <= 1.0)
    report.add("crash to RUNNING (longest)", max(took) * 1e3, "ms")
    report.add(f"{INSTANCES} instances, start to RUNNING", started_s, "s")
    report.add("own memory of one", median(own_mb), "MB")
    report.add(f"CPU of all at {calls} calls/s", cpu_frac * 100, "% of a core")
    report.add("CPU of one call", cpu_frac / calls * 1e6, "us")
    report.notes.append(f"{len(took)} crashes; an array of 721 bars and 200 order entries in each call; the books held")
    return report


if __name__ == "__main__":
    run("bridge_fleet", CLAIM, measure, about_s=(40, 120))
