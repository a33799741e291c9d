"""One owner per file, directory or account: a lock that the kernel drops when its owner dies, however it dies."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakSet

from atrader.clock import SystemClock, iso_from_ns
from atrader.errors import StoreError
from atrader.exit_codes import ExitCode

_clock = SystemClock()
_POLL_S: Final = 0.02
_LOOK_S: Final = 0.2  # somebody who asks for the owner is in the way for an instant: one refusal says nothing
_SECOND_NS: Final = 1_000_000_000


class Owner(NamedTuple):
    """Who holds a lock."""

    name: str
    pid: int
    since: str  # UTC

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}, since {self.since})" if self.pid else self.name


_STARTING: Final = Owner("another process, which is just starting", 0, "")


class LockHeld(StoreError):
    """Raised when somebody else holds a lock; ``details`` has ``exit_code`` LOCKED, ``owner`` and ``owner_pid``."""

    def __init__(self, guarded: object, owner: Owner) -> None:
        super().__init__(
            f"{guarded} is in use by {owner}",
            details={"exit_code": ExitCode.LOCKED.name, "owner": str(owner), "owner_pid": owner.pid},
        )


class FileLock:
    """An exclusive lock on a side file, held until `release` or the death of this process.

    The side file stays behind for ever: a lock on a file that somebody may unlink is a lock on nothing. It holds
    the name of its owner. A child that this process forks does not hold the lock (Python closes its copy), nor does a
    program that it executes, so that the lock of a dead process is never kept by one of its children.

    Parameters
    ----------
    path : Path
        The side file; made when missing, in a directory that exists.
    owner : str
        What this process is, shown to whoever comes second: ``the data layer``.
    guarded : object
        What the lock protects, as people call it; the path of the side file when left out.
    wait_s : float
        How long to wait for the present owner, which may be dying. Blocks the thread, 0.2 s at least when the lock
        is held.

    Raises
    ------
    LockHeld
        When somebody else holds it; the message names the owner. May be tried again.
    StoreError
        When the side file cannot be made or opened.
    """

    def __init__(self, path: Path, owner: str, guarded: object = None, wait_s: float = 0.0) -> None:
        self._pid = os.getpid()
        self._descriptor = -1
        end_s = _clock.monotonic_s() + max(wait_s, _LOOK_S)
        while not self._take(path):
            if _clock.monotonic_s() >= end_s:
                raise LockHeld(guarded or path, owner_of(path) or _STARTING)
            time.sleep(_POLL_S)
        _held.add(self)
        since = iso_from_ns(_clock.now_ns() // _SECOND_NS * _SECOND_NS)
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps({"name": owner, "pid": self._pid, "since": since}).encode(), 0)

    def release(self) -> None:
        """Let go. May be called twice."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):  # so that nobody reads a name that no longer holds it
            os.ftruncate(self._descriptor, 0)
        # Closing alone would leave it to a copy in a child that is between fork and exec.
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._close()

    def _take(self, path: Path) -> bool:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{path}: cannot be opened: {error.strerror}") from error
        if _locked(self._descriptor, fcntl.LOCK_EX):
            return True
        self._close()
        return False

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1

    def forget(self) -> None:
        """Close this process's copy of the descriptor after a fork; the parent goes on holding the lock."""
        if self._descriptor >= 0:
            self._close()


def owner_of(path: Path) -> Owner | None:
    """Return who holds the lock of a side file now, or None when nobody does. Takes nothing and writes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}") from error
    try:
        return None if _locked(descriptor, fcntl.LOCK_SH) else _read_owner(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_owner(descriptor: int) -> Owner:
    try:
        fields = json.loads(os.pread(descriptor, 1000, 0))
        return Owner(str(fields["name"]), int(fields["pid"]), str(fields["since"]))
    except (ValueError, KeyError, TypeError):  # between its lock and its first line
        return _STARTING


_held: WeakSet[FileLock] = WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
