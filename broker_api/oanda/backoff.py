"""Pauses between attempts that fail: longer each time, never in step with others."""

from __future__ import annotations

import random
from typing import Final

_FIRST_S: Final = 1.0
_LONGEST_S: Final = 30.0
_JITTER_FRAC: Final = 0.3


class Backoff:
    """Doubles from one second to thirty, with jitter.

    Parameters
    ----------
    rng : random.Random
        Of the jitter.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0

    def pause_s(self) -> float:
        """Return how long to wait after one more failure."""
        pause_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return float(pause_s * (1.0 - _JITTER_FRAC * self._rng.random()))

    def succeeded(self) -> None:
        """Begin again: the next failure is the first one."""
        self._failures = 0
