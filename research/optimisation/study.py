"""The loop: ask what is next, have it tried, write it down."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final

import numpy as np

from atrader.clock import Clock, SystemClock
from atrader.errors import StrategyError
from research.optimisation.pools import Outcome, Pool
from research.optimisation.searching import Asked, Search
from research.optimisation.trials import BEYOND, Trial, TrialFile, beyond_figures

Progress = Callable[[int], None]
"""Takes how many sets were tried since the last call."""

_PAUSE_S: Final = 0.1  # between two writes: each takes a processor from the sets for a millisecond
_BATCH_S: Final = 0.1  # what a batch should take: far above what handing it over costs, short to wait for at the end
_MORE: Final = 16  # the first ones take longer than those like them, as they work out what all share
_PLAIN: Final = 0.05  # a day's return: forty years of days like it are a number
_LEAST_OF_BATCH: Final = 8  # parts of a batch that the last ones still have


def run_study(
    search: Search, pool: Pool, file: TrialFile, progress: Progress | None = None, clock: Clock | None = None
) -> None:
    """Try what a search asks for, until it asks for no more.

    Blocks until then. What was tried is on disk before it is counted; when this ends early, by an error, an interrupt
    or a kill, whoever calls it again with a search that leaves out `TrialFile.numbers` goes on there. Nobody waits for
    the disk but the end, and it is written to ten times a second at most: a kill, or a power cut, takes what was tried
    and not counted yet, which is that of 0.1 s where the disk is quick.

    Raises
    ------
    StrategyError
        When a worker process dies.
    AtraderError
        What trying a set raised.
    """
    clock = clock or SystemClock()
    keeper = _Keeper(file, progress, clock)
    pending: dict[Future[list[Outcome]], tuple[list[Asked], float]] = {}
    size = 1 if search.is_adaptive else pool.first_in_batch
    ahead = pool.workers if search.is_adaptive else pool.batches * pool.workers

    def fill() -> None:
        while len(pending) < ahead and (asked := search.ask(_at_the_end(size, search.left, pool.workers))):
            pending[pool.submit([one.parameters for one in asked])] = (asked, clock.monotonic_s())

    try:
        while True:
            fill()
            if not pending:
                return
            under_way: set[Future[Any]] = {*pending, *keeper.writing}
            ended = wait(under_way, keeper.due_s, FIRST_COMPLETED).done
            keeper.go_on()
            done = [(future, *pending.pop(future)) for future in pending.keys() & ended]
            if not done:
                continue
            trials = _trials([(asked, future.result()) for future, asked, _ in done if not future.exception()])
            try:
                if not search.is_adaptive:
                    _, asked, began_s = done[-1]
                    took_s = (clock.monotonic_s() - began_s) / (ahead / pool.workers)
                    size = min(_next_size(len(asked), took_s), pool.most_in_batch)
                    fill()  # before the rest: workers have something to do meanwhile
            finally:
                keeper.take(trials)  # also where another one failed, or nothing can be handed over any more
            search.tell(trials)
            for future, *_ in done:
                future.result()  # raises what one of them failed with
    except BrokenProcessPool as error:  # told by a result, or by the next set that is handed over
        raise StrategyError(
            "a process died while it tried a set: memory ran out (see 'dmesg'; try fewer --processes), or a library"
            f" crashed. What was tried is kept; go on with: atrader optimise --resume {file.path}"
        ) from error
    finally:
        pool.close()
        keeper.close()


class _Keeper:
    """Puts what was tried on disk, in a thread of its own: a disk that is busy holds no worker up.

    While one lot is written, and for a moment after it began, the next one grows: sets that take next to no time are
    written many at once, those that take long as soon as they are tried.
    """

    def __init__(self, file: TrialFile, progress: Progress | None, clock: Clock) -> None:
        self._file, self._progress, self._clock = file, progress, clock
        self._executor = ThreadPoolExecutor(1, "keep")
        self._next: list[Trial] = []
        self._began_s = clock.monotonic_s()
        self.writing: dict[Future[None], int] = {}

    @property
    def due_s(self) -> float | None:
        """How long until something is to be written; None: nothing is, or not before what is being written."""
        if not self._next or self.writing:
            return None
        return max(self._began_s + _PAUSE_S - self._clock.monotonic_s(), 0.0)

    def take(self, trials: list[Trial]) -> None:
        """Write trials soon; does not block."""
        self._next += trials
        self.go_on()

    def go_on(self) -> None:
        """Count what was written, and write what came meanwhile when it is time; does not block."""
        self._count()
        if self.due_s == 0:
            self._write()

    def close(self) -> None:
        """Wait until all of it is on disk."""
        try:
            while self._next or self.writing:
                if not self.writing:
                    self._write()
                wait(self.writing)
                self._count()
        finally:
            self._executor.shutdown()

    def _count(self) -> None:
        for future in [one for one in self.writing if one.done()]:
            count = self.writing.pop(future)
            future.result()
            if self._progress is not None:
                self._progress(count)

    def _write(self) -> None:
        self._began_s = self._clock.monotonic_s()
        self.writing[self._executor.submit(self._file.append, self._next)] = len(self._next)
        self._next = []


def _trials(came: list[tuple[list[Asked], list[Outcome]]]) -> list[Trial]:
    return [_trial(one, outcome) for asked, outcomes in came for one, outcome in zip(asked, outcomes, strict=True)]


def _trial(asked: Asked, outcome: Outcome) -> Trial:
    plain = outcome.returns.max(initial=0.0) < _PLAIN  # of nearly all sets; the whole look takes ten times as long
    if not plain and not outcome.error and beyond_figures(outcome.returns[None])[0]:
        return Trial(asked.number, asked.parameters, outcome.trades, np.empty(0), BEYOND)
    return Trial(asked.number, asked.parameters, *outcome)


def _next_size(size: int, took_s: float) -> int:
    """Return how many sets the next batch has: those that take as long as a batch should, or not so many."""
    wanted = size * _BATCH_S / max(took_s, 1e-6)
    return max(1, min(int(wanted), _MORE * size))


def _at_the_end(size: int, left: int, workers: int) -> int:
    """Return a smaller size for the last batches: none of the workers is to wait long for the last one of another."""
    return max(1, size // _LEAST_OF_BATCH, min(size, left // (2 * workers)))
