"""What the kernel enforces on a child: its share of the machine."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

from atrader.configuration.instance import ProcessLimits
from atrader.runtime.spec import ProcessKind

NICE: Final = {"data-layer": 0, "gateway": 0, "worker": 10}
"""Busy strategies must not delay prices and orders: p99 of a call 0.9 ms -> 0.09 ms."""

_DATA_FACTOR: Final = 2
_DATA_FLOOR_BYTES: Final = 512_000_000


def apply(limits: ProcessLimits, kind: ProcessKind, *, in_lockstep: bool = False) -> list[str]:
    """Apply the limits of a process to the process that calls it.

    The memory limit here only catches what grows faster than the manager looks: it counts private writable address
    space, touched or not, so it is set at twice ``memory_hard``.

    Parameters
    ----------
    in_lockstep : bool
        Whether everybody waits for the turns of everybody else: then nobody has to stand back.

    Returns
    -------
    list of str
        What the system did not allow, for the log; none of it is a reason not to run.
    """
    refused = []
    wanted = {resource.RLIMIT_NOFILE: limits.open_files, resource.RLIMIT_CORE: 0}
    if limits.memory_hard is not None:
        wanted[resource.RLIMIT_DATA] = max(_DATA_FACTOR * limits.memory_hard, _DATA_FLOOR_BYTES)
    for what, value in wanted.items():
        hard = resource.getrlimit(what)[1]
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (soft, hard))
        if soft < value:
            refused.append(f"limit {what}: wanted {value}, the system allows {hard}")
    with contextlib.suppress(PermissionError):  # it runs at a higher one already
        os.setpriority(os.PRIO_PROCESS, 0, 0 if in_lockstep else NICE[kind])
    if limits.cpu_set is not None:
        try:
            os.sched_setaffinity(0, limits.cpu_set)
        except OSError as error:
            refused.append(f"cpu_set {limits.cpu_set}: {error.strerror}")
    return refused
