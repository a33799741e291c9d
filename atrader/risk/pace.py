"""How many intents an instance had in the last minute: a runaway loop shows there first."""

from __future__ import annotations

from collections import deque
from typing import Final

from atrader.clock import NS_PER_S

_MINUTE_NS: Final = 60 * NS_PER_S


class Pace:
    """Counts intents by magic number over one minute of market time."""

    def __init__(self) -> None:
        self._recent: dict[int, deque[int]] = {}

    def count(self, magic: int, time_ns: int) -> None:
        """Count an intent."""
        recent = self._recent.get(magic)
        if recent is None:
            recent = self._recent[magic] = deque()
        recent.append(time_ns)

    def recent(self, magic: int, now_ns: int, but_ns: int | None = None) -> int:
        """Return how many were counted in the minute before now; one that was counted at ``but_ns`` is left out."""
        recent = self._recent.get(magic)
        if recent is None:
            return 0
        while recent and recent[0] <= now_ns - _MINUTE_NS:
            recent.popleft()
        return len(recent) - (but_ns in recent)
