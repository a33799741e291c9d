"""Plans of one instance with other parameters: bars are loaded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from atrader.calendars import Calendar
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.strategy import Series, Strategy
from data_layer.offline import open_market
from manager.backtests.loading import load_plan
from manager.backtests.request import Engine, Request
from manager.backtests.starting import maker_of
from research.events.plan import Plan
from research.optimisation.events import EventTrials, Times
from research.optimisation.pools import Evaluate
from research.optimisation.space import Combination
from research.optimisation.vectors import VectorTrials


class Plans:
    """What the sets of a search are tried on.

    Parameters
    ----------
    request : Request
        Of one instance; its parameters are those that stay.

    Attributes
    ----------
    calendar : Calendar
        Of the instrument.
    engine : Engine or None
        The one that is asked for.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._fleet = load_fleet(Path(request.root))
        self._loaded: dict[tuple[Series, ...], Plan] = {}
        (self._config,) = request.instances
        self.calendar: Calendar = self._fleet.calendar_of(self._config.instrument)
        self.engine: Engine | None = request.engine
        self._make = maker_of(self._config, request, self._fleet)

    def end(self, request: Request) -> None:
        """Load what is not loaded yet as this request says: the same one, with an end."""
        self._request = request

    def strategy_of(self, combination: Combination) -> Strategy:
        """Return the strategy of a set; from any thread.

        Raises
        ------
        ConfigError
            When its parameters are wrong.
        """
        return self._make(self._parameters_of(combination))

    def of(self, combination: Combination) -> Plan:
        """Return the plan of a set; loads bars when no set before looked at the same ones.

        Raises
        ------
        ConfigError
            As `load_plan` and `strategy_of`.
        StoreError
            When the store cannot be read.
        """
        config = self._config.model_copy(update={"parameters": self._parameters_of(combination)})
        chosen = [(config, self.strategy_of(combination))]
        looked_at = tuple(one._replace(bars=min(one.bars, 1)) for one in chosen[0][1].other_series)
        if looked_at not in self._loaded:
            with open_market(Home(Path(self._request.root)), self._fleet) as market:
                self._loaded[looked_at] = load_plan(self._request, chosen, self._fleet, market)
        return replace(self._loaded[looked_at], instances=chosen)

    def _parameters_of(self, combination: Combination) -> dict[str, object]:
        return {**self._config.parameters, **combination}


def trials_of(engine: Engine, request: Request, first: Combination, days_ns: Times) -> Evaluate:
    """Return what tries sets, in the process that calls it.

    Parameters
    ----------
    engine : {"vector", "events"}
        Which engine.
    first : Combination
        Any allowed set.
    days_ns : ndarray of int64, shape (days,)
        Ends of the trading days.
    """
    return trials_on(Plans(request), engine, first, days_ns)


def trials_on(
    plans: Plans,
    engine: Engine,
    first: Combination,
    days_ns: Times,
    workers: int = 1,
) -> Evaluate:
    """Return what tries sets on plans that are there.

    Parameters
    ----------
    workers : int
        Threads that will try sets.
    """
    by_events = EventTrials(plans.of, plans.calendar, days_ns)
    if engine == "events":
        return by_events
    instead = None if plans.engine == "vector" else by_events
    return VectorTrials(plans.of(first), plans.strategy_of, days_ns, instead, workers=workers)


def why_not_first(plans: Plans, first: Combination, days_ns: Times) -> str | None:
    """Return why a set would not be on the vector engine what it is on the event engine; None if it would."""
    return VectorTrials(plans.of(first), plans.strategy_of, days_ns).why_not(first)
