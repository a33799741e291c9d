"""How much a client may ask of the venue. Rates count by the host's clock: they are about traffic, not the market."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Limits:
    """Limits of the venue.

    Parameters
    ----------
    requests_per_s : int, default 120
    streams : int, default 20
    connections_per_s : int, default 2
    idle_s : float, default 60
        After so long without a request a kept connection is closed by the venue.
    """

    requests_per_s: int = 120
    streams: int = 20
    connections_per_s: int = 2
    idle_s: float = 60.0

    @classmethod
    def loose(cls) -> Self:
        """Return limits that no test runs into."""
        return cls(1_000_000, 1_000_000, 1_000_000)


@dataclass
class Rate:
    """How often something happened in the last second."""

    per_s: int
    monotonic_s: Callable[[], float] = time.monotonic
    _times: deque[float] = field(default_factory=deque)

    def allows(self) -> bool:
        """Count one more and return True, or return False when the second is full."""
        now = self.monotonic_s()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        if len(self._times) >= self.per_s:
            return False
        self._times.append(now)
        return True
