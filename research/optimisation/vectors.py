"""Tries sets of a signal strategy with the vector engine: whole arrays, and an execution that lets threads run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError, StrategyError
from atrader.strategy import Signals, SignalStrategy, Strategy
from research.events.history import NeverDecides, check_decides
from research.events.plan import Plan
from research.events.whole import signals_once
from research.optimisation.events import NOTHING_FILLED, Times
from research.optimisation.pools import Evaluate, Outcome
from research.optimisation.relay import TwoSteps
from research.optimisation.space import Combination
from research.statistics.periods import until_ruin
from research.vector import Decisions
from research.vector.curve import equity_at
from research.vector.workspace import Workspace
from research.vectorised import NotVector, Stage
from research.vectorised.financed import at_its_day
from research.vectorised.fit import check_band, check_risk
from research.vectorised.played import played
from research.vectorised.refusals import refusal_of
from research.vectorised.risked import check_fixed_risk, has_fixed_sizes
from research.vectorised.slippage import Drawn
from research.vectorised.stage import Seen
from worker.strategies.entries import EntryStrategy
from worker.strategies.sharing import Shared

Floats = NDArray[np.float64]
T = TypeVar("T")
U = TypeVar("U")
_Wanted: TypeAlias = "tuple[Combination, Decisions | Outcome]"

_ALIKE_BYTES: Final = 24_000_000  # of decisions that sets share: those of neighbours, which come one after the other


class VectorTrials(TwoSteps["list[_Wanted]"]):
    """Tries sets with what they have in common worked out once; any number of threads.

    Parameters
    ----------
    plan : Plan
        Of one signal strategy, over bars.
    make : callable
        Gives the strategy of a set; called in any thread.
    days_ns : ndarray of int64, shape (days,)
        Ends of the trading days that every set is measured by.
    instead : Evaluate, optional
        Tries the sets that would not be what the event engine makes of them; asked by one thread at a time. Without it
        such a set ends the search.
    workers : int, default 1
        Threads that will try sets. With more than one, bars are made ready while the first sets are prepared, and
        what is wrong with bars is told by those.

    Raises
    ------
    NotVector, ConfigError
        As `Stage`.
    """

    most_at_once = 64  # played side by side; what each of them wants is in memory meanwhile

    def __init__(
        self,
        plan: Plan,
        make: Callable[[Combination], Strategy],
        days_ns: Times,
        instead: Evaluate | None = None,
        workers: int = 1,
    ) -> None:
        self._make, self._instead = make, instead
        self._one_at_a_time, self._rooms = threading.Lock(), threading.local()
        ((self._config, _),) = plan.instances
        self._instrument = plan.instruments[self._config.instrument]
        self._days_ns = days_ns
        self._shared = Shared()
        self._alike = Shared(_ALIKE_BYTES)
        seen = Seen.of(plan)
        self._history = seen.history
        self._setting: Future[Stage] = Future()
        if workers == 1:
            self._setting.set_result(Stage(plan, seen=seen))
            return
        with_others = ThreadPoolExecutor(1, "stage")
        self._setting = with_others.submit(Stage, plan, seen=seen)
        with_others.shutdown(wait=False)

    @cached_property
    def _stage(self) -> Stage:
        return self._setting.result()

    @cached_property
    def _drawn(self) -> Drawn:
        return Drawn(self._stage)

    @cached_property
    def _day_bars(self) -> NDArray[np.int32]:
        prices = self._stage.prices
        ends = np.searchsorted(prices.open_time_ns, self._days_ns - prices.duration_ns, side="right") - 1
        return np.maximum(ends, 0).astype(np.int32)

    def why_not(self, combination: Combination) -> str | None:
        """Return why a set would not be what the event engine makes of it; None if it would."""
        try:
            wanted = self._wanted(combination)
            if isinstance(wanted, Decisions):
                self._alone(wanted)
        except NotVector as error:
            return error.message
        return None

    def prepare(self, combinations: Sequence[Combination]) -> list[_Wanted]:
        """Return what sets want, or the outcome of those that cannot be played."""
        return [(one, self._tried(self._wanted, one, one)) for one in combinations]

    def play(self, prepared: Sequence[_Wanted]) -> list[Outcome]:
        """Return what comes of what sets want."""
        together = [one for _, one in prepared if isinstance(one, Decisions) and not self._is_alone(one)]
        days = self._stage.execution.days(together, self._day_bars)
        played = zip(days.opened.tolist(), days.closed.tolist(), _returns(days.equity, self._initial), strict=True)
        return [
            one
            if isinstance(one, Outcome)
            else self._tried(self._alone, one, combination)
            if self._is_alone(one)
            else self._of_days(one, combination, *next(played))
            for combination, one in prepared
        ]

    def _of_days(
        self, decisions: Decisions, combination: Combination, opened: int, closed: int, returns: Floats
    ) -> Outcome:
        """Return what came of a set that was played beside others; one that opened nothing is asked for the reason."""
        if not opened and decisions.entry.any():
            return self._tried(self._alone, decisions, combination)
        return Outcome(closed, returns)

    def _tried(self, work: Callable[[T], U], what: T, combination: Combination) -> U | Outcome:
        """Return what work makes of something of a set, or what the event engine makes of that set."""
        try:
            return work(what)
        except NotVector as error:
            if self._instead is None:
                raise ConfigError(f"{error.message}: use --engine event") from error
            with self._one_at_a_time:
                (outcome,) = self._instead([combination])
            told = f"tried with the event engine, which is slower: {error.message}"
            return outcome._replace(note="; ".join(filter(None, (told, outcome.note))))

    def _is_alone(self, decisions: Decisions) -> bool:
        """Tell whether single trades of a set count: orders are numbered, sizes checked, nights paid for."""
        stage = self._stage
        is_fixed = stage.limits.max_risk_frac is not None and has_fixed_sizes(decisions)
        return self._drawn.moves or stage.may_wait_between or stage.is_financed or is_fixed

    def _alone(self, decisions: Decisions) -> Outcome:
        """Play a set as a backtest of it does."""
        stage = self._stage
        outcome, orders = played(stage, decisions, self._drawn, self._room())
        check_fixed_risk(stage, decisions, outcome)
        due = at_its_day(stage, outcome)
        equity = equity_at(due, stage.prices, stage.terms, self._day_bars, rates=stage.rates)
        note = ""
        if not len(outcome.trades) and orders.is_refused.any():
            places = np.flatnonzero(orders.is_refused & orders.is_open)
            reasons = {refusal_of(stage, decisions, outcome, at)[0] for at in orders.number[places].tolist()}
            note = NOTHING_FILLED.format(", ".join(sorted(reasons)))
        closed = int(np.count_nonzero(outcome.trades["left"] == 0))
        return Outcome(closed, _returns(equity[None], self._initial)[0], note=note)

    def _room(self) -> Workspace:
        """Return the memory that this thread plays single sets in: new memory takes as long as they do."""
        if not hasattr(self._rooms, "own"):
            self._rooms.own = Workspace()
        room: Workspace = self._rooms.own
        return room

    @property
    def _initial(self) -> float:
        return float(self._stage.terms.initial_balance)

    def _wanted(self, combination: Combination) -> Decisions | Outcome:
        """Return what a set wants, or what its failure is told by."""
        strategy = self._make(combination)
        assert isinstance(strategy, SignalStrategy)
        try:
            check_decides(self._config, self._history, strategy.warmup_bars)
        except NeverDecides as error:
            return Outcome(0, np.empty(0), error.message)
        try:
            return self._decisions(strategy)
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - boundary: user code may fail in any way; the others go on
            told = error.message if isinstance(error, StrategyError) else f"{type(error).__name__}: {error}"
            return Outcome(0, np.empty(0), told)

    def _decisions(self, strategy: SignalStrategy) -> Decisions:
        first_row = max(strategy.warmup_bars, 1) - 1
        if isinstance(strategy, EntryStrategy):
            decisions = self._shared_decisions(strategy, first_row)
        else:
            signals, difference = signals_once(strategy, self._history, self._instrument)
            if signals is None:
                raise StrategyError(difference)
            decisions = self._decisions_of(signals, self._stage.rows, first_row)
        stage = self._stage
        check_risk(decisions, stage.limits)
        if not self._is_near(strategy):
            check_band(decisions, stage.prices, stage.limits)
        return decisions

    def _is_near(self, strategy: SignalStrategy) -> bool:
        """Tell, without a look at each, whether no stop or target can be as far away as the risk rules refuse.

        They are at most so many of the largest average true ranges from what is paid, and the market was never lower.
        """
        if not isinstance(strategy, EntryStrategy):
            return False
        period, stops, targets, _ = strategy.distances
        largest = self._alike.get(("largest", period), lambda: self._largest(strategy)).item()
        widest, lowest = self._alike.get("prices", self._extremes).tolist()
        away = max(stops, targets or 0.0, 1.0) * (largest + widest)
        return bool(away < float(self._stage.limits.price_band_frac) * lowest)

    def _largest(self, strategy: EntryStrategy) -> Floats:
        """Return the largest average true range, in ticks."""
        ranges = strategy.mean_ranges(self._history.bars, self._shared)
        return np.array(np.fmax.reduce(ranges, initial=0.0) / float(self._instrument.price_tick))

    def _extremes(self) -> Floats:
        """Return the widest spread and the lowest price, in ticks."""
        prices = self._stage.prices
        has_one_price = prices.ask_close is prices.bid_close
        widest = 0 if has_one_price else (prices.ask_close - prices.bid_close).max()
        return np.array([widest, prices.bid_close.min()], np.float64)

    def _shared_decisions(self, strategy: EntryStrategy, first_row: int) -> Decisions:
        """Return what a set wants, from what it has in common with others."""
        found = strategy.sparse_signals(self._history.bars, self._instrument, self._shared)
        stage = self._stage
        whole = self._alike.get(
            found.key, lambda: self._decisions_of(found.unprotected, stage.rows[found.rows], first_row=0)
        )
        first = int(np.searchsorted(found.rows, first_row))
        alike = self._alike.get((found.key, first), lambda: whole.since(first))
        _, stops, targets, trails = found.distances
        kept = alike.protected(found.paid, found.away, stops, targets, trails, float(self._instrument.price_tick))
        if not self._is_alone(kept):
            return kept
        return replace(kept, row=found.rows[kept.row].astype(np.int32))  # rows of the bars, as orders are numbered by

    def _decisions_of(self, signals: Signals, at: NDArray[np.int64], first_row: int) -> Decisions:
        stage = self._stage
        return Decisions.of(signals, stage.prices, stage.instrument, stage.rules, bars=at, first_row=first_row)


def why_not_once(plan: Plan, strategies: Sequence[Strategy]) -> str | None:
    """Return why the signals of some strategies of a plan cannot be computed over all bars at once; None if they can.

    They look ahead, need a longer warm-up, or fail: the event engine decides each bar over its window. Where some can,
    the others fail each for itself when they are tried, but for sets that share what they want: those are trusted.
    """
    stage, found = Stage(plan), []
    for strategy in strategies:
        assert isinstance(strategy, SignalStrategy)
        strategy.load()
        signals, difference = signals_once(strategy, stage.history, stage.instrument)
        found.append(difference if signals is None else None)
    first = next((one for one in found if one is not None), None)
    if first is None or (None in found and not isinstance(strategies[0], EntryStrategy)):
        return None
    return f"signals over all bars are not those over the warm-up of each bar: {first}"


def _returns(equity: Floats, initial: float) -> Floats:
    """Return the return of each day, from the equity at its end, run by run; -1 and then 0 from a ruin on."""
    worth = until_ruin(np.concatenate([np.full((len(equity), 1), initial), equity], axis=1))
    before, found = worth[:, :-1], np.zeros(equity.shape)
    np.divide(worth[:, 1:], before, out=found, where=before > 0)
    found[before > 0] -= 1.0
    return found
