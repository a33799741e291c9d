"""The turns of a replay at full speed: who may act, and who has not answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final

_AGAIN_S: Final = 0.5  # so that nobody who missed a message waits for ever


class ReplayGate:
    """Publishes the phases of replay steps and waits for those who take part.

    Parameters
    ----------
    publish : callable
        Publishes one REPLAY_STEP(step, market_ns, phase).
    """

    def __init__(self, publish: Callable[[int, int, str], None]) -> None:
        self._publish = publish
        self._ready: set[str] = set()
        self._missing: set[str] = set()
        self._turn: tuple[int, str] | None = None
        self._news = asyncio.Event()

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Names of those who have not answered."""
        return tuple(sorted(self._missing))

    def on_ready(self, name: str) -> None:
        """Note that a process takes part; one that came back has thereby acknowledged the phase it died in."""
        self._ready.add(name)
        self._answered(name)

    def on_ack(self, name: str, step: int, phase: str) -> None:
        """Note an acknowledgement; one of an earlier step or phase changes nothing."""
        if (step, phase) == self._turn:
            self._answered(name)

    async def ready(self, participants: Collection[str]) -> None:
        """Wait until everybody said that he is ready."""
        self._missing = set(participants) - self._ready
        while self._missing:
            self._news.clear()
            await self._news.wait()

    async def turn(self, step: int, market_ns: int, phase: str, participants: Collection[str]) -> None:
        """Publish a phase and wait until everybody acknowledged it."""
        self._turn = (step, phase)
        self._missing = set(participants)
        while True:
            self._publish(step, market_ns, phase)
            if not self._missing:
                break
            try:
                async with asyncio.timeout(_AGAIN_S):
                    await self._all_answered()
                break
            except TimeoutError:
                continue
        self._turn = None

    async def _all_answered(self) -> None:
        while self._missing:
            self._news.clear()
            await self._news.wait()

    def _answered(self, name: str) -> None:
        self._missing.discard(name)
        self._news.set()
