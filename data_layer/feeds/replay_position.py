"""How far a replay got, on disk: a data layer that dies goes on where everybody else is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from atrader.errors import StoreError

_WIDTH: Final = 20


def market_time_ns(path: Path) -> int | None:
    """Return the market's time at the last step of a replay, UTC ns; None when nothing is known of one."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return None
    return (int(lines[2]) or None) if len(lines) > 2 else None


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
        kept = os.read(self._file, len(head) + _WIDTH + 4096)
        self._offset = len(head)
        if not kept:
            os.pwrite(self._file, head + _numbers(0, 0), 0)
            return 0
        if not kept.startswith(head):
            self.close()
            raise StoreError(
                f"{self._path} is the position of another replay: use a fresh directory for each replay "
                "('atrader-manager init DIR --template replay'), or restore the settings of [market]"
            )
        return int(kept[len(head) : len(head) + _WIDTH])

    def done(self, steps: int, market_ns: int) -> None:
        """Note that so many steps are done, and which time the market has then (UTC ns)."""
        assert self._file is not None
        os.pwrite(self._file, _numbers(steps, market_ns), self._offset)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _numbers(steps: int, market_ns: int) -> bytes:
    return b"".join(str(number).encode().rjust(_WIDTH) + b"\n" for number in (steps, market_ns))
