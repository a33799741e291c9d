"""Runs backtests in processes of their own: a death is that of its own request."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from atrader.errors import AtraderError, StrategyError
from atrader.runtime.parent import die_with_spawner
from manager.backtests.files import add_comparison
from manager.backtests.request import Request
from manager.backtests.running import Outcome, run_here
from research.reports import Saved

if TYPE_CHECKING:
    from framework_bridge.tester_run import TesterAnswer

T = TypeVar("T")


def run_apart(requests: Sequence[Request], folder: Path, done: Callable[[Outcome], None], tester: Path | None) -> None:
    """Run some requests at once, each in a process of its own: a death is that of its own request."""
    with ExitStack() as stack:
        futures = {apart(stack, run_in_root, request, folder): request for request in requests}
        for future in as_completed(futures):
            outcome = _outcome(futures[future], future)
            if tester is not None and outcome.saved is not None:
                from manager.backtests.comparing import ask_tester  # and all that knows the library

                outcome = _compared(outcome, outcome.saved, apart(stack, ask_tester, outcome.request, tester))
            done(outcome)


def apart(stack: ExitStack, work: Callable[..., T], *given: object) -> Future[T]:
    """Begin some work in a process of its own, which ends with the stack."""
    context = multiprocessing.get_context("spawn")
    pool = stack.enter_context(ProcessPoolExecutor(1, context, die_with_spawner))
    return pool.submit(work, *given)


def _outcome(request: Request, future: Future[Saved]) -> Outcome:
    try:
        return Outcome(request, future.result(), None)
    except AtraderError as error:
        return Outcome(request, None, error)
    except BrokenProcessPool:
        return Outcome(request, None, _death_of(request.name, "the library"))


def _compared(outcome: Outcome, saved: Saved, future: Future[TesterAnswer]) -> Outcome:
    """Add what the tester says to a run, in its files too."""
    try:
        answer = future.result()
    except AtraderError as error:
        return outcome._replace(error=error)
    except BrokenProcessPool:
        return outcome._replace(error=_death_of(outcome.request.name, "the tester library"))
    from manager.backtests.comparing import compare

    found = compare(outcome.request, saved.trades(), saved.summary["final_balance"], answer)
    return outcome._replace(saved=add_comparison(saved, found))


def _death_of(name: str, whose: str) -> StrategyError:
    return StrategyError(f"{name}: its process died: {whose} crashed, or memory ran out (see 'dmesg')")


def run_in_root(request: Request, folder: Path) -> Saved:
    """Run one request in this process, which is its own."""
    os.chdir(request.root)  # relative paths of a library's configuration begin there, as in a worker
    return run_here(request, folder)
