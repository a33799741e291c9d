"""Runs a backtest, here or in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from atrader.clock import SystemClock
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.errors import AtraderError
from atrader.runtime.beside import Beside
from data_layer.offline import open_market
from manager.backtests.engines import run_plan
from manager.backtests.files import Played, save
from manager.backtests.loading import load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from manager.backtests.starting import placed
from research.events.plan import Progress
from research.reports import Saved
from research.reports.saved import Told


class Outcome(NamedTuple):
    """What became of a request: what was saved of it, or why nothing was."""

    request: Request
    saved: Saved | None
    error: AtraderError | None


def run_here(request: Request, folder: Path, progress: Progress | None = None, told: Told | None = None) -> Saved:
    """Load, run and save one request.

    Blocks until it is done. The files are in `folder` when this returns; it may be repeated, and then makes others.

    Parameters
    ----------
    told : callable, optional
        Is told of the result as soon as it is known, before it is written.

    Raises
    ------
    ConfigError
        When strategy, parameters, bars or quotes are not as they must be.
    StrategyError
        When the strategy fails, and its policy is to stop.
    StoreError
        When the store cannot be read.
    """
    home, clock = Home(Path(request.root)), SystemClock()
    fleet = load_fleet(home.root)
    chosen = [(config, placed(config, request, fleet)) for config in request.instances]
    with open_market(home, fleet) as market:
        plan = load_plan(request, chosen, fleet, market)
    played = Beside(lambda: Played.of(request, plan))  # on another processor: it hardly ever holds the lock
    began_s = clock.monotonic_s()
    ran = run_plan(plan, request, progress)
    took_s = clock.monotonic_s() - began_s
    return save(folder, request, plan, ran, took_s, played.result(), told)


def run_all(
    requests: Sequence[Request],
    folder: Path,
    processes: int,
    progress: Callable[[int, int, int], None],
    done: Callable[[Outcome], None],
    tester: Path | None = None,
    told: Told | None = None,
) -> None:
    """Run requests, several at once, and tell of each when it is over.

    A single one runs here, unless it loads a C library: that could take the command along. Every other has a process of
    its own; when one dies the others go on.

    Parameters
    ----------
    processes : int
        At once, at most.
    progress : callable
        Takes the number of a request that runs here, steps done and all steps.
    done : callable
        Takes each outcome, in the order they come.
    tester : Path, optional
        A tester library, which runs the same in processes of its own.
    told : callable, optional
        Is told of a result that was worked out here, before it is written.
    """
    if len(requests) == 1 and not _loads_a_library(requests[0]):
        try:
            saved = run_here(requests[0], folder, lambda at, total: progress(0, at, total), told)
        except AtraderError as error:
            done(Outcome(requests[0], None, error))
        else:
            done(Outcome(requests[0], saved, None))
        return
    from manager.backtests.apart import run_apart  # and all that starts processes

    for start in range(0, len(requests), processes):
        run_apart(requests[start : start + processes], folder, done, tester)


def _loads_a_library(request: Request) -> bool:
    return any(config.strategy == ONE_PROCESS_EACH for config in request.instances)


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON shows it."""
    if outcome.saved is None:
        return {"name": outcome.request.name, "error": str(outcome.error)}
    return outcome.saved.summary
