"""The lock that keeps a second writer away from a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from atrader.clock import SystemClock
from atrader.errors import StoreError
from atrader.exit_codes import ExitCode

_clock = SystemClock()
_POLL_S = 0.02


class StoreLock:
    """An exclusive `flock` on a side file of a store, held until `close` or the death of the process.

    Parameters
    ----------
    store : Path
        The store; the side file is beside it, with ``.lock`` appended.
    owner : str
        Who holds it, shown to whoever comes second.
    wait_s : float
        How long to wait for the present owner: a predecessor may be dying.

    Raises
    ------
    StoreError
        When somebody else holds it; the message names the owner.
    """

    def __init__(self, store: Path, owner: str, wait_s: float = 0.0) -> None:
        self.path = store.with_name(f"{store.name}.lock")
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be opened: {error.strerror}") from error
        if not self._take(wait_s):
            holder = os.pread(self._descriptor, 200, 0).decode(errors="replace").strip() or "an unknown process"
            self.close()
            raise StoreError(
                f"{store} is in use by {holder}", details={"exit_code": ExitCode.LOCKED.name, "owner": holder}
            )
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{owner} (pid {os.getpid()})".encode(), 0)

    def close(self) -> None:
        """Release; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, wait_s: float) -> bool:
        end_s = _clock.monotonic_s() + wait_s
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _clock.monotonic_s() >= end_s:
                    return False
                time.sleep(_POLL_S)
            else:
                return True


def is_locked(store: Path) -> bool:
    """Tell whether somebody holds the lock of a store now."""
    try:
        StoreLock(store, "a look at the lock").close()
    except StoreError as error:
        if error.details.get("exit_code") == ExitCode.LOCKED.name:
            return True
        raise
    return False
