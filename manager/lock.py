"""One manager per run directory."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from typing import Self

from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.home import Home
from atrader.errors import ConfigError


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
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            owner = owner_of(home) or "another manager, which is just starting"
            raise ConfigError(f"{home.root} is run by {owner}", details={"exit_code": "LOCKED"}) from None
        started = iso_from_ns(SystemClock().now_ns() // 1_000_000_000 * 1_000_000_000)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": started}).encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Free the lock."""
        os.close(self._descriptor)


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
