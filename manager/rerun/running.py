"""A recorded session through the event engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from atrader.clock import parse_time
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.orders.model import Intent
from atrader.runtime.session_file import Life
from atrader.strategy import Strategy
from atrader.timeframes import Timeframe
from data_layer.offline import HistorySource, Market
from manager.backtests.loading import TICKS, load_plan
from manager.backtests.request import ONE_PROCESS_EACH, Request
from manager.backtests.starting import maker_of
from manager.rerun.carried import begin_of
from manager.rerun.sessions import Recorded
from research.events import EventEngine, Plan, Progress, Result
from research.rerun import Puppet
from research.rerun.record import number_of

Row = dict[str, Any]

_FIELDS: Final = (
    "magic", "instance", "instrument", "action", "time_ns", "decision", "side", "order_type", "units", "risk_frac",
    "price", "stop_loss", "take_profit", "trailing_distance", "expires_ns", "trade_id", "order_id",
)  # fmt: skip
_ANY_GAP_S: Final = 1e9  # the worker went through it, too
_REFUSED: Final = frozenset({"DENIED", "REJECTED", "LOST"})


def as_recorded(config: InstanceConfig, life: Life) -> InstanceConfig:
    """Return an instance as it was when a life began; its account, limits and magic number are those of today."""
    changes = {
        "strategy": life.strategy,
        "instrument": life.instrument,
        "timeframe": life.timeframe,
        "parameters": life.parameters,
        "warmup_bars": life.window,
    }
    return config.model_copy(update=changes)


def plan_again(
    config: InstanceConfig,
    recorded: Recorded,
    installation: Installation,
    history: HistorySource,
    market: Market,
    quotes: str | None,
) -> tuple[Plan, Strategy]:
    """Load everything for running a session again; return it with the strategy.

    The other instances of the account want what they wanted then, as far as it was not refused.

    Parameters
    ----------
    quotes : str or None
        What is played; None: what the replay played, else stored quotes, else the finest bars.

    Raises
    ------
    ConfigError
        When the strategy cannot be made, or bars are missing altogether.
    """
    if config.strategy == ONE_PROCESS_EACH:
        raise ConfigError(
            f"{config.name}: the C library keeps what it remembers to itself, and in a file that goes on with each bar:"
            " how it stood when that session began is not recorded, so the day cannot be run again. What it did then:"
            f" 'atrader history signals --instance {config.name}'; what it does over the same bars from a fresh start:"
            f" 'atrader backtest {config.name} --start DAY'"
        )
    fleet, account = installation.fleet, installation.accounts[config.account]
    others = _puppets(config, recorded, installation)
    request = Request(
        root=installation.home,
        account=account,
        instances=(config, *(other for other, _ in others)),
        start_ns=_start_ns(config, recorded, installation),
        end_ns=recorded.last_ns,
        quotes=quotes or _quotes(config, recorded, installation, market),
        max_gap_s=_ANY_GAP_S,
        signals="window",  # as the worker computed them
    )
    strategy = maker_of(config, request, fleet)()
    plan = load_plan(request, [(config, strategy), *others], fleet, market)
    begin = begin_of(recorded, config.name, account, history)
    return replace(plan, begin=begin), strategy


def run_again(plan: Plan, progress: Progress | None = None) -> Result:
    """Run a session again; blocks until it is done.

    Raises
    ------
    StrategyError
        When the strategy fails and its policy is to stop.
    """
    return EventEngine(plan).run(progress)


def _start_ns(config: InstanceConfig, recorded: Recorded, installation: Installation) -> int | None:
    """Return when the first bar begins that is played: the one after the newest that was there.

    A worker that finds a newer bar than its checkpoint's handles that one, and hands over what was left at its price.
    """
    life = recorded.life
    calendar, frame = installation.fleet.calendar_of(life.instrument), Timeframe.parse(life.timeframe)
    known_ns = life.newest_ns
    if life.bar_ns > 0 and (life.bar_ns < life.newest_ns or recorded.pending):
        known_ns = calendar.bar_open(life.newest_ns - 1, frame)
    if known_ns:
        return calendar.next_bar_open(known_ns, frame)
    feed = installation.fleet.market
    if life.market_ns or feed.feed != "replay" or feed.replay.start is None:
        return life.market_ns or None
    return parse_time(feed.replay.start)


def _quotes(config: InstanceConfig, recorded: Recorded, installation: Installation, market: Market) -> str | None:
    feed = installation.fleet.market
    if feed.feed == "replay":
        return TICKS if feed.replay.source == "ticks" else Timeframe.parse(feed.replay.timeframe).name
    page = market.tick_page(config.instrument, recorded.life.market_ns, recorded.end_ns)
    return TICKS if len(page.quotes.time_ns) else None


def _puppets(
    config: InstanceConfig, recorded: Recorded, installation: Installation
) -> list[tuple[InstanceConfig, Strategy]]:
    refused = {row["client_id"] for row in recorded.orders if row["state"] in _REFUSED}
    wanted: dict[str, list[Row]] = {}
    for row in recorded.intents:
        # What was wanted in the very moment in which the life began had come about: it is carried.
        is_wanted = row["client_id"] not in refused and row["time_ns"] > recorded.life.market_ns
        if row["instance"] != config.name and is_wanted and number_of(row) > 0:
            wanted.setdefault(row["instance"], []).append(row)
    return [
        (other, _puppet(other, wanted[name]))
        for name, other in installation.instances.items()
        if name in wanted and other.account == config.account
    ]


def _puppet(config: InstanceConfig, rows: Iterable[Row]) -> Puppet:
    intents = sorted((_intent(row) for row in rows), key=lambda intent: intent.n)
    return Puppet(intents, at_quotes=not _only_at_bars(intents, Timeframe.parse(config.timeframe)))


def _only_at_bars(intents: Sequence[Intent], frame: Timeframe) -> bool:
    return frame.is_fixed and all(intent.time_ns % frame.ns == 0 for intent in intents)


def _intent(row: Row) -> Intent:
    values = {name: row[name] for name in _FIELDS if row[name] is not None}
    return Intent.model_validate({**values, "n": number_of(row), "reason": row["reason"] or ""})
