"""One manager per run directory."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from typing import Final, Self

from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.home import Home
from atrader.errors import ConfigError

_TRIES: Final = 10
_TRY_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Owner:
    """The manager that holds the lock."""

    pid: int
    since: str  # UTC

    def __str__(self) -> str:
        return f"manager {self.pid}, started {self.since}"


class ManagerLock:
    """An exclusive lock on ``run/manager.lock``; the kernel frees it when its holder dies, however it does."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, home: Home) -> Self:
        """Take the lock without waiting.

        Raises
        ------
        ConfigError
            When another manager has it; the message says which. Its ``exit_code`` is LOCKED.
        """
        path = home.run / "manager.lock"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(descriptor):
            os.close(descriptor)
            owner = owner_of(home) or "another manager, which is just starting"
            raise ConfigError(f"{home.root} is run by {owner}", details={"exit_code": "LOCKED"})
        started = iso_from_ns(SystemClock().now_ns() // 1_000_000_000 * 1_000_000_000)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": started}).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Free the lock."""
        os.close(self._descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock; somebody who asks `owner_of` holds it for a moment, so one refusal says nothing."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_TRY_S)
    return False


def owner_of(home: Home) -> Owner | None:
    """Return the manager that holds the lock, or None when nobody does."""
    try:
        descriptor = os.open(home.run / "manager.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read_owner(descriptor)
    finally:
        os.close(descriptor)


def _read_owner(descriptor: int) -> Owner:
    try:
        fields = json.loads(os.pread(descriptor, 1000, 0))
        return Owner(int(fields["pid"]), str(fields["since"]))
    except (ValueError, KeyError, TypeError):  # between its lock and its first line
        return Owner(0, "just now")
