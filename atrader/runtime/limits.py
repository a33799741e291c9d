"""What the kernel enforces on a child: its end with its parent, its share of the machine, its group."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from typing import Final

from atrader.configuration.instance import ProcessLimits
from atrader.errors import InvariantBroken
from atrader.runtime.spec import ProcessKind

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: children share it

NICE: Final = {"data-layer": 0, "gateway": 0, "worker": 10}
"""Busy strategies must not delay prices and orders: p99 of a call 0.9 ms -> 0.09 ms."""

_DATA_FACTOR: Final = 2
_DATA_FLOOR_BYTES: Final = 512_000_000


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process (SIGKILL) when its parent dies.

    Parameters
    ----------
    parent_pid : int
        Who the parent is meant to be: it may have died before we could ask for the signal.

    Raises
    ------
    InvariantBroken
        When the kernel refuses, or the parent is gone already.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise InvariantBroken(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent_pid:
        raise InvariantBroken(f"the parent {parent_pid} is gone already")


def apply(limits: ProcessLimits, kind: ProcessKind) -> list[str]:
    """Apply the limits of a process to the process that calls it.

    The memory limit here only catches what grows faster than the manager looks: it counts private writable address
    space, touched or not, so it is set at twice ``memory_hard``.

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
        os.setpriority(os.PRIO_PROCESS, 0, NICE[kind])
    if limits.cpu_set is not None:
        try:
            os.sched_setaffinity(0, limits.cpu_set)
        except OSError as error:
            refused.append(f"cpu_set {limits.cpu_set}: {error.strerror}")
    return refused
