"""Runs a search, from the begin or from where an earlier one was killed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, StoreError
from atrader.runtime.file_lock import FileLock
from atrader.strategy import Strategy
from manager.backtests.gaps import gaps_of
from manager.backtests.request import ONE_PROCESS_EACH, Engine, Overrides, Request, parse_parameters, requests_of
from manager.places import TRIALS
from manager.searches.plans import Plans, trials_of, trials_on, why_not_first
from manager.searches.study import changes_of, decides_from, end_of, fingerprints_of, settings_of, study_of
from manager.searches.wish import SearchWish
from research.columns import spread
from research.events.market import Market
from research.events.plan import Plan
from research.optimisation.events import Times, days_of
from research.optimisation.optuna_search import OptunaSearch
from research.optimisation.pools import Pool, processes, threads
from research.optimisation.reading import read_space
from research.optimisation.relay import Relay, TwoSteps
from research.optimisation.searching import ListedSearch, Search, every_combination, random_combinations
from research.optimisation.space import Combination, SearchSpace
from research.optimisation.study import Progress, run_study
from research.optimisation.trials import TrialFile
from research.optimisation.vectors import why_not_once
from research.optimisation.windows import Window
from research.reports.cautions import no_spread
from research.reports.drafts import new_folder
from research.vector import Rules, built
from research.vectorised import why_not_plan, why_not_same, without_limits
from worker.loading import load_strategy
from worker.strategies import BUILT_IN

_MOST_CELLS: Final = 250_000_000  # returns of days of all sets together: 2 GB when they are judged
_CHECKED: Final = 4  # sets with which a strategy that is not built in is looked at for looks ahead
_MOST_WARMED: Final = 100  # sets whose warm-up is looked at
_MOST_COUNTED: Final = 100_000  # sets of a space, to see whether a search that learns finds as many as it may try


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A search that can begin.

    Attributes
    ----------
    study : dict
        What the file says of it.
    listed : sequence of Combination
        All sets, unless the search learns: then one that is allowed.
    days_ns : ndarray of int64, shape (days,)
        Ends of the trading days.
    not_vector : str or None
        Why the event engine was chosen, where the wish left that open.
    """

    wish: SearchWish
    request: Request
    space: SearchSpace
    plans: Plans
    study: dict[str, Any]
    listed: Sequence[Combination]
    days_ns: Times
    windows: Sequence[Window]
    not_vector: str | None

    @property
    def total(self) -> int:
        """How many sets will be tried, at most."""
        return int(self.study["total"])


def prepare(home: Home, wish: SearchWish) -> Prepared:
    """Load what a search needs, and refuse what cannot be searched.

    Raises
    ------
    ConfigError
        When options, parameters, strategy or bars are not as they must be.
    StoreError
        When the store cannot be read.
    """
    wish.check()
    limited = _request(home, wish)
    (own,) = limited.instances
    request = _freed(limited) if wish.unlimited else limited
    (config,) = request.instances
    space = read_space(
        load_strategy(config.strategy, Path(request.root)).Parameters, config.parameters, wish.vary, wish.constraints
    )
    listed = _listed(space, wish)
    left_out = space.size - len(listed) if wish.method == "grid" and space.size is not None else None
    plans = Plans(request)
    plan = plans.of(listed[0])
    engine, not_vector = _engine(wish, plan, _some_of(plans, listed, _CHECKED))
    market = Market(plan.tapes)
    if wish.end_ns is None:  # bars that come later are none of this search, also when it goes on
        wish = replace(wish, end_ns=end_of(plan, market))
        request = replace(request, end_ns=wish.end_ns)
        plans.end(request)
    days_ns = days_of(market.ends, plans.calendar)
    if engine == "vector":
        engine, not_vector = _chosen(wish, config.name, why_not_first(plans, listed[0], days_ns))
    windows = wish.judging.rule().windows(days_ns)
    total = _total(space, wish, len(listed))
    if total * len(days_ns) > _MOST_CELLS:
        raise ConfigError(
            f"{total:,} sets over {len(days_ns):,} days do not fit into memory when they are"
            f" judged ({_MOST_CELLS // len(days_ns):,} sets at most): give fewer values or a shorter period, or use"
            " --method random and --trials"
        )
    return Prepared(
        wish=wish,
        request=request,
        space=space,
        plans=plans,
        study=study_of(
            wish,
            request,
            space,
            plans.calendar.name,
            {
                "left_out": left_out,
                "gaps": gaps_of(request, plan),
                "no_spread": no_spread(plan.tapes, [config.instrument]),
                "decides_from": decides_from(plan, market, _some_of(plans, listed, _MOST_WARMED)),
                **settings_of(own),
                **fingerprints_of(plan, total, engine),
            },
        ),
        listed=listed,
        days_ns=days_ns,
        windows=windows,
        not_vector=not_vector,
    )


def begin(prepared: Prepared, out: Path) -> Path:
    """Make the folder of a search and its file of trials, still empty; return the file. On disk when this returns.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    try:
        with new_folder(out, f"{prepared.request.name}-search") as draft:
            TrialFile(draft.folder / TRIALS, prepared.study, prepared.days_ns).close()
    except OSError as error:
        raise StoreError(f"{out}: the search cannot be kept: {error}") from error
    return draft.place / TRIALS


def prepare_again(home: Home, path: Path) -> Prepared:
    """Load what a search that was begun needs to go on.

    Raises
    ------
    ConfigError
        When it cannot go on: strategy, configuration or bars are not those it began with. Otherwise as `prepare`.
    """
    with TrialFile(path) as file:
        kept = file.study
    prepared = prepare(home, SearchWish.from_json(kept["wish"], path))
    changed = changes_of(kept, prepared.study, prepared.plans.of(prepared.listed[0]))
    if changed:
        raise ConfigError(
            f"{path} cannot go on, as sets that were tried before and after could not be compared: begin a new search."
            f" Changed since it began: {', '.join(changed)}"
        )
    return prepared


def search(prepared: Prepared, path: Path, workers: int | None, progress: Progress | None = None) -> None:
    """Try every set that the file does not have.

    Blocks until all are tried. What was tried is on disk before it is counted: killed at any moment, it may be called
    again and goes on there.

    Parameters
    ----------
    workers : int or None
        Sets tried at once; None: one for each processor.
    progress : callable, optional
        Takes how many sets were tried since the last call; at first those of an earlier run.

    Raises
    ------
    LockHeld
        When another process works on the file.
    StrategyError, ConfigError, StoreError
        As `run_study`.
    """
    lock = FileLock(path.with_name(".lock"), "atrader optimise", path)
    try:
        with TrialFile(path) as file:
            searched = _search(prepared, file)
            if progress is not None:
                progress(len(file.numbers()))
            run_study(searched, _pool(prepared, workers or os.cpu_count() or 1), file, progress)
    finally:
        lock.release()


def _request(home: Home, wish: SearchWish) -> Request:
    overrides = Overrides(
        instrument=wish.instrument,
        timeframe=wish.timeframe,
        account=wish.account,
        balance=wish.balance,
        parameters=parse_parameters(wish.parameters),
    )
    period = (wish.start_ns, wish.end_ns)
    installation = load_installation(home.root)
    (request,) = requests_of(
        [wish.what],
        installation,
        overrides,
        period=period,
        quotes=wish.quotes,
        apart=False,
        max_gap_s=wish.max_gap_s,
        engine=wish.engine,
    )
    if request.rules != Rules():
        raise ConfigError(
            f"{wish.what}: its table [backtest] fills other than the paper account, and a search knows that account"
            " only: leave the table out"
        )
    if request.instances[0].strategy == ONE_PROCESS_EACH:
        raise ConfigError(
            f"{wish.what}: the library of {ONE_PROCESS_EACH!r} reads its parameters from a file, and has an optimiser"
            " of its own: it cannot be searched here"
        )
    return request


def _freed(request: Request) -> Request:
    """Return the same without limits, chance and selection."""
    account, config = without_limits(request.account, request.instances[0])
    return replace(request, account=account, instances=(config,))


def _engine(wish: SearchWish, plan: Plan, some: Sequence[Strategy]) -> tuple[Engine, str | None]:
    """Return the engine, and why it is the event engine where the wish leaves that open.

    Built-in strategies do not look ahead; others are looked at with some of the sets.
    """
    ((config, _),) = plan.instances
    reason = why_not_plan(plan)
    if reason is None and wish.engine != "events" and config.strategy not in BUILT_IN:
        reason = why_not_once(plan, some)
    if reason is None and wish.engine is None:
        reason = why_not_same(plan)
    return _chosen(wish, config.name, reason)


def _chosen(wish: SearchWish, name: str, reason: str | None) -> tuple[Engine, str | None]:
    if wish.engine == "vector" and reason is not None:
        raise ConfigError(f"--engine vector cannot run {name}: {reason}; leave it to --engine event")
    if wish.engine is not None:
        return wish.engine, None
    return ("vector" if reason is None else "events"), reason


def _some_of(plans: Plans, listed: Sequence[Combination], most: int) -> list[Strategy]:
    """Return strategies of sets from all over them, the first and the last one too."""
    return [plans.strategy_of(listed[at]) for at in spread(np.arange(len(listed)), most)]


def _listed(space: SearchSpace, wish: SearchWish) -> list[Combination]:
    if wish.method == "grid":
        return every_combination(space)
    count = wish.trials if wish.method == "random" and wish.trials else 1
    return random_combinations(space, count, wish.seed)


def _total(space: SearchSpace, wish: SearchWish, listed: int) -> int:
    """Return how many sets will be tried, which are fewer than wished for where there are no more."""
    if wish.method not in ("tpe", "nsga2") or not wish.trials:
        return listed
    if space.size is None or space.size > _MOST_COUNTED:
        return wish.trials
    return min(wish.trials, sum(1 for _ in space.grid()))


def _search(prepared: Prepared, file: TrialFile) -> Search:
    wish = prepared.wish
    if wish.method in ("grid", "random"):
        return ListedSearch(prepared.listed, file.numbers())
    return OptunaSearch(
        prepared.space,
        "tpe" if wish.method == "tpe" else "nsga2",
        wish.aims,
        prepared.windows[0].train,
        prepared.study["days_per_year"],
        prepared.total,
        wish.seed,
        file.trials(),
    )


def _pool(prepared: Prepared, workers: int) -> Pool:
    engine, first, days_ns = prepared.study["engine"], prepared.listed[0], prepared.days_ns
    workers = min(workers, prepared.total)
    if workers == 1 or (engine == "vector" and built.is_there):
        trials = trials_on(prepared.plans, engine, first, days_ns, workers)
        return Relay(trials, workers) if isinstance(trials, TwoSteps) else threads(trials, workers)
    return processes(partial(trials_of, engine, prepared.request, first, days_ns), workers)
