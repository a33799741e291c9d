"""The lock that makes one gateway per account a fact of the kernel."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from atrader.errors import StoreError


class AccountLock:
    """An exclusive lock beside a journal; the kernel drops it when the process ends, however it ends.

    Parameters
    ----------
    path : Path
        Lock file; it stays behind and holds the pid of its last owner.

    Raises
    ------
    StoreError
        When another process holds it; ``details["exit_code"]`` is LOCKED and ``details["owner_pid"]`` names it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise StoreError(
                f"{path} is locked by process {owner}: another gateway owns this account",
                details={"exit_code": "LOCKED", "owner_pid": owner, "path": str(path)},
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
