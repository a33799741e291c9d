"""Contexts at the place of another one: one that lets through and listens, one that lets nothing through."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple

from atrader.calendars import Calendar
from atrader.market import Bar, Bars
from atrader.orders.model import Intent
from atrader.strategy import AccountState, Context
from research.events.account import Account
from research.events.context import BacktestContext, World
from research.events.history import History
from research.events.market import Market
from research.events.plan import SeriesKey
from research.events.told import Alert, Signal

_OWN_NUMBERS: Final = 10**9  # of intents that go nowhere: no real one has them


_OF_WORKERS: Final = frozenset(name for name in {*dir(Context), *Context.__annotations__} if not name.startswith("_"))


class At(NamedTuple):
    """A place that stays."""

    row: int


class Overheard(BacktestContext):
    """Passes everything on to the context of a run, and keeps the intents of the present call.

    Parameters
    ----------
    of : BacktestContext
        The context of the run.

    Attributes
    ----------
    intents : list of Intent
        What was wanted since it was emptied.
    """

    def __init__(self, of: BacktestContext) -> None:
        self.intents: list[Intent] = []
        super().__init__(*of.parts, note=self._pass_on, place=of.place)
        self._of = of
        self._follow()

    def begin(self) -> None:
        """Go to where the run is."""
        self.intents.clear()
        self._follow()

    def end(self) -> None:
        """Let the run have the state, if the strategy made a new one."""
        self._of.state = self.state

    def equity(self) -> Decimal:
        """Equity as the run knows it."""
        return self._of.equity()

    def _follow(self) -> None:
        of = self._of
        self.place, self.deciding, self.step, self.state = of.place, of.deciding, of.step, of.state

    def _pass_on(self, values: dict[str, object]) -> Intent:
        intent = self._of.noted(values)
        self.intents.append(intent)
        return intent


class Aside(BacktestContext):
    """What a strategy would see that was started just before; what it wants and tells goes nowhere.

    Arrays are copies: nothing lies behind their ends.

    Parameters
    ----------
    of : BacktestContext
        The context of the run, at the decision in question.
    state : dict
        The strategy's own, as a checkpoint would have kept it.
    size : int, optional
        Bars of the window, if it is another one.
    copies : bool
        False: views, behind whose ends a strategy can reach.

    Attributes
    ----------
    intents : list of Intent
    signals : list of Signal
        What was wanted and told.
    """

    def __init__(
        self, of: BacktestContext, state: dict[str, object], *, size: int | None = None, copies: bool = True
    ) -> None:
        self.intents: list[Intent] = []
        self._quiet = _QuietWorld(of.world)
        config, _, history, window, view = of.parts
        super().__init__(config, self._quiet, history, size or window, view, self._take_down, At(of.row))
        self._of = of
        self._copies = copies
        self.state = state
        self.deciding, self.step = of.deciding, of.step

    @property
    def signals(self) -> list[Signal]:
        """What was told."""
        return self._quiet.signals

    def forget(self) -> None:
        """Drop what was wanted and told so far."""
        self.intents.clear()
        self.signals.clear()

    def bars(self, count: int) -> Bars:
        """Return copies of the last complete bars."""
        return self._own(super().bars(count))

    def bars_of(self, instrument: str, timeframe: str, count: int, *, forming: bool = False) -> Bars:
        """Return copies of the bars of a series."""
        return self._own(super().bars_of(instrument, timeframe, count, forming=forming))

    def equity(self) -> Decimal:
        """Equity as the run knows it."""
        return self._of.equity()

    def account(self) -> AccountState:
        """Return the account as the run sees it."""
        return self._of.account()

    def _own(self, bars: Bars) -> Bars:
        return Bars(*(column.copy() for column in bars.columns)).read_only() if self._copies else bars

    def _take_down(self, values: dict[str, object]) -> Intent:
        intent = Intent.model_validate({**values, "n": _OWN_NUMBERS + len(self.intents)})
        self.intents.append(intent)
        return intent


class Narrow:
    """What every worker's context has, of another one: nothing of a backtest besides.

    Parameters
    ----------
    of : Aside
        The other one.
    """

    __slots__ = ("_of",)

    def __init__(self, of: Aside) -> None:
        object.__setattr__(self, "_of", of)

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_WORKERS:
            return getattr(object.__getattribute__(self, "_of"), name)
        raise AttributeError(f"a worker's context has no {name}")

    def __setattr__(self, name: str, value: object) -> None:
        if name != "state":
            raise AttributeError(f"a strategy may not set {name} of its context")
        object.__getattribute__(self, "_of").state = value


class _QuietWorld:
    """The world of a run, but for what is told."""

    def __init__(self, of: World) -> None:
        self.market: Market = of.market
        self.account: Account = of.account
        self.signals: list[Signal] = []
        self.alerts: list[Alert] = []
        self.history: Callable[[SeriesKey], History] = of.history
        self.calendar_of: Callable[[str], Calendar] = of.calendar_of
        self.reach: Callable[[int], None] = of.reach
        self.forming: Callable[[str, str, int], Bar | None] = of.forming
