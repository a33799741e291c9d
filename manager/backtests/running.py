"""Runs a backtest, here or in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from atrader.clock import SystemClock
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.loader import load_fleet
from atrader.errors import AtraderError, ConfigError, StrategyError
from atrader.instruments import KNOWN, known_instrument
from atrader.strategy import Placement, Strategy
from data_layer.offline import open_market
from manager.backtests.files import Kept, save
from manager.backtests.loading import load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from research.events import EventEngine, Progress
from worker.loading import load_strategy, make_strategy


class Outcome(NamedTuple):
    """What became of a request: what was kept of it, or why nothing was."""

    request: Request
    kept: Kept | None
    error: AtraderError | None


def run_here(request: Request, folder: Path, progress: Progress | None = None) -> Kept:
    """Load, run and save one request.

    Blocks until it is done. The files are in `folder` when this returns; it may be repeated, and then makes others.

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
    chosen = [(config, _placed(config, request)) for config in request.instances]
    with open_market(home, fleet) as market:
        plan = load_plan(request, chosen, fleet, market)
    began_s = clock.monotonic_s()
    result = EventEngine(plan).run(progress)
    return save(folder, request, plan, result, clock.monotonic_s() - began_s)


def run_all(
    requests: Sequence[Request],
    folder: Path,
    processes: int,
    progress: Callable[[int, int, int], None],
    done: Callable[[Outcome], None],
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
    """
    if len(requests) == 1 and not _loads_a_library(requests[0]):
        try:
            kept = run_here(requests[0], folder, lambda at, total: progress(0, at, total))
        except AtraderError as error:
            done(Outcome(requests[0], None, error))
        else:
            done(Outcome(requests[0], kept, None))
        return
    for start in range(0, len(requests), processes):
        _run_apart(requests[start : start + processes], folder, done)


def _run_apart(requests: Sequence[Request], folder: Path, done: Callable[[Outcome], None]) -> None:
    """Run some requests at once, each in a pool of one process: a death is that of its own request."""
    context = multiprocessing.get_context("spawn")
    pools = [ProcessPoolExecutor(1, mp_context=context) for _ in requests]
    try:
        futures: dict[Future[Kept], Request] = {
            pool.submit(_in_child, request, folder): request for pool, request in zip(pools, requests, strict=True)
        }
        for future in as_completed(futures):
            done(_outcome(futures[future], future))
    finally:
        for pool in pools:
            pool.shutdown(cancel_futures=True)


def _outcome(request: Request, future: Future[Kept]) -> Outcome:
    try:
        return Outcome(request, future.result(), None)
    except AtraderError as error:
        return Outcome(request, None, error)
    except BrokenProcessPool:
        text = f"{request.name}: its process died: the library crashed, or memory ran out (see 'dmesg')"
        return Outcome(request, None, StrategyError(text))


def _in_child(request: Request, folder: Path) -> Kept:
    os.chdir(request.root)  # relative paths of a library's configuration begin there, as in a worker
    return run_here(request, folder)


def _loads_a_library(request: Request) -> bool:
    return any(config.strategy == ONE_PROCESS_EACH for config in request.instances)


def _placed(config: InstanceConfig, request: Request) -> Strategy:
    """Return the strategy of an instance, told where it runs.

    Raises
    ------
    ConfigError
        When there is none of that name, or its parameters are wrong.
    """
    root = Path(request.root)
    strategy = make_strategy(load_strategy(config.strategy, root), config.parameters, config.name)
    fleet = load_fleet(root)
    placement = Placement(
        root=root,
        instance=config.name,
        magic=config.magic,
        instrument=known_instrument(config.instrument, fleet.instruments),
        timeframe=config.timeframe,
        currency=request.account.currency,
        session="gateway",
        is_live=False,
        instruments={**KNOWN, **fleet.instruments},
    )
    try:
        strategy.prepare(placement)
    except ConfigError as error:
        raise ConfigError("\n".join(f"{config.name}: {line}" for line in str(error).splitlines())) from error
    return strategy


def summary_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON shows it."""
    if outcome.kept is None:
        return {"name": outcome.request.name, "error": str(outcome.error)}
    return outcome.kept.summary
