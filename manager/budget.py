"""How often a process may die before it is held back, and how long it waits before the next try."""

from __future__ import annotations

import random
from collections import deque

from atrader.configuration.instance import RestartBudget


class Budget:
    """The restart budget of one process. Pure: the time comes from the caller.

    Parameters
    ----------
    config : RestartBudget
        Count, window and delays.
    rng : random.Random
        Source of the jitter, so that fifty processes that died together do not come back together.
    """

    def __init__(self, config: RestartBudget, rng: random.Random) -> None:
        self.config = config
        self._rng = rng
        self._exits_s: deque[float] = deque()

    def record_exit(self, now_s: float) -> None:
        """Count an exit, whatever its cause.

        Parameters
        ----------
        now_s : float
            Monotonic seconds.
        """
        self._exits_s.append(now_s)
        self._forget(now_s)

    def exits(self, now_s: float) -> int:
        """Return how many exits lie within the window."""
        self._forget(now_s)
        return len(self._exits_s)

    def spent(self, now_s: float) -> bool:
        """Tell whether there were more exits than the budget allows."""
        return self.exits(now_s) > self.config.count

    def delay_s(self, now_s: float) -> float:
        """Return how long to wait before the next start, after the exit was recorded: grows with each in the window."""
        repeats = self.exits(now_s) - 2
        if repeats < 0:
            return self.config.first_backoff
        grown = self.config.min_backoff * self.config.backoff_factor ** min(repeats, 64)
        return self._jittered(min(max(grown, self.config.first_backoff), self._longest))

    def delayed_s(self, now_s: float) -> float:
        """Return the delay when a start at once makes no sense."""
        return max(self.delay_s(now_s), self._jittered(self.config.min_backoff))

    def slow_s(self) -> float:
        """Return the delay for what takes its time (maintenance, locks)."""
        return self._jittered(self._longest)

    def probation_s(self) -> float:
        """Return the delay between two tries after the budget was spent."""
        return self._jittered(self.config.probation)

    def reset(self) -> None:
        """Forget all exits: a person started the process, or its configuration changed."""
        self._exits_s.clear()

    @property
    def _longest(self) -> float:
        return self.config.max_backoff

    def _jittered(self, delay_s: float) -> float:
        return delay_s * (1 + self.config.jitter_frac * self._rng.uniform(-1, 1))

    def _forget(self, now_s: float) -> None:
        while self._exits_s and now_s - self._exits_s[0] > self.config.window:
            self._exits_s.popleft()
