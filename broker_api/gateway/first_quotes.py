"""Waiting for an instrument to be quoted: after a start there is no market before that."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any


class FirstQuotes:
    """Who waits for the first quote of which instrument. For one loop."""

    def __init__(self) -> None:
        self._quoted: dict[str, asyncio.Event] = {}
        self._waiting: dict[asyncio.Task[Any], str] = {}
        self._begins_to_wait = asyncio.Event()

    def came(self, symbol: str) -> None:
        """Let those go on who wait for an instrument."""
        event = self._quoted.pop(symbol, None)
        if event is not None:
            event.set()

    async def wait(self, symbol: str) -> None:
        """Wait until `came` is called for an instrument."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting[task] = symbol
        self._begins_to_wait.set()
        try:
            await self._quoted.setdefault(symbol, asyncio.Event()).wait()
        finally:
            del self._waiting[task]

    async def settle(self, tasks: Collection[asyncio.Task[Any]], timeout_s: float) -> None:
        """Wait until each of some tasks is over or waits for a quote that has not come, for a time."""
        try:
            async with asyncio.timeout(timeout_s):
                while moving := {task for task in tasks if not task.done() and not self._waits(task)}:
                    self._begins_to_wait.clear()
                    beginning = asyncio.ensure_future(self._begins_to_wait.wait())
                    try:
                        await asyncio.wait({*moving, beginning}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        beginning.cancel()
        except TimeoutError:
            pass

    def _waits(self, task: asyncio.Task[Any]) -> bool:
        return self._waiting.get(task) in self._quoted
