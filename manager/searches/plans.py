"""Plans of one instance with other parameters: bars are loaded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from atrader.calendars import Calendar
from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.strategy import Series
from data_layer.offline import open_market
from manager.backtests.loading import load_plan
from manager.backtests.request import Request
from manager.backtests.starting import placed
from research.events import Plan
from research.optimisation.events import EventTrials, Times
from research.optimisation.space import Combination


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
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._fleet = load_fleet(Path(request.root))
        self._loaded: dict[tuple[Series, ...], Plan] = {}
        self.calendar: Calendar = self._fleet.calendar_of(request.instances[0].instrument)

    def of(self, combination: Combination) -> Plan:
        """Return the plan of a set; loads bars when no set before looked at the same ones.

        Raises
        ------
        ConfigError
            As `load_plan`.
        StoreError
            When the store cannot be read.
        """
        (config,) = self._request.instances
        config = config.model_copy(update={"parameters": {**config.parameters, **combination}})
        chosen = [(config, placed(config, self._request, self._fleet))]
        looked_at = tuple(one._replace(bars=min(one.bars, 1)) for one in chosen[0][1].other_series)
        if looked_at not in self._loaded:
            with open_market(Home(Path(self._request.root)), self._fleet) as market:
                self._loaded[looked_at] = load_plan(self._request, chosen, self._fleet, market)
        return replace(self._loaded[looked_at], instances=chosen)


def event_trials(request: Request, days_ns: Times, plans: Plans | None = None) -> EventTrials:
    """Return what tries sets in this process."""
    plans = plans or Plans(request)
    return EventTrials(plans.of, plans.calendar, days_ns)
