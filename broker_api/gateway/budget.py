"""The request budget of a broker account: a token bucket that serves exits first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from enum import IntEnum

from atrader.broker_health import BudgetState
from atrader.clock import Clock
from atrader.configuration.account import RequestBudget


class Priority(IntEnum):
    """Who goes first when requests have to wait."""

    EXIT = 0
    CANCEL = 1
    QUERY = 2
    OPEN = 3
    HISTORY = 4


class Budget:
    """Hands out permission for requests: ``burst`` at once, ``per_second`` on average.

    Parameters
    ----------
    config : RequestBudget or None
        Rate and burst; None rations nothing.
    clock : Clock
        The host's: brokers count in real time.
    """

    def __init__(self, config: RequestBudget | None, clock: Clock) -> None:
        self._per_second = math.inf if config is None else float(config.per_second)
        self._burst = math.inf if config is None else float(config.burst)
        self._clock = clock
        self._tokens = self._burst
        self._filled_s = clock.monotonic_s()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def state(self) -> BudgetState | None:
        """Return how things are now; None when nothing is rationed."""
        if self._burst == math.inf:
            return None
        self._fill()
        waiting = dict.fromkeys((priority.name.lower() for priority in Priority), 0)
        for priority, _, turn in self._waiting:
            waiting[Priority(priority).name.lower()] += not turn.done()
        return BudgetState(
            per_second=self._per_second, burst=int(self._burst), tokens=round(self._tokens, 3), waiting=waiting
        )

    def take_at_once(self) -> bool:
        """Take a request if one may be made now: nobody waits and tokens are left."""
        self._fill()
        if self._waiting or self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    async def take(self, priority: Priority) -> None:
        """Wait until a request of this priority may be made; at once while nobody waits and tokens are left."""
        if self.take_at_once():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._numbers), turn))
        self._plan()
        await turn

    def _fill(self) -> None:
        if self._burst == math.inf:
            return
        now_s = self._clock.monotonic_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._per_second)
        self._filled_s = now_s

    def _plan(self) -> None:
        if self._timer is None and self._waiting:
            delay_s = max(0.0, (1.0 - self._tokens) / self._per_second)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._serve)

    def _serve(self) -> None:
        self._timer = None
        self._fill()
        while self._waiting and self._tokens >= 1.0:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():  # else whoever waited was cancelled
                self._tokens -= 1.0
                turn.set_result(None)
        self._plan()
