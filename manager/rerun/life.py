"""One life of a worker, run again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple

from atrader.clock import NS_PER_S
from atrader.configuration.account import AccountConfig
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.loader import load_installation
from atrader.market import Bars
from data_layer.offline import open_history, open_market
from manager.backtests.request import ONE_PROCESS_EACH
from manager.rerun.causes import Cause, causes_of, changed_bars
from manager.rerun.chance import difference_of_runs, signs_of_chance
from manager.rerun.running import plan_again, plan_retold, run_again
from manager.rerun.sessions import Recorded
from manager.rerun.setup import Setup, account_as_recorded, as_recorded
from research.events.plan import Plan, Progress, SeriesKey
from research.rerun import (
    BarNews,
    Comparison,
    Difference,
    Record,
    Story,
    compare,
    compare_answers,
    compare_decisions,
    record_of,
)
from worker.diary import code_of

_SLACK_NS: Final = 60 * NS_PER_S  # of decisions at quotes, where the market's time is the host's


class Job(NamedTuple):
    """What is asked for.

    Attributes
    ----------
    root : str
        The installation.
    quotes : str or None
        What is played; None: as it was fed then.
    as_configured : bool
        With parameters and limits of today.
    """

    root: str
    instance: str
    quotes: str | None
    as_configured: bool


class _Case(NamedTuple):
    """A life with everything it is run with; `today`: instance and account as they are configured now."""

    home: Home
    setup: Setup
    today: tuple[InstanceConfig, AccountConfig]


class _Run(NamedTuple):
    plan: Plan
    record: Record
    code: str
    signs: list[str]


class Again(NamedTuple):
    """What came of one life.

    Attributes
    ----------
    record : Record
        What the run did.
    away : list of int
        Open times of bars that neither this life nor the one before decided.
    is_retold : bool
        Whether it was run over what its worker heard.
    """

    comparison: Comparison
    record: Record
    causes: Sequence[Cause]
    bars: Sequence[BarNews]
    away: list[int]
    is_retold: bool


class Answers(NamedTuple):
    """What a broker answered otherwise than the rules of the paper account; see `compare_answers`."""

    prices: list[Decimal]
    answers: list[Difference]


def run_life(
    job: Job,
    recorded: Recorded,
    before: Recorded | None,
    *,
    first: Record | None = None,
    progress: Progress | None = None,
) -> Again:
    """Run a life again; blocks until it is done.

    Parameters
    ----------
    before : Recorded, optional
        The life before it.
    first : Record, optional
        What a run before gave, to tell chance by: given where each run takes a process of its own.
    """
    case = _case_of(job, recorded)
    fleet, life = case.setup.installation.fleet, recorded.life
    story = None if fleet.market.in_lockstep else recorded.story
    plan, again, code, signs = _run(case, progress, story)
    if story is None:
        in_lockstep = fleet.market.in_lockstep
        comparison = compare(recorded.own, again, same_prices=in_lockstep, slack_ns=0 if in_lockstep else _SLACK_NS)
    else:
        comparison = compare_decisions(recorded.own, again, slack_ns=_SLACK_NS)
    stored = plan.series[SeriesKey(case.setup.config.instrument, case.setup.config.timeframe)]
    news = changed_bars(recorded, stored)
    causes: Sequence[Cause] = ()
    if comparison.difference is not None:
        if first is None and life.strategy != ONE_PROCESS_EACH:
            first = _run(case, None, story).record
        parted = [] if first is None else difference_of_runs(again, first)
        causes = causes_of(
            comparison.difference, recorded, case.setup.config, case.today, code, news,
            fleet.calendar_of(life.instrument), is_live=fleet.market.feed != "replay", chance=[*parted, *signs],
        )  # fmt: skip
    return Again(comparison, again, causes, news, _away(recorded, before, stored), story is not None)


def answers_of(job: Job, recorded: Recorded, progress: Progress | None = None) -> Answers:
    """Run a life over the rules of the paper account, to see what a broker answered otherwise; blocks until it is done.

    For a life that wanted the same when it was run over what it heard.
    """
    case = _case_of(job, recorded)
    return Answers(*compare_answers(recorded.own, _run(case, progress, None).record, slack_ns=_SLACK_NS))


def _case_of(job: Job, recorded: Recorded) -> _Case:
    home = Home(Path(job.root))
    installation = load_installation(home.root)
    life, today = recorded.life, installation.instances[job.instance]
    config = today if job.as_configured else as_recorded(today, life)
    account_today = installation.accounts[config.account]
    account = account_today if job.as_configured else account_as_recorded(account_today, life)
    setup = Setup(recorded=recorded, config=config, account=account, installation=installation, quotes=job.quotes)
    return _Case(home, setup, (today, account_today))


def _run(case: _Case, show: Progress | None, story: Story | None) -> _Run:
    """Run a life over a story, or without one over the rules of the paper account."""
    home, setup = case.home, case.setup
    with open_history(home) as history, open_market(home, setup.installation.fleet) as market:
        if story is None:
            plan, strategy = plan_again(setup, history, market)
        else:
            plan, strategy, story = plan_retold(setup, market, story)
    signs, code = signs_of_chance(strategy), code_of(strategy)
    carried = set() if plan.begin is None else {order.client_id for order in plan.begin.orders}
    result, recorded = run_again(plan, show, story), setup.recorded
    record = record_of(result, setup.config.name, recorded.end_ns, carried=carried, left=recorded.left)
    return _Run(plan, record, code, signs)


def _away(recorded: Recorded, before: Recorded | None, stored: Bars) -> list[int]:
    handled = [bar.open_time_ns for bar in recorded.seen if bar.host_ns]
    if before is None or not handled:
        return []
    opens = stored.open_time_ns
    return [int(one) for one in opens[(opens > before.last_bar_ns) & (opens < min(handled))]]
