"""A process that wants a processor and gets none is not stalled: to kill it would only add to what there is to do."""

from __future__ import annotations

from collections.abc import Callable

from atrader.configuration.instance import ProcessLimits
from atrader.runtime.processor import waited_s
from manager.liveness import Vitals, is_doubtful


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
