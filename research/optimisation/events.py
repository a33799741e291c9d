"""Tries sets with the event engine: any strategy, as a live run on a paper account would trade it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.errors import ConfigError, StrategyError
from research.events.engine import EventEngine
from research.events.history import NeverDecides
from research.events.plan import Plan
from research.events.result import Result
from research.optimisation.pools import Outcome
from research.optimisation.space import Combination
from research.statistics.periods import period_returns, periods_between

Times = NDArray[np.int64]

NOTHING_FILLED: Final = "no entry of it was filled, refused were all: {}"


class EventTrials:
    """An `Evaluate`; one thread at a time.

    Parameters
    ----------
    plan_of : callable
        Gives the plan of a set: one instance, the same account and period each time. What it costs is paid for each
        set, so bars should be loaded once.
    calendar : Calendar
        Of the instrument: where its days begin.
    days_ns : ndarray of int64, shape (days,)
        Ends of the trading days that every set is measured by (`days_of`).
    """

    def __init__(self, plan_of: Callable[[Combination], Plan], calendar: Calendar, days_ns: Times) -> None:
        self._plan_of = plan_of
        self._calendar = calendar
        self._days_ns = days_ns

    def __call__(self, combinations: Sequence[Combination]) -> list[Outcome]:
        """Try sets; a set with which the strategy stops has its error as outcome."""
        return [self._outcome(one) for one in combinations]

    def _outcome(self, combination: Combination) -> Outcome:
        plan = self._plan_of(combination)
        try:
            result = EventEngine(plan).run()
        except NeverDecides as error:
            return Outcome(0, np.empty(0), error.message)
        except StrategyError as error:
            return Outcome(0, np.empty(0), error.message.splitlines()[0])
        initial = float(plan.account.paper.initial_balance)
        found = period_returns(result.curve.time_ns, result.curve.equity, self._calendar, initial=initial)
        if not np.array_equal(found.end_ns, self._days_ns):
            raise ConfigError(
                f"with {combination} the strategy looks at other instruments, whose quotes make other days: sets like"
                " these cannot be compared; fix that parameter"
            )
        return Outcome(len(result.closed), found.returns, note=_note(result))


def _note(result: Result) -> str:
    """Return what a row of returns does not say: exceptions, limits that ended a run, entries that came to nothing."""
    first = next((alert.text for alert in result.alerts if alert.kind == "strategy-error"), None)
    told = [] if first is None else [f"exceptions at some bars, the first: {first.splitlines()[0]}"]
    if result.halted:
        told.append(f"limits stopped its trading, for a day or for good: {', '.join(sorted(result.halted))}")
    if not result.closed and not result.open_trades and result.refused:
        told.append(NOTHING_FILLED.format(", ".join(sorted(result.refused))))
    return "; ".join(told)


def days_of(ends_ns: Times, calendar: Calendar) -> Times:
    """Return the ends of the trading days in which the steps of a plan lie, UTC ns, shape (days,)."""
    _, days_ns = periods_between(int(ends_ns[0]) - 1, int(ends_ns[-1]), calendar)  # the account begins just before
    return days_ns
