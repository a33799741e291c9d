"""Disk space held back for bad times."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 4 * 1024 * 1024
"""Room for some thousand exits with their fills: enough to flatten any account, cheap on any disk."""


class Reserve:
    """A file of allocated, unused space; deleting it makes room for what must be written when the disk is full.

    Parameters
    ----------
    path : Path
        Where it lies; on the file system of the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def is_held(self) -> bool:
        """Whether the space is held back."""
        try:
            return self._path.stat().st_size >= RESERVE_BYTES
        except OSError:
            return False

    def hold(self) -> bool:
        """Allocate the space; False when the disk has not that much to give (then nothing is left behind)."""
        if self.is_held:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(file, 0, RESERVE_BYTES)
            os.fsync(file)
        except OSError:
            self.give_back()
            return False
        finally:
            os.close(file)
        return True

    def give_back(self) -> None:
        """Delete the file. May be called twice."""
        self._path.unlink(missing_ok=True)
