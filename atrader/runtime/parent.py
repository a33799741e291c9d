"""A process that ends with its parent, however that one ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from typing import Final

from atrader.errors import InvariantBroken

_PR_SET_PDEATHSIG: Final = 1
_libc: Final = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: children share it


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


def die_with_spawner() -> None:
    """Do so in a process of `multiprocessing`; the initializer of a pool, whose workers else wait for work for ever.

    The kernel means the thread that began the process: hand work to a pool from a thread that lives as long as it.

    Raises
    ------
    InvariantBroken
        As `die_with_parent`, and in a process that nobody spawned.
    """
    spawner = multiprocessing.parent_process()
    if spawner is None or spawner.pid is None:
        raise InvariantBroken("this process was not begun by another one")
    die_with_parent(spawner.pid)
