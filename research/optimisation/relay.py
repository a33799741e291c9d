"""Threads that prepare sets one lot after the other, and play those that are prepared side by side."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, NamedTuple, TypeVar

from research.optimisation.pools import Outcome, Pool
from research.optimisation.space import Combination

Prepared = TypeVar("Prepared")


class TwoSteps(ABC, Generic[Prepared]):
    """Tries sets in two steps, each in any thread; an `Evaluate` that does one after the other.

    Attributes
    ----------
    most_at_once : int
        Sets of a lot.
    """

    most_at_once: int

    @abstractmethod
    def prepare(self, combinations: Sequence[Combination]) -> Prepared:
        """Work out what sets want: many short steps in Python."""

    @abstractmethod
    def play(self, prepared: Prepared) -> list[Outcome]:
        """Return an outcome for each set, in their order; lets other threads have the interpreter nearly always."""

    def __call__(self, combinations: Sequence[Combination]) -> list[Outcome]:
        """Try sets, lot after lot."""
        most = self.most_at_once
        lots = (combinations[first : first + most] for first in range(0, len(combinations), most))
        return [outcome for lot in lots for outcome in self.play(self.prepare(lot))]


class _Lot(NamedTuple, Generic[Prepared]):
    future: Future[list[Outcome]]
    combinations: Sequence[Combination]
    prepared: Prepared | None = None


class Relay(Pool, Generic[Prepared]):
    """Threads for sets that are tried in two steps.

    Threads that prepare hand the interpreter to and fro, so half as many as there are processors do that at a time,
    while others play what was prepared before, of whichever lot; more of them only where there is nothing to play.

    Parameters
    ----------
    trials : TwoSteps
        Tries sets.
    workers : int
        Threads.
    """

    batches = 3  # one is played, one prepared, and one waits for either
    first_in_batch = 8  # fewer take as long to play

    def __init__(self, trials: TwoSteps[Prepared], workers: int) -> None:
        super().__init__(ThreadPoolExecutor(workers, "try"), workers, trials)
        self.most_in_batch = trials.most_at_once
        self._trials = trials
        self._change = threading.Condition()
        self._wished: deque[_Lot[Prepared]] = deque()
        self._prepared: deque[_Lot[Prepared]] = deque()
        self._preparing = 0
        self._most_preparing = max(1, (os.cpu_count() or 1) // 2)

    def submit(self, combinations: Sequence[Combination]) -> Future[list[Outcome]]:
        """Begin to try some sets; does not block."""
        lot = _Lot[Prepared](Future(), combinations)
        with self._change:
            self._wished.append(lot)
            self._change.notify()
        for _ in ("prepare", "play"):
            self._executor.submit(self._step)
        return lot.future

    def close(self) -> None:
        """Drop what has not begun, wait for what has, and end the threads."""
        self._drop()
        self._executor.shutdown()

    def _drop(self) -> None:
        with self._change:
            while self._wished:
                self._wished.pop().future.cancel()
            self._change.notify_all()

    def _step(self) -> None:
        """Do one step of one lot: as many are handed over as lots need, and which is done first is seen here."""
        with self._change:
            while not (self._prepared or self._wished) and self._preparing:
                self._change.wait()
            is_first = self._is_to_prepare
            if is_first:
                lot = self._wished.popleft()
                lot.future.set_running_or_notify_cancel()
                self._preparing += 1
            elif self._prepared:
                lot = self._prepared.popleft()
            else:  # it was for a lot that was dropped, or failed as it was prepared
                return
        (self._prepare if is_first else self._play)(lot)

    @property
    def _is_to_prepare(self) -> bool:
        """Whether a lot is prepared next, or one that is prepared is played."""
        if not self._wished or not self._prepared:
            return bool(self._wished)
        return self._preparing < self._most_preparing and len(self._prepared) < self.workers

    def _prepare(self, lot: _Lot[Prepared]) -> None:
        prepared: Prepared | None = None
        try:
            prepared = self._trials.prepare(lot.combinations)
        except BaseException as error:  # noqa: BLE001 - boundary: whoever asks for the outcomes raises it
            lot.future.set_exception(error)
        with self._change:
            self._preparing -= 1
            if prepared is not None:
                self._prepared.append(lot._replace(prepared=prepared))
            self._change.notify_all()

    def _play(self, lot: _Lot[Prepared]) -> None:
        assert lot.prepared is not None
        try:
            outcomes = self._trials.play(lot.prepared)
        except BaseException as error:  # noqa: BLE001 - boundary: as above
            lot.future.set_exception(error)
        else:
            lot.future.set_result(outcomes)
