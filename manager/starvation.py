"""A process that wants a processor and gets none is not stalled: to kill it would only add to what there is to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from atrader.clock import NS_PER_S
from atrader.configuration.instance import ProcessLimits
from manager.liveness import Vitals, is_doubtful


def waited_s(pid: int) -> float | None:
    """Return how long the main thread of a process has waited for a processor, seconds since it began; None: unknown.

    Nothing else counts: not being stopped, sleeping, waiting for a disk, or turning in a loop.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / NS_PER_S
    except (OSError, ValueError, IndexError):  # it has ended, or the kernel does not count
        return None


class Starvation:
    """Excuses one life of a process for the time it waited for a processor, once half of a time-out is over.

    Parameters
    ----------
    read : callable
        As `waited_s`.
    """

    def __init__(self, read: Callable[[int], float | None] = waited_s) -> None:
        self._read = read
        self._before_s: float | None = None

    def look(self, pid: int, vitals: Vitals, limits: ProcessLimits, now_s: float) -> float:
        """Move the times of a process on by what it waited since the last look; return that, seconds."""
        if not is_doubtful(vitals, limits, now_s):
            self._before_s = None
            return 0.0
        before_s, self._before_s = self._before_s, self._read(pid)
        if before_s is None or self._before_s is None:
            return 0.0
        waited = max(0.0, self._before_s - before_s)
        vitals.excuse(waited)
        return waited
