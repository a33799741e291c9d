"""A library is tried once, in a process of its own, before it may run in a worker; then a file remembers it."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from pathlib import Path
from typing import Final

from framework_bridge.abi.probe import require_known_interface

_NAME: Final = "interface-known"


def require_known_library(library: Path, temp: Path) -> None:
    """Do nothing when a library has the interface we know; blocks for some tenths of a second when it is new.

    Parameters
    ----------
    library : Path
        The file; one that was changed is a new one.
    temp : Path
        The library's folder for files, which exists; here it is remembered.

    Raises
    ------
    ConfigError
        When it is another one, or ends or stops the process that tries it.
    """
    with (temp / f"{_NAME}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # of instances that start together one tries it
        with suppress(OSError):
            if (temp / _NAME).read_text() == _identity(library):
                return
        require_known_interface(library)
        with suppress(OSError):  # no room: it is tried again at the next start
            remember_library(library, temp)


def remember_library(library: Path, temp: Path) -> None:
    """Note that a library need not be tried.

    Raises
    ------
    OSError
        When there is no room.
    """
    (temp / _NAME).write_text(_identity(library))


def _identity(library: Path) -> str:
    about = library.stat()
    return f"{library.resolve()} {about.st_size} {about.st_mtime_ns}\n"
