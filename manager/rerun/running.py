"""A recorded session through the event engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.market import Quotes, Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.runtime.session_file import AskedPrice, Life, read_sessions, unpacked
from atrader.strategy import EventStrategy, Strategy
from atrader.timeframes import Timeframe
from data_layer.offline import HistorySource, Market
from manager.backtests.loading import TICKS, load_plan
from manager.backtests.request import Request
from manager.backtests.starting import maker_of
from manager.rerun.carried import begin_of
from manager.rerun.intents import intent_of
from manager.rerun.sessions import Recorded
from manager.rerun.trailing import Trailer
from manager.rerun.working import REFUSED
from research.events.engine import EventEngine
from research.events.plan import Begin, Memory, Plan, Progress
from research.events.result import Result
from research.events.tape import BarTape, QuoteTape, Tape
from research.rerun import Puppet, Story, telling
from research.rerun.record import number_of

Row = dict[str, Any]

_ANY_GAP_S: Final = 1e9  # the worker went through it, too
_ONE_QUOTE_NS: Final = 1000  # each by itself


def as_recorded(config: InstanceConfig, life: Life) -> InstanceConfig:
    """Return an instance as it was when a life began; what an older release did not record is that of today."""
    then = config
    if life.instance:
        with contextlib.suppress(ValidationError):  # of another release: settings that are none any more
            then = InstanceConfig.model_validate({**life.instance, "parameters": life.parameters})
    changes = {
        "strategy": life.strategy,
        "instrument": life.instrument,
        "timeframe": life.timeframe,
        "parameters": life.parameters,
        "warmup_bars": life.window,
    }
    return then.model_copy(update=changes)


def account_as_recorded(account: AccountConfig, life: Life) -> AccountConfig:
    """Return an account with the limits and rules of when a life began, as far as they are recorded."""
    try:
        then = AccountConfig.model_validate({"name": account.name, "broker": "paper", **life.account})
    except ValidationError:
        return account
    return account.model_copy(update={name: getattr(then, name) for name in life.account})


def plan_again(
    config: InstanceConfig,
    account: AccountConfig,
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
    others = _puppets(config, recorded, installation)
    request = _request(config, account, recorded, installation, market, quotes)
    request = replace(request, instances=(config, *(other for other, _ in others)))
    strategy = _strategy_again(config, request, recorded, installation)
    plan = load_plan(request, [(config, strategy), *others], installation.fleet, market)
    allowed = frozenset(other.magic for other, _ in others)
    begin = begin_of(recorded, config.name, account, history, Trailer(plan, market).trailed, allowed)
    if recorded.asked and isinstance(strategy, EventStrategy) and strategy.wants_quotes:
        plan = replace(plan, tapes=[_with_asked(tape, config.instrument, recorded) for tape in plan.tapes])
    return replace(plan, begin=begin), strategy


def _request(
    config: InstanceConfig,
    account: AccountConfig,
    recorded: Recorded,
    installation: Installation,
    market: Market,
    quotes: str | None,
) -> Request:
    return Request(
        root=installation.home,
        account=account,
        instances=(config,),
        start_ns=_start_ns(config, recorded, installation),
        end_ns=recorded.last_ns,
        quotes=quotes or _quotes(config, recorded, installation, market),
        max_gap_s=_ANY_GAP_S,
        signals="window",  # as the worker computed them
    )


def _strategy_again(
    config: InstanceConfig, request: Request, recorded: Recorded, installation: Installation
) -> Strategy:
    strategy = maker_of(config, request, installation.fleet)()
    strategy.run_again({Path(name): unpacked(text) for name, text in recorded.life.files.items()})
    return strategy


def plan_retold(
    config: InstanceConfig,
    account: AccountConfig,
    recorded: Recorded,
    installation: Installation,
    market: Market,
    quotes: str | None,
) -> tuple[Plan, Strategy]:
    """Load what a life decided on, to be run over what it heard of its account (`Recorded.story`).

    A strategy that listens to quotes is told the stored ones, each by itself; where none are stored, those at which it
    wanted something or asked for the price, and the closes of the finest bars. Each bar that was decided is decided
    at its end: before the next quote, and also where none follows, as after the last one of nearly every life.

    Raises
    ------
    ConfigError
        When the strategy cannot be made, or bars are missing altogether.
    """
    life = recorded.life
    request = _request(config, account, recorded, installation, market, quotes)
    strategy = _strategy_again(config, request, recorded, installation)
    plan = load_plan(request, [(config, strategy)], installation.fleet, market)
    if isinstance(strategy, EventStrategy) and strategy.wants_quotes:
        plan = replace(plan, tapes=[_as_heard(tape, config.instrument, recorded) for tape in plan.tapes])
    told = {bar.open_time_ns: (bar.bid, bar.ask) for bar in recorded.seen if bar.bid > 0}
    begin = Begin(
        time_ns=life.market_ns,
        balance=account.paper.initial_balance,
        trades=[one for one in recorded.view if isinstance(one, Trade)],
        orders=[one for one in recorded.view if isinstance(one, Order)],
        memories={config.name: Memory(life.n, life.state, recorded.pending, life.bar_ns, told)},
    )
    return replace(plan, begin=begin, step_ends=_ends_decided(recorded)), strategy


def _ends_decided(recorded: Recorded) -> list[int]:
    """Return the ends of the bars that were decided."""
    ends = () if recorded.story is None else recorded.story.ends_ns
    return [one for one in ends if one <= recorded.last_ns]


def _as_heard(tape: Tape, symbol: str, recorded: Recorded) -> Tape:
    if tape.symbol != symbol:
        return tape
    if isinstance(tape, QuoteTape):
        return tape.in_windows(_ONE_QUOTE_NS)
    closes: list[Tick | AskedPrice] = [tape.last(row) for row in range(len(tape))]
    return _quoted(symbol, [(one.time_ns, one.bid, one.ask) for one in (*closes, *recorded.asked)], _ONE_QUOTE_NS)


def _with_asked(tape: Tape, symbol: str, recorded: Recorded) -> Tape:
    """Return what is played with the prices that the strategy asked for at their times, where only bars are stored."""
    if tape.symbol != symbol or not isinstance(tape, BarTape):
        return tape
    made: list[Tick | AskedPrice] = [
        one for row in range(len(tape)) for one in tape.ticks(row) if one.time_ns >= recorded.life.market_ns
    ]
    return _quoted(symbol, [(one.time_ns, one.bid, one.ask) for one in (*made, *recorded.asked)], NS_PER_S)


def _quoted(symbol: str, quotes: Iterable[tuple[int, float, float]], window_ns: int) -> QuoteTape:
    times, bids, asks = (np.array(column) for column in zip(*sorted(set(quotes)), strict=True))
    return QuoteTape(symbol, Quotes(times.astype(np.int64), times.astype(np.int64), bids, asks), window_ns)


def run_again(plan: Plan, progress: Progress | None = None, story: Story | None = None) -> Result:
    """Run a session again; blocks until it is done.

    Parameters
    ----------
    story : Story, optional
        What the account tells instead of filling orders.

    Raises
    ------
    StrategyError
        When the strategy fails and its policy is to stop.
    """
    if story is not None:
        return EventEngine(plan, look_ahead=False, account_of=telling(story)).run(progress)
    return EventEngine(plan).run(progress)


def _start_ns(config: InstanceConfig, recorded: Recorded, installation: Installation) -> int | None:
    """Return when the first bar begins that is played: the one after the newest that was there.

    A worker that finds a newer bar than its checkpoint's handles that one, and hands over what was left at its price;
    where it has its checkpoint's bar still to come, that bar is the first.
    """
    life = recorded.life
    calendar, frame = installation.fleet.calendar_of(life.instrument), Timeframe.parse(life.timeframe)
    known_ns = life.newest_ns
    if 0 < life.bar_ns <= life.newest_ns and (life.bar_ns < life.newest_ns or recorded.pending):
        known_ns = calendar.bar_open(life.newest_ns - 1, frame)
    if known_ns:
        return calendar.next_bar_open(known_ns, frame)
    feed = installation.fleet.market
    if life.market_ns or feed.feed != "replay" or feed.replay.start is None:
        handled = [bar.open_time_ns for bar in recorded.seen if bar.host_ns]  # one may have ended just before
        return min([life.market_ns, *handled]) or None
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
    """Return the other instances as they were then, with what they wanted and were not refused."""
    refused = {row["client_id"] for row in recorded.orders if row["state"] in REFUSED}
    sized = {row["client_id"]: row["units"] for row in recorded.orders if row["units"] is not None}
    wanted: dict[str, list[Row]] = {}
    for row in recorded.intents:
        # What was wanted in the very moment in which the life began had come about: it is carried.
        is_wanted = row["client_id"] not in refused and row["time_ns"] > recorded.life.market_ns
        if row["instance"] != config.name and is_wanted and number_of(row) > 0:
            is_sized = row["action"] == "open" and row["client_id"] in sized
            size = {"units": sized[row["client_id"]], "risk_frac": None} if is_sized else {}
            wanted.setdefault(row["instance"], []).append({**row, **size})
    found = [
        (_as_of(other, installation, recorded.life.market_ns), wanted[name])
        for name, other in installation.instances.items()
        if name in wanted and other.account == config.account
    ]
    return [(other, _puppet(other, rows)) for other, rows in found]


def _as_of(config: InstanceConfig, installation: Installation, time_ns: int) -> InstanceConfig:
    """Return an instance as it was configured at a time: its limits closed its trades."""
    sessions = read_sessions(Home(Path(installation.home)).session(config.name))
    lives = [one.life for one in sessions if one.life.market_ns <= time_ns]
    return as_recorded(config, lives[-1]) if lives else config


def _puppet(config: InstanceConfig, rows: Iterable[Row]) -> Puppet:
    intents = sorted((intent_of(row) for row in rows), key=lambda intent: intent.n)
    return Puppet(intents, at_quotes=not _only_at_bars(intents, Timeframe.parse(config.timeframe)))


def _only_at_bars(intents: Sequence[Intent], frame: Timeframe) -> bool:
    return frame.is_fixed and all(intent.time_ns % frame.ns == 0 for intent in intents)
