"""Bars, costs and calendar of a plan with one signal strategy, ready for any decisions."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.paper.financing import boundaries, days_booked
from atrader.timeframes import Timeframe
from research.events.equity import rate_of
from research.events.history import History
from research.events.market import Market
from research.events.plan import Plan, SeriesKey
from research.events.tape import BarTape
from research.vector import Prices, Rules, Schedule, Terms, rows_of
from research.vector.engine import Execution
from research.vector.prices import no_bars
from research.vectorised.fit import NotVector

Floats = NDArray[np.float64]


class Seen(NamedTuple):
    """What is played, and the bars that a strategy sees of it."""

    market: Market
    history: History

    @classmethod
    def of(cls, plan: Plan) -> Seen:
        """Return those of a plan with one strategy.

        Raises
        ------
        ConfigError
            When there is nothing to play.
        """
        ((config, _),) = plan.instances
        key = SeriesKey(config.instrument, config.timeframe)
        market, timeframe = Market(plan.tapes), Timeframe.parse(config.timeframe)
        if not len(market):
            raise no_bars(config.instrument)
        calendar, gaps = plan.calendar_of(config.instrument), plan.missing.get(key, ())
        return cls(market, History(plan.series[key], timeframe, calendar, market, gaps))


class Stage:
    """What all runs of a plan share; nothing of it changes, so that threads may.

    Parameters
    ----------
    plan : Plan
        Of one signal strategy, over bars.
    rules : Rules, optional
        By default those of the paper account.
    seen : Seen, optional
        Of the plan, where somebody has it already.

    Attributes
    ----------
    config : InstanceConfig
        The instance.
    rules, terms, prices, schedule, execution
        Of the vector engine.
    instrument : Instrument
        What it trades.
    limits : TradeLimits
        Those that count for its orders.
    market : Market
        What is played.
    history : History
        The bars that are decided at, those before the period too.
    rows : ndarray of int64, shape (n,)
        Bar of the prices at whose close each of them is decided (`rows_of`).
    is_row_by_row : bool
        Whether every bar of the prices is one that is decided at.
    halted : frozenset of int
        Bars of the prices that end as the market closes.
    rates : ndarray of float64, shape (m,), or None
        Account currency per quote currency in each bar of the prices, where neither is of the instrument.
    paper : PaperSettings
        Of the account.

    Raises
    ------
    NotVector
        When quotes are played.
    ConfigError
        When bars are no market.
    """

    def __init__(self, plan: Plan, rules: Rules | None = None, seen: Seen | None = None) -> None:
        ((config, _),) = plan.instances
        symbol = config.instrument
        self.config = config
        self.rules = rules or Rules()
        self.instrument = plan.instruments[symbol]
        self.limits = config.trade or plan.account.trade
        self.paper = plan.account.paper
        self.terms = Terms.of(plan.account, self.instrument)
        self.market, self.history = seen or Seen.of(plan)
        tape = self.market.reels[symbol].tape
        if not isinstance(tape, BarTape):
            raise NotVector(f"{symbol}: the vector engine plays bars, not quotes")
        self.calendar = plan.calendar_of(symbol)
        self.prices = Prices.of(tape.bars, self.terms, tape.duration_ns)
        is_same = self.history.ends is tape.end_ns  # what is decided at is what is played
        self.rows = np.arange(len(tape)) if is_same else rows_of(self.prices, self.history.ends)
        self.rates = self._conversion(plan.account.currency)
        self.is_row_by_row = is_same or np.array_equal(self.rows, np.arange(len(self.prices)))
        self.schedule = Schedule.of(self.prices, self.calendar, financed=self.terms.is_financed)
        self.halted = frozenset(self.schedule.halted.tolist())
        self.execution = Execution(self.prices, self.rules, self.terms, schedule=self.schedule, rates=self.rates)

    @property
    def is_paper(self) -> bool:
        """Whether it goes by the rules of the paper account, with one trade on a side, as the signal driver does."""
        return self.rules == Rules()

    @cached_property
    def due_ns(self) -> NDArray[np.int64]:
        """Ends of days that financing is booked for, UTC ns, as the schedule has them; shape (d,)."""
        first_ns, last_ns = int(self.prices.open_time_ns[0]), int(self.prices.end_ns[-1]) - 1
        ends = (one for one in boundaries(self.calendar, first_ns, last_ns) if days_booked(self.calendar, one) > 0)
        return np.fromiter(ends, np.int64)

    @property
    def is_financed(self) -> bool:
        """Whether what is held costs or earns something overnight."""
        return bool(len(self.schedule.bar))

    @property
    def may_wait_between(self) -> bool:
        """Whether an exit that waits for the market to open again may fill before the next row wants it."""
        after = self.schedule.halted + 1
        return not self.is_row_by_row and bool((~np.isin(after[after < len(self.prices)], self.rows)).any())

    def _conversion(self, currency: str) -> Floats | None:
        if self.terms.rate != "given":
            return None
        rates = rate_of(self.market, self.instrument.quote, currency)
        assert not isinstance(rates, float)
        return np.ascontiguousarray(rates[self.market.reels[self.instrument.symbol].steps])
