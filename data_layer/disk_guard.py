"""Holds writing back while the disk is nearly full, and lets it go on when there is clearly room again."""

from __future__ import annotations

import os

from atrader.configuration.fleet import DataConfig
from atrader.errors import StoreError


class DiskGuard:
    """Looks at the free space before something is written.

    Below ``data.min_free_disk`` nothing is, until there is ``data.free_margin_frac`` more than that: a disk at the
    limit must not switch with every file that comes and goes. Journals and checkpoints do not ask: what is left is
    theirs.

    Parameters
    ----------
    directory : path, optional
        Where the stores are; None when that is not our business.

    Attributes
    ----------
    is_full : bool
        What the last look found.
    """

    def __init__(self, directory: os.PathLike[str] | None, config: DataConfig) -> None:
        self._directory = directory
        self._limit = config.min_free_disk
        self._enough = int(config.min_free_disk * (1 + config.free_margin_frac))
        self.is_full = False

    def check(self, what: str) -> None:
        """Look.

        Raises
        ------
        StoreError
            When there is too little room; ``details["read_only"]`` is true.
        """
        if self._directory is None:
            return
        status = os.statvfs(self._directory)
        free = status.f_bavail * status.f_frsize
        self.is_full = free < (self._enough if self.is_full else self._limit)
        if self.is_full:
            raise StoreError(
                f"{free / 1e6:.0f} MB are free in {self._directory}, below data.min_free_disk ({self._limit / 1e6:.0f}"
                f" MB): {what} is not written; it goes on by itself at {self._enough / 1e6:.0f} MB",
                details={"read_only": True},
            )
