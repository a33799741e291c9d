"""Where sets are tried: threads over kernels that let go of the interpreter, processes for strategies in Python."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from atrader.runtime.parent import die_with_spawner
from research.optimisation.space import Combination


class Outcome(NamedTuple):
    """What came of one set; the last four attributes of a `Trial`."""

    trades: int
    returns: NDArray[np.float64]
    error: str = ""
    note: str = ""


Evaluate: TypeAlias = Callable[[Sequence[Combination]], list[Outcome]]
"""Tries sets and returns an outcome for each, in their order. A set that the strategy fails with is an outcome as well;
what is raised ends the run."""


class Pool:
    """Workers that try sets.

    Attributes
    ----------
    workers : int
        How many sets are tried at once.
    batches : int
        How many are handed over to each worker, so that it has the next one when it is done with the first.
    first_in_batch, most_in_batch : int
        Sets that are handed over together, at first and at most.
    """

    batches = 2
    first_in_batch = 1  # nobody knows how long they take
    most_in_batch = 1024

    def __init__(self, executor: Executor, workers: int, evaluate: Evaluate) -> None:
        self.workers = workers
        self._executor = executor
        self._evaluate = evaluate

    def submit(self, combinations: Sequence[Combination]) -> Future[list[Outcome]]:
        """Begin to try some sets; does not block."""
        return self._executor.submit(self._evaluate, combinations)

    def close(self) -> None:
        """Drop what has not begun, wait for what has, and end the workers."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def threads(evaluate: Evaluate, workers: int) -> Pool:
    """Return workers of this process: `evaluate` must be safe among threads, or `workers` 1."""
    return Pool(ThreadPoolExecutor(workers, "try"), workers, evaluate)


def processes(make: Callable[[], Evaluate], workers: int) -> Pool:
    """Return processes of their own, each of which makes what it tries sets with, once.

    Parameters
    ----------
    make : callable
        Of a module, or a `functools.partial` of one: it is pickled.
    workers : int
        How many.
    """
    context = multiprocessing.get_context("spawn")
    return Pool(ProcessPoolExecutor(workers, context, _begin, (make,)), workers, _evaluate_here)


_here: list[Evaluate] = []  # of a process of the pool


def _begin(make: Callable[[], Evaluate]) -> None:
    die_with_spawner()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which lets the sets under way end
    _here[:] = [make()]


def _evaluate_here(combinations: Sequence[Combination]) -> list[Outcome]:
    return _here[0](combinations)
