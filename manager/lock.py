"""One manager per run directory."""

from __future__ import annotations

from pathlib import Path

from atrader.configuration.home import Home
from atrader.errors import ConfigError
from atrader.runtime import file_lock
from atrader.runtime.file_lock import FileLock, LockHeld, Owner


def take_lock(home: Home) -> FileLock:
    """Take the lock on the run directory, without waiting for a present owner.

    Raises
    ------
    ConfigError
        When another manager has it; the message says which. Its ``exit_code`` is LOCKED.
    """
    path = _path(home)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return FileLock(path, "manager", home.root)
    except LockHeld as error:
        raise ConfigError(error.message, details=error.details) from error


def owner_of(home: Home) -> Owner | None:
    """Return the manager that holds the lock, or None when nobody does."""
    return file_lock.owner_of(_path(home))


def _path(home: Home) -> Path:
    return home.run / "manager.lock"
