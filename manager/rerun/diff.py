"""A day of an instance, run again and compared with what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from atrader.clock import NS_PER_S
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from data_layer.offline import open_history, open_market
from manager.rerun.causes import Cause, causes_of, changed_bars
from manager.rerun.running import as_recorded, plan_again, run_again
from manager.rerun.sessions import load_recorded
from research.events import Progress, SeriesKey
from research.rerun import BarNews, Comparison, compare, record_of
from worker.diary import code_of

DAY_NS: Final = 86_400 * NS_PER_S
_SLACK_NS: Final = 60 * NS_PER_S  # of decisions at quotes, where the market's time is the host's


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it.

    Attributes
    ----------
    begin_ns, end_ns : int
        Of the session that was run, UTC: from the begin of the worker's life to the end of the day.
    restarts : int
        Lives of the worker that began within it.
    comparison : Comparison
        The first difference, and how much was compared.
    causes : sequence of Cause
        Why; empty without a difference.
    bars : sequence of BarNews
        Bars that are other ones than the worker had.
    """

    begin_ns: int
    end_ns: int
    restarts: int
    comparison: Comparison
    causes: Sequence[Cause]
    bars: Sequence[BarNews]


def replay_diff(
    home: Home,
    instance: str,
    day_ns: int,
    *,
    quotes: str | None = None,
    as_configured: bool = False,
    progress: Progress | None = None,
) -> Answer:
    """Run the session of a day again and compare.

    Blocks until it is done; trades nothing, writes nothing, and works with the fleet running or stopped.

    Parameters
    ----------
    day_ns : int
        Begin of the day, UTC.
    as_configured : bool
        With the parameters of today, instead of those of then.

    Raises
    ------
    ConfigError
        When there is no such instance, nothing is recorded of the day, or it cannot be run again.
    StrategyError
        When the strategy fails in the run, and its policy is to stop.
    StoreError
        When the store cannot be read.
    """
    installation = load_installation(home.root)
    config = installation.instances.get(instance)
    if config is None:
        known = ", ".join(installation.instances) or "none"
        raise ConfigError(f"no instance {instance!r} is configured in etc/strategies; there are: {known}")
    fleet = installation.fleet
    with open_history(home) as history, open_market(home, fleet) as market:
        calendar = fleet.calendar_of(config.instrument)
        recorded = load_recorded(home, history, config, (day_ns, day_ns + DAY_NS), calendar)
        if not as_configured:
            config = as_recorded(config, recorded.life)
        plan, strategy = plan_again(config, recorded, installation, history, market, quotes)
    in_lockstep = fleet.market.feed == "replay" and fleet.market.replay.speed == "max"
    again = record_of(run_again(plan, progress), instance, recorded.end_ns)
    slack_ns = 0 if in_lockstep else _SLACK_NS
    comparison = compare(recorded.own, again, same_prices=in_lockstep, slack_ns=slack_ns)
    stored = plan.series[SeriesKey(config.instrument, config.timeframe)]
    news = changed_bars(recorded, stored)
    causes: Sequence[Cause] = ()
    if comparison.difference is not None:
        causes = causes_of(
            comparison.difference, recorded, config, code_of(strategy), news,
            calendar, is_live=fleet.market.feed != "replay",
        )  # fmt: skip
    return Answer(
        begin_ns=recorded.life.market_ns,
        end_ns=recorded.end_ns,
        restarts=len(recorded.later),
        comparison=comparison,
        causes=causes,
        bars=news,
    )
