"""The venue's clock: one that tests move by hand, or that of the host. Both run timers in the order of their time."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

from atrader.clock import host_now_ns
from tests.oanda_simulator.values import NS_PER_S, Time

Action = Callable[[], None]
_LONGEST_SLEEP_S: Final = 0.5


class Timer:
    """An action that is due at an instant or (``relative``) after a while, unless it is cancelled before."""

    __slots__ = ("action", "cancelled", "relative")

    def __init__(self, action: Action, relative: bool) -> None:
        self.action = action
        self.relative = relative
        self.cancelled = False

    def cancel(self) -> None:
        """Do not run it."""
        self.cancelled = True


class VenueClock:
    """Time of the venue.

    Parameters
    ----------
    start_ns : int, optional
        A virtual clock that begins here, UTC nanoseconds, and stands still between two calls of `advance`. None: the
        clock of the host, plus `skew_s`.
    skew_s : float, default 0.0
        How far the venue is ahead of the host, seconds (real clock only).
    """

    def __init__(self, start_ns: int | None = None, skew_s: float = 0.0) -> None:
        self._now_ns = start_ns
        self._skew_ns = int(skew_s * NS_PER_S)
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = count()
        self._wake = asyncio.Event()

    @property
    def virtual(self) -> bool:
        """Whether tests move it."""
        return self._now_ns is not None

    def now(self) -> Time:
        """Return the present instant."""
        return Time(self._now_ns if self._now_ns is not None else host_now_ns() + self._skew_ns)

    def skew(self, seconds: float) -> None:
        """Set the venue's clock ahead of where it is now, or behind when negative.

        What is due at an instant follows the clock; what is due after a while (heartbeats) comes after that while.
        """
        shift_ns = int(seconds * NS_PER_S)
        if self._now_ns is not None:
            self._now_ns += shift_ns
        self._skew_ns += shift_ns
        self._timers = [(due + shift_ns * each.relative, order, each) for due, order, each in self._timers]
        heapq.heapify(self._timers)
        self._wake.set()

    def at(self, due_ns: int, action: Action) -> Timer:
        """Run an action at an instant."""
        return self._push(due_ns, Timer(action, relative=False))

    def after(self, seconds: float, action: Action) -> Timer:
        """Run an action after some seconds."""
        return self._push(self.now() + int(seconds * NS_PER_S), Timer(action, relative=True))

    def _push(self, due_ns: int, timer: Timer) -> Timer:
        heapq.heappush(self._timers, (due_ns, next(self._order), timer))
        self._wake.set()
        return timer

    def advance(self, seconds: float) -> None:
        """Move a virtual clock; each timer runs at its own instant."""
        self.advance_to(self.now() + int(seconds * NS_PER_S))

    def advance_to(self, target_ns: int) -> None:
        """Move a virtual clock to an instant; an older one changes nothing."""
        if self._now_ns is None:
            raise RuntimeError("the clock of the host cannot be moved: give the simulator a start time")
        while self._timers and self._timers[0][0] <= target_ns:
            due_ns, _, timer = heapq.heappop(self._timers)
            self._now_ns = max(self._now_ns, due_ns)
            if not timer.cancelled:
                timer.action()
        self._now_ns = max(self._now_ns, target_ns)

    async def run(self) -> None:
        """Run the timers of the host's clock as they fall due, until cancelled."""
        while True:
            self._wake.clear()
            now = self.now()
            while self._timers and self._timers[0][0] <= now:
                timer = heapq.heappop(self._timers)[2]
                if not timer.cancelled:
                    timer.action()
            wait_s = (self._timers[0][0] - self.now()) / NS_PER_S if self._timers else _LONGEST_SLEEP_S
            try:
                await asyncio.wait_for(self._wake.wait(), min(max(wait_s, 0.0), _LONGEST_SLEEP_S))
            except TimeoutError:
                continue
