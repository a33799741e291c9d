"""A life through the event engine: over the rules of the paper account, or over what its worker heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from atrader.clock import NS_PER_S
from atrader.market import Quotes, Tick
from atrader.orders.model import Order, Trade
from atrader.runtime.session_file import AskedPrice
from atrader.strategy import EventStrategy, Strategy
from data_layer.offline import HistorySource, Market
from manager.backtests.loading import load_plan
from manager.rerun.carried import begin_of
from manager.rerun.others import others_of
from manager.rerun.setup import Setup
from manager.rerun.trailing import Trailer
from research.events.engine import EventEngine
from research.events.plan import Begin, Memory, Plan, Progress, SeriesKey
from research.events.result import Result
from research.events.tape import BarTape, QuoteTape, Tape
from research.rerun import HandledTape, Story, handled_quotes, moments, places_among, telling


def plan_again(setup: Setup, history: HistorySource, market: Market) -> tuple[Plan, Strategy]:
    """Load everything for running a life over the rules of the paper account; return it with the strategy.

    Raises
    ------
    ConfigError
        When the strategy cannot be made, or bars are missing altogether.
    """
    recorded, config = setup.recorded, setup.config
    others = others_of(setup)
    request = setup.request(market)
    request = replace(request, instances=(config, *(other for other, _ in others)))
    strategy = setup.strategy(request)
    plan = load_plan(request, [(config, strategy), *others], setup.installation.fleet, market)
    allowed = frozenset(other.magic for other, _ in others)
    begin = begin_of(recorded, config.name, setup.account, history, Trailer(plan, market).trailed, allowed)
    if recorded.asked and _listens(strategy):
        plan = replace(plan, tapes=[_with_asked(tape, setup) for tape in plan.tapes])
    return replace(plan, begin=begin), strategy


def plan_retold(setup: Setup, market: Market, story: Story) -> tuple[Plan, Strategy, Story]:
    """Load what a life decided on, to be run over what it heard of its account; return it with strategy and story.

    A strategy that listens to quotes is told the stored ones that its worker handled, each by itself; where none are
    stored, those at which it wanted something or asked for the price, and the closes of the finest bars. Each bar that
    was decided is decided in its place among them, and also where no quote follows, as after the last one of nearly
    every life. The story that is returned tells when that is.

    Raises
    ------
    ConfigError
        When the strategy cannot be made, or bars are missing altogether.
    """
    recorded, life, name = setup.recorded, setup.recorded.life, setup.config.name
    request = setup.request(market)
    strategy = setup.strategy(request)
    plan = load_plan(request, [(setup.config, strategy)], setup.installation.fleet, market)
    if _listens(strategy):
        plan, story = _as_handled(plan, setup, story)
    told = {bar.open_time_ns: (bar.bid, bar.ask) for bar in recorded.seen if bar.bid > 0}
    begin = Begin(
        time_ns=life.market_ns,
        balance=setup.account.paper.initial_balance,
        trades=[one for one in recorded.view if isinstance(one, Trade)],
        orders=[one for one in recorded.view if isinstance(one, Order)],
        memories={name: Memory(life.n, life.state, recorded.pending, life.bar_ns, told)},
    )
    decided = [
        end_ns for end_ns, bar_ns in zip(story.ends_ns, story.bars, strict=True) if bar_ns <= recorded.last_bar_ns
    ]
    return replace(plan, begin=begin, step_ends=decided), strategy, story


def run_again(plan: Plan, progress: Progress | None = None, story: Story | None = None) -> Result:
    """Run a life again; blocks until it is done.

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


def _listens(strategy: Strategy) -> bool:
    return isinstance(strategy, EventStrategy) and strategy.wants_quotes


def _as_handled(plan: Plan, setup: Setup, story: Story) -> tuple[Plan, Story]:
    """Put quotes and bars in the order in which the worker handled them."""
    key = SeriesKey(setup.config.instrument, setup.config.timeframe)
    played = next(tape for tape in plan.tapes if tape.symbol == key.instrument)
    quotes, places = _stored(played, setup, story) if isinstance(played, QuoteTape) else _known(played, setup, story)
    quoted, decided = moments(places, quotes.time_ns, story.ends_ns)
    tape = HandledTape(key.instrument, quotes, quoted)
    late = {bar: at for bar, end, at in zip(story.bars, story.ends_ns, decided.tolist(), strict=True) if at != end}
    bars = plan.series[key]
    last = int(bars.open_time_ns.searchsorted(setup.recorded.last_bar_ns, side="right"))
    plan = replace(
        plan,
        tapes=[tape if one is played else one for one in plan.tapes],
        series={**plan.series, key: bars[:last]},  # later ones nobody decided
        late={key: late},
    )
    return plan, story._replace(ends_ns=decided.tolist())


def _stored(tape: QuoteTape, setup: Setup, story: Story) -> tuple[Quotes, np.ndarray]:
    """Return the stored quotes that were handled, and their places among the decisions."""
    quotes = handled_quotes(tape.quotes, setup.recorded.passed_over)
    quotes = quotes if len(quotes.time_ns) else tape.quotes  # something has to be played
    return quotes, places_among(quotes.time_ns, story.last_quotes)


def _known(tape: Tape, setup: Setup, story: Story) -> tuple[Quotes, np.ndarray]:
    """Return the quotes that are known where none are stored, and their places among the decisions."""
    every = Quotes.of([tape.last(row) for row in range(len(tape))])
    handled = handled_quotes(every, setup.recorded.passed_over)
    closes = (handled if len(handled.time_ns) or setup.recorded.asked else every).ticks(tape.symbol)
    times = np.array([one.time_ns for one in closes], np.int64)
    # A close stands for the last quote of its bar, which was handled before the bar was decided.
    before = [max(pair) for pair in zip(story.last_quotes, (end - 1 for end in story.ends_ns), strict=True)]
    rows = {(one.time_ns, one.bid, one.ask, one.place) for one in setup.recorded.asked}
    rows |= {
        (one.time_ns, one.bid, one.ask, place)
        for one, place in zip(closes, places_among(times, before).tolist(), strict=True)
    }
    in_order = sorted(rows, key=lambda row: (row[3], row[0]))
    return _quotes([row[:3] for row in in_order]), np.array([row[3] for row in in_order], np.int64)


def _with_asked(tape: Tape, setup: Setup) -> Tape:
    """Return what is played with the prices that the strategy asked for at their times, where only bars are stored."""
    if tape.symbol != setup.config.instrument or not isinstance(tape, BarTape):
        return tape
    made: list[Tick | AskedPrice] = [
        one for row in range(len(tape)) for one in tape.ticks(row) if one.time_ns >= setup.recorded.life.market_ns
    ]
    rows = {(one.time_ns, one.bid, one.ask) for one in (*made, *setup.recorded.asked)}
    return QuoteTape(tape.symbol, _quotes(sorted(rows)), NS_PER_S)


def _quotes(rows: Sequence[tuple[int, float, float]]) -> Quotes:
    times, bids, asks = (np.array(column) for column in zip(*rows, strict=True))
    return Quotes(times.astype(np.int64), times.astype(np.int64), bids, asks)
