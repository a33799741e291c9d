"""One life of a worker, run again and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from atrader.clock import NS_PER_S
from atrader.configuration.home import Home
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
    """

    comparison: Comparison
    record: Record
    causes: Sequence[Cause]
    bars: Sequence[BarNews]
    away: list[int]


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
    home = Home(Path(job.root))
    installation = load_installation(home.root)
    fleet, life, today = installation.fleet, recorded.life, installation.instances[job.instance]
    config = today if job.as_configured else as_recorded(today, life)
    account_today = installation.accounts[config.account]
    account = account_today if job.as_configured else account_as_recorded(account_today, life)
    setup = Setup(recorded=recorded, config=config, account=account, installation=installation, quotes=job.quotes)

    in_lockstep = fleet.market.in_lockstep
    slack_ns = 0 if in_lockstep else _SLACK_NS

    def run(show: Progress | None, story: Story | None) -> _Run:
        with open_history(home) as history, open_market(home, fleet) as market:
            if story is None:
                plan, strategy = plan_again(setup, history, market)
            else:
                plan, strategy, story = plan_retold(setup, market, story)
        signs, code = signs_of_chance(strategy), code_of(strategy)
        carried = set() if plan.begin is None else {order.client_id for order in plan.begin.orders}
        result = run_again(plan, show, story)
        record = record_of(result, config.name, recorded.end_ns, carried=carried, left=recorded.left)
        return _Run(plan, record, code, signs)

    story = None if in_lockstep else recorded.story
    plan, again, code, signs = run(progress, story)
    if story is None:
        comparison = compare(recorded.own, again, same_prices=in_lockstep, slack_ns=slack_ns)
    else:
        comparison = compare_decisions(recorded.own, again, slack_ns=slack_ns)
        if comparison.difference is None and life.strategy != ONE_PROCESS_EACH:
            prices, answers = compare_answers(recorded.own, run(progress, None).record, slack_ns=slack_ns)
            comparison = comparison._replace(prices=prices, answers=answers)
    stored = plan.series[SeriesKey(config.instrument, config.timeframe)]
    news = changed_bars(recorded, stored)
    causes: Sequence[Cause] = ()
    if comparison.difference is not None:
        if first is None and life.strategy != ONE_PROCESS_EACH:
            first = run(None, story).record
        parted = [] if first is None else difference_of_runs(again, first)
        causes = causes_of(
            comparison.difference, recorded, config, (today, account_today), code, news,
            fleet.calendar_of(config.instrument), is_live=fleet.market.feed != "replay", chance=[*parted, *signs],
        )  # fmt: skip
    return Again(comparison, again, causes, news, _away(recorded, before, stored))


def _away(recorded: Recorded, before: Recorded | None, stored: Bars) -> list[int]:
    handled = [bar.open_time_ns for bar in recorded.seen if bar.host_ns]
    if before is None or not handled:
        return []
    opens = stored.open_time_ns
    return [int(one) for one in opens[(opens > before.last_bar_ns) & (opens < min(handled))]]
