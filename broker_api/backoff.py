"""Pauses between attempts to reach a broker."""

from __future__ import annotations

import random
from typing import Final

from atrader.pauses import pause_after

_FIRST_S: Final = 1.0
_JITTER_FRAC: Final = 0.3  # gateways and streams of one broker must not come back together


class Backoff:
    """A second after the first failures in a row, then doubling up to a limit, with jitter.

    Parameters
    ----------
    rng : random.Random
        Of the jitter.
    longest_s : float
        The limit, seconds.
    prompt : int
        So many pauses stay short: most interruptions last seconds.
    """

    def __init__(self, rng: random.Random, *, longest_s: float, prompt: int = 1) -> None:
        self._rng = rng
        self._longest_s = longest_s
        self._prompt = prompt
        self._failures = 0

    def pause_s(self) -> float:
        """Return how long to wait after one more failure."""
        self._failures += 1
        counted = max(1, self._failures - self._prompt + 1)
        return pause_after(counted, self._rng, first_s=_FIRST_S, longest_s=self._longest_s, jitter_frac=_JITTER_FRAC)

    def succeeded(self) -> None:
        """Begin again: the next failure is the first one."""
        self._failures = 0
