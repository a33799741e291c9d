"""Named exit codes: what a dying process tells the manager, and what commands tell scripts.

No imports on purpose: the restart policy (`manager/restart_policy.py`) is a table over these names.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of every process and command of atrader.

    The values start at 64 (as in ``sysexits.h``), so that no code of ours collides with 1 (Python's
    uncaught exception), 2 (usage error of a command) or 128+n (death by signal, seen through a shell).
    """

    OK = 0
    FAILURE = 1  # an uncaught exception: nobody foresaw it
    USAGE = 2  # wrong command line
    CONFIG = 64  # configuration wrong: do not restart until it changes
    AUTH = 65  # the broker refuses the credentials
    BROKER_MAINTENANCE = 66  # the broker is closed for maintenance: wait
    INVARIANT = 67  # something that must hold did not; a human looks first
    STALLED = 68  # ended by the manager because nothing moved
    MEMORY = 69  # over its memory limit
    STRATEGY = 70  # the strategy's on_error policy says stop
    STORE = 71  # a store is damaged or cannot be written
    LOCKED = 72  # another process holds the lock (account, run directory, store)
    PARENT_DIED = 73  # the manager went away
    RECYCLE = 74  # asked to be replaced (memory soft limit, at a flat moment)
    UNAVAILABLE = 75  # a command could not reach the running fleet
    LIBRARY = 76  # a call into a C library hung, or damaged this process's memory
    INCOMPLETE = 77  # a command did what it could, and its report names what it could not
