"""The turns of a replay at full speed: who may act, and who has not answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

_AGAIN_S: Final = 0.5  # so that nobody who missed a message waits for ever


class Turn(NamedTuple):
    """One phase of one step."""

    step: int
    market_ns: int
    phase: str


class ReplayGate:
    """Publishes the phases of replay steps and waits for those who take part.

    A worker only gets a turn when there is something in it: a bar of its series, events of its account, quotes when it
    listens to them, or that somebody came back. A turn without any of these would change nothing.

    Parameters
    ----------
    publish : callable
        Publishes a `Turn`.
    publish_again : callable
        Publishes a `Turn` once more, with the quotes of its step: somebody may have missed them.
    """

    def __init__(self, publish: Callable[[Turn], None], publish_again: Callable[[Turn], None]) -> None:
        self._publish = publish
        self._publish_again = publish_again
        self._ready: set[str] = set()
        self._missing: set[str] = set()
        self._turn: Turn | None = None
        self._answers = asyncio.Event()
        self._series: dict[str, tuple[str, ...]] = {}
        self._listeners: set[str] = set()
        self._handled: dict[str, list[int | None]] = {}
        self._news: set[str] = set()

    @property
    def waiting_for(self) -> tuple[str, ...]:
        """Names of those who have not answered."""
        return tuple(sorted(self._missing))

    def on_ready(self, name: str, series: Iterable[str] = (), *, listens: bool = False) -> None:
        """Note that a process takes part, now or again.

        Parameters
        ----------
        name : str
            Of the process.
        series : iterable of str
            ``INSTRUMENT|TIMEFRAME`` of the bars that a worker decides at.
        listens : bool
            Whether it wants every quote.
        """
        self._ready.add(name)
        if series:
            self._series[name] = tuple(series)
            self._listeners -= {name}
            self._listeners |= {name} if listens else set()
        if self._turn is not None:
            self._news |= {name, *self._series}
            self._publish_again(self._turn)
        else:
            self._missing.discard(name)
            self._answers.set()

    def on_ack(self, name: str, step: int, phase: str, news: Iterable[str] = ()) -> None:
        """Note an acknowledgement, and which workers have events to take in; an earlier one changes nothing."""
        turn = self._turn
        if turn is not None and (step, phase) == (turn.step, turn.phase):
            self._news.update(news)
            self._missing.discard(name)
            if not self._missing:
                self._answers.set()

    async def ready(self, participants: Collection[str]) -> None:
        """Wait until everybody said that he is ready."""
        self._missing = set(participants) - self._ready
        while self._missing:
            self._answers.clear()
            await self._answers.wait()

    def is_due(self, worker: str, latest: Mapping[str, int]) -> bool:
        """Tell whether there is something in a turn of this worker.

        Parameters
        ----------
        latest : mapping of str to int
            Open time of the last bar published, by series.
        """
        newest = [latest.get(series) for series in self._series.get(worker, ())]
        if (
            worker in self._news
            or worker in self._listeners
            or newest != self._handled.get(worker, [None] * len(newest))
        ):
            self._news.discard(worker)
            self._handled[worker] = newest
            return True
        return False

    async def turn(self, step: int, market_ns: int, phase: str, participants: Collection[str]) -> None:
        """Publish a phase and wait until everybody acknowledged it."""
        self._turn = Turn(step, market_ns, phase)
        self._missing = set(participants)
        self._answers.clear()
        self._publish(self._turn)
        if self._missing:
            await self._answers.wait()

    async def repeat(self) -> None:
        """Publish a phase again, for ever, while somebody does not answer; runs beside the feed."""
        last: Turn | None = None
        while True:
            await asyncio.sleep(_AGAIN_S)
            if self._missing and self._turn is not None and self._turn is last:
                self._publish_again(last)
            last = self._turn
