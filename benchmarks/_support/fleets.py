"""Fleets to measure: installations in a directory of the benchmark, and what their manager's log says about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from atrader.clock import parse_time
from tests.support.fleet import Fleet

RESTARTS = (
    "[process.restart]\ncount = 1000\nwindow = '100ms'\nfirst_backoff = '0s'\nmin_backoff = '10ms'\njitter_frac = 0\n"
)
"""The restart at once for each death that is not within 0.1 s of another."""

ORDERS = "[limits]\nmax_orders_per_minute = 1000000000\n"

IDLE = '''
"""A strategy that does nothing."""

from atrader.strategy import EventStrategy


class Idle(EventStrategy):
    pass
'''


class Transition(NamedTuple):
    """One line of the manager's log."""

    time_ns: int
    name: str
    source: str
    target: str


def write_installation(
    root: Path, instances: int, *, ticks_per_second: float, strategy: str = IDLE, of_each: str = RESTARTS
) -> Fleet:
    """Write a fleet of so many instances of one strategy on EUR/USD minute bars and one paper account."""
    fleet = Fleet(root)
    home = fleet.home
    for folder in (home.etc / "accounts", home.etc / "strategies", home.root / "strategies"):
        folder.mkdir(parents=True)
    (home.root / "strategies" / "measured.py").write_text(strategy)
    (home.etc / "atrader.toml").write_text(
        "[data]\nbase_timeframe = '1m'\n[market]\nfeed = 'synthetic'\ninstruments = ['EUR/USD']\n"
        f"[market.synthetic]\nticks_per_second = {ticks_per_second}\n{RESTARTS}"
    )
    (home.etc / "accounts" / "paper.toml").write_text("broker = 'paper'\n[paper]\ninitial_balance = 1000000000\n")
    kind = strategy.partition("class ")[2].partition("(")[0]
    for number in range(1, instances + 1):
        (home.etc / "strategies" / f"i{number}.toml").write_text(
            f"strategy = 'strategies/measured.py:{kind}'\naccount = 'paper'\nmagic = {number}\n"
            f"instrument = 'EUR/USD'\ntimeframe = '1m'\nwarmup_bars = 0\n{of_each}"
        )
    return fleet


@contextmanager
def running(fleet: Fleet, *, wait: bool = True) -> Iterator[Fleet]:
    """Start a fleet, and stop it in order afterwards."""
    try:
        fleet.launch()
        if wait:
            fleet.wait_running(120)
        yield fleet
        status = fleet.stop()
        if status != 0:
            raise RuntimeError(f"the manager ended with {status}: {fleet.output()}")
    finally:
        fleet.end()


def transitions(fleet: Fleet, name: str | None = None, since_ns: int = 0) -> list[Transition]:
    """Read the transitions of a process, or of all, that the manager logged."""
    path = fleet.home.log / "manager.log"
    found = []
    for line in path.read_text().splitlines() if path.exists() else ():
        entry = json.loads(line)
        if entry.get("event") != "transition" or name not in (None, entry["name"]):
            continue
        source, _, rest = entry["transition"].partition(" -> ")
        time_ns = parse_time(entry["timestamp"])
        if time_ns >= since_ns:
            found.append(Transition(time_ns, entry["name"], source, rest.partition(" ")[0]))
    return found


def members(fleet: Fleet) -> list[psutil.Process]:
    """Return every process of a running fleet, manager and fork server included."""
    manager = psutil.Process(fleet.manager_pid)
    return [manager, *manager.children(recursive=True)]
