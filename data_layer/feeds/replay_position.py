"""How far a replay got, on disk: a data layer that dies goes on where everybody else is."""

from __future__ import annotations

import json
import os
from pathlib import Path

from atrader.errors import StoreError


class ReplayPosition:
    """The number of steps that everybody worked in.

    Written after each step, in place and without a sync: it has to survive the death of the process, and after a power
    cut the last steps are simply played again (participants know the steps they have done).

    Parameters
    ----------
    path : Path
        The file.
    plan : str
        What is replayed; a position of another plan does not count.
    """

    _WIDTH = 20

    def __init__(self, path: Path, plan: str) -> None:
        self._path = path
        self._plan = plan
        self._file: int | None = None

    def open(self) -> int:
        """Return the number of steps done, 0 for a new replay.

        Raises
        ------
        StoreError
            When the file belongs to another replay: its account has seen another market.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        head = json.dumps({"plan": self._plan}).encode() + b"\n"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        kept = os.read(self._file, len(head) + self._WIDTH + 4096)
        self._offset = len(head)
        if not kept:
            os.pwrite(self._file, head + b"0".rjust(self._WIDTH) + b"\n", 0)
            return 0
        if not kept.startswith(head):
            self.close()
            raise StoreError(
                f"{self._path} is the position of another replay: use a fresh directory for each replay "
                "('atrader-manager init DIR --template replay'), or restore the settings of [market]"
            )
        return int(kept[len(head) : len(head) + self._WIDTH])

    def done(self, steps: int) -> None:
        """Note that so many steps are done."""
        assert self._file is not None
        os.pwrite(self._file, str(steps).encode().rjust(self._WIDTH), self._offset)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
