"""Waiting until nobody else uses the machine, and saying how much others used it while we measured."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import psutil

QUIET_FRAC = 0.08
"""Share of all cores that may be busy before a measurement begins."""

_LOOK_S = 0.5


def wait_until_quiet(longest_s: float) -> float:
    """Wait until the machine is quiet, or for so long; return the share of it that was busy when we went on."""
    deadline_s = time.monotonic() + longest_s
    while True:
        busy = psutil.cpu_percent(interval=_LOOK_S) / 100
        if busy <= QUIET_FRAC or time.monotonic() > deadline_s:
            return busy


def _machine_s() -> tuple[float, float]:
    """Return busy and all CPU seconds of the machine since it started."""
    times = psutil.cpu_times()
    idle_s = times.idle + times.iowait
    return sum(times[:8]) - idle_s, sum(times[:8])


def _own_s() -> float:
    """Return CPU seconds of this process and of all descendants that have ended and were waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells how much of the machine others used; begun before the measurement, read when all its processes are gone."""

    busy_s: float
    all_s: float
    own_s: float

    @classmethod
    def begin(cls) -> Watch:
        """Note the time used so far."""
        return cls(*_machine_s(), _own_s())

    def others_frac(self) -> float:
        """Return the share of the machine that others used since."""
        busy_s, all_s = _machine_s()
        others_s = (busy_s - self.busy_s) - (_own_s() - self.own_s)
        return max(0.0, others_s / max(1e-9, all_s - self.all_s))
