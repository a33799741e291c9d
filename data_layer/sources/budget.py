"""How often a source may be asked: its rate, and pauses after failures. Pure."""

from __future__ import annotations

import random
from typing import Final

from atrader import pauses
from data_layer.sources.source import SourceLimits

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
_JITTER_FRAC: Final = 0.5  # many installations ask one service: they must not come back together


class RequestBudget:
    """A token bucket, and a pause that doubles with each failure in a row. All times are monotonic seconds.

    Parameters
    ----------
    limits : SourceLimits
        Rate and burst.
    rng : random.Random
        Of the jitter.
    """

    def __init__(self, limits: SourceLimits, rng: random.Random, now_s: float) -> None:
        self._limits = limits
        self._rng = rng
        self._tokens = float(limits.burst)
        self._filled_s = now_s
        self._blocked_s = now_s
        self.failures = 0

    def delay_s(self, now_s: float) -> float:
        """Return how long to wait before the next request; 0 = it may go now."""
        self._fill(now_s)
        missing = max(0.0, 1.0 - self._tokens)
        return max(self._blocked_s - now_s, missing / self._limits.requests_per_s, 0.0)

    def spend(self, now_s: float) -> None:
        """Note that a request goes."""
        self._fill(now_s)
        self._tokens -= 1.0

    def succeeded(self) -> None:
        """Note an answer: the next failure is the first again."""
        self.failures = 0

    def failed(self, now_s: float, retry_after_s: float | None = None) -> float:
        """Note a failure; return how long the source is left alone: what it said, else longer each time."""
        self.failures += 1
        pause_s = pause_after(self.failures, self._rng) if retry_after_s is None else retry_after_s
        self._blocked_s = max(self._blocked_s, now_s + pause_s)
        return pause_s

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._filled_s) * self._limits.requests_per_s
        self._tokens = min(float(self._limits.burst), self._tokens + gained)
        self._filled_s = now_s


def pause_after(failures: int, rng: random.Random) -> float:
    """Return how long a source is left alone after so many failures in a row, seconds."""
    return pauses.pause_after(
        failures, rng, first_s=_FIRST_PAUSE_S, longest_s=_LONGEST_PAUSE_S, jitter_frac=_JITTER_FRAC
    )
