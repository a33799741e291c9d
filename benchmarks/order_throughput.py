"""Journalled orders a second through one gateway, from one client and from twenty at once."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import contextlib
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil

from benchmarks._support import fleets
from benchmarks._support.floors import fsync_append_s, sqlite_commit_s
from benchmarks._support.report import Options, Report, median, percentile, run
from tests.support.fleet import Fleet, wait_for

CLAIM = "One fsync is shared by all orders that wait for it: twenty workers get more orders a second than one"
MANY = 20
DRIVER = Path(__file__).parent / "_support" / "order_driver.py"


def drive(fleet: Fleet, clients: range, seconds: float) -> tuple[list[dict[str, Any]], float]:
    """Let so many clients trade at once; return what each has counted, and the CPU seconds the gateway used."""
    command = [sys.executable, "-P", str(DRIVER), str(fleet.home.root), "paper"]
    with contextlib.ExitStack() as drivers:
        started = []
        for number in clients:
            arguments = [*command, f"i{number}", str(number), str(seconds)]
            driver = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            drivers.callback(driver.wait)
            drivers.callback(driver.kill)
            started.append(driver)
        for driver in started:
            assert driver.stdout is not None
            if driver.stdout.readline() != "ready\n":
                raise RuntimeError("a driver did not get ready")
        gateway = psutil.Process(fleet.pid("gateway-paper"))
        before = gateway.cpu_times()
        found = [json.loads(text) for text in talk(started, seconds)]
        after = gateway.cpu_times()
    for counted in found:
        if set(counted["states"]) != {"FILLED"}:
            raise RuntimeError(f"not every order was filled: {counted['states']}")
    return found, after.user + after.system - before.user - before.system


def talk(drivers: list[subprocess.Popen[str]], seconds: float) -> Iterator[str]:
    """Let all drivers go at once, and give what each prints at its end."""
    for driver in drivers:
        assert driver.stdin is not None
        driver.stdin.write("\n")
        driver.stdin.flush()
    for driver in drivers:
        text = driver.communicate(timeout=seconds + 60)[0]
        if driver.returncode != 0:
            raise RuntimeError(f"a driver ended with {driver.returncode}")
        yield text


def measure(options: Options) -> Report:
    seconds = 2.0 if options.quick else 10.0
    fleet = fleets.write_installation(
        options.directory / "home", MANY, ticks_per_second=5, of_each=fleets.RESTARTS + fleets.ORDERS
    )
    workers = [f"worker-i{number}" for number in range(1, MANY + 1)]
    with fleets.running(fleet):
        fleet.command("stop", *workers)  # the drivers speak for them
        wait_for(lambda: all(fleet.process(name)["state"] == "STOPPED" for name in workers), "no workers")
        fsync = median(fsync_append_s(options.directory, 300))
        commit = median(sqlite_commit_s(options.directory, 300))
        options.progress.say("one client")
        one = drive(fleet, range(1, 2), seconds)
        options.progress.say(f"{MANY} clients")
        many = drive(fleet, range(1, MANY + 1), seconds)
    report = Report()
    rates = {}
    for clients, (found, cpu_s) in ((1, one), (MANY, many)):
        rates[clients] = sum(counted["orders"] for counted in found) / seconds
        took = [value for counted in found for value in counted["took_s"]]
        name = "1 client" if clients == 1 else f"{clients} clients"
        report.add(f"orders a second, {name}", rates[clients], "/s", "fsyncs a second, one after another", 1 / fsync)
        report.add("  answered (p50)", median(took) * 1e3, "ms", "one fsync", fsync * 1e3)
        report.add("  gateway CPU an order", cpu_s / (rates[clients] * seconds) * 1e3, "ms", "one fsync", fsync * 1e3)
        report.add("  answered (p99)", percentile(took, 0.99) * 1e3, "ms", "one fsync", fsync * 1e3)
    report.add(f"{MANY} clients over one", rates[MANY] / rates[1], "x", mark="> 1 x", holds=rates[MANY] > rates[1])
    report.notes.append(
        f"{seconds:g} s each; every order is on disk before it is answered, and so is the paper account's own book; "
        f"bare SQLite commit of one row: {commit * 1e3:.3f} ms = {1 / commit:,.0f}/s. Clients run on the same cores."
    )
    return report


if __name__ == "__main__":
    run("order_throughput", CLAIM, measure, about_s=(25, 45))
