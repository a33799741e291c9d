"""A day of an instance, run again life by life and compared with what was recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from atrader.clock import NS_PER_S
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, StrategyError
from data_layer.offline import open_history
from manager.backtests.apart import apart
from manager.backtests.request import ONE_PROCESS_EACH
from manager.rerun.causes import Cause
from manager.rerun.life import Again, Answers, Job, answers_of, run_life
from manager.rerun.sessions import Recorded, load_lives, not_kept, sessions_of
from research.events.plan import Progress
from research.rerun import BarNews, Comparison

T = TypeVar("T")

DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it.

    Attributes
    ----------
    begin_ns, end_ns : int
        Of the session that was run, UTC: from the begin of the worker's life to the end of the day.
    restarts : int
        Lives of the worker that began within it.
    away : sequence of int
        Open times of bars that no life decided: the worker was away.
    comparison : Comparison
        The first difference, and how much was compared.
    causes : sequence of Cause
        Why; empty without a difference.
    bars : sequence of BarNews
        Bars that are other ones than the worker had.
    gone_ns : int or None
        When the life began that decided the first part of the day, where its begin is not kept any more: that part is
        not compared.
    """

    begin_ns: int
    end_ns: int
    restarts: int
    away: Sequence[int]
    comparison: Comparison
    causes: Sequence[Cause]
    bars: Sequence[BarNews]
    gone_ns: int | None = None


def replay_diff(
    home: Home,
    instance: str,
    day_ns: int,
    *,
    end_ns: int | None = None,
    quotes: str | None = None,
    as_configured: bool = False,
    progress: Progress | None = None,
) -> Answer:
    """Run the session of a day again and compare, up to the first difference.

    Each life of the worker is run by itself, from what was recorded when it began. Blocks until it is done; trades
    nothing, writes nothing, and works with the fleet running or stopped.

    Parameters
    ----------
    day_ns, end_ns : int
        Begin and end of the day, UTC; it has 24 hours unless an end is given.
    as_configured : bool
        With the parameters and limits of today, instead of those of then.

    Raises
    ------
    ConfigError
        When there is no such instance, nothing is recorded of the day, or it cannot be run again.
    StrategyError
        When the strategy fails in the run, and its policy is to stop; or its library ends the process.
    StoreError
        When the store cannot be read.
    """
    installation = load_installation(home.root)
    config = installation.instances.get(instance)
    if config is None:
        known = ", ".join(installation.instances) or "none"
        raise ConfigError(f"no instance {instance!r} is configured in etc/strategies; there are: {known}")
    day, fleet = (day_ns, day_ns + DAY_NS if end_ns is None else end_ns), installation.fleet
    sessions = sessions_of(home, config, day)
    with open_history(home) as history:
        lives = load_lives(history, config, sessions, day, fleet.calendar_of)
    job = Job(str(home.root), instance, quotes, as_configured=as_configured)
    done: list[Again] = []
    for number, recorded in enumerate(lives):
        before = lives[number - 1] if number else None
        done.append(_run(job, recorded, before, progress))
        if done[-1].comparison.difference is not None:
            break
    last = done[-1].comparison
    found = [one.comparison for one in done]
    return Answer(
        begin_ns=sessions[0].life.market_ns,
        end_ns=lives[len(done) - 1].end_ns,
        restarts=len(sessions) - 1,
        away=[open_ns for one in done for open_ns in one.away],
        comparison=Comparison(
            last.difference,
            sum(one.signals for one in found),
            sum(one.intents for one in found),
            sum(one.trades for one in found),
            [price for one in found for price in one.prices],
            [answer for one in found for answer in one.answers],
        ),
        causes=done[-1].causes,
        gone_ns=not_kept(home, config, sessions, day_ns),
        bars=sorted({news for one in done for news in one.bars}, key=lambda news: news.open_time_ns),
    )


def _run(job: Job, recorded: Recorded, before: Recorded | None, progress: Progress | None) -> Again:
    """Run one life, and where that wants the same over what it heard, once more over the rules of the paper account."""
    run = _run_apart if recorded.life.strategy == ONE_PROCESS_EACH else _run_here
    found, ask = run(job, recorded, before, progress)
    if not found.is_retold or found.comparison.difference is not None:
        return found
    return found._replace(comparison=found.comparison._replace(**ask()._asdict()))


def _run_here(
    job: Job, recorded: Recorded, before: Recorded | None, progress: Progress | None
) -> tuple[Again, Callable[[], Answers]]:
    return run_life(job, recorded, before, progress=progress), partial(answers_of, job, recorded, progress)


def _run_apart(
    job: Job, recorded: Recorded, before: Recorded | None, _: Progress | None
) -> tuple[Again, Callable[[], Answers]]:
    """Run one life of the C library: each run gets a process of its own, as it had: its memory is that process's."""
    found = _apart(job, run_life, recorded, before)
    if found.comparison.difference is not None:
        found = _apart(job, partial(run_life, first=found.record), recorded, before)
    return found, partial(_apart, job, answers_of, recorded)


def _apart(job: Job, work: Callable[..., T], *given: object) -> T:
    with ExitStack() as stack:
        try:
            found: T = apart(stack, in_root, job, work, *given).result()
            return found
        except BrokenProcessPool as error:
            raise StrategyError(f"{job.instance}: its process died: the library crashed") from error


def in_root(job: Job, work: Callable[..., T], *given: object) -> T:
    """Do some work in this process, which is its own."""
    os.chdir(job.root)  # relative paths of a library's configuration begin there, as in a worker
    return work(job, *given)
