"""New connections, as few a second as the broker takes."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Final

from atrader.clock import Clock

_JITTER_S: Final = 0.25  # gateways behind one address must not keep coming together


class ConnectionGate:
    """Lets connections begin at most so often in any second. For one asyncio loop.

    Parameters
    ----------
    per_second : float
        How many; below one they are further apart than a second.
    clock : Clock
        The host's.
    rng : random.Random
        Of the jitter, which is added to waiting only: the first connections go at once.
    """

    def __init__(self, per_second: float, clock: Clock, rng: random.Random) -> None:
        self._burst = max(1, int(per_second))
        self._window_s = self._burst / per_second
        self._clock = clock
        self._rng = rng
        self._begun_s: deque[float] = deque(maxlen=self._burst)

    async def enter(self) -> None:
        """Wait until a connection may begin; turns are in order of asking."""
        now_s = self._clock.monotonic_s()
        turn_s = now_s
        if len(self._begun_s) == self._burst and self._begun_s[0] + self._window_s > now_s:
            jitter_s = min(_JITTER_S, self._window_s / 4) * self._rng.random()
            turn_s = max(self._begun_s[0] + self._window_s + jitter_s, self._begun_s[-1])
        self._begun_s.append(turn_s)
        if turn_s > now_s:
            await asyncio.sleep(turn_s - now_s)
