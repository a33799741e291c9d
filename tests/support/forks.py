"""Work in a process forked from this one: what it does to itself stays its own, dying included."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def fork(work: Callable[[], object]) -> int:
    """Do something in a forked process that ends with it, failed unless it ends itself before; return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        except Exception:  # noqa: BLE001 - the last of this process: whoever reads the output has to see it
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def run_forked(work: Callable[[], object]) -> int:
    """Do something in a forked process; return its exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(work), 0)[1])
