"""The context of a backtest: what a strategy sees and does, at the step its account has reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from atrader.calendars import Calendar
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.instruments import Instrument, known_instrument
from atrader.market import Bar, Bars, Tick
from atrader.orders.model import Intent, Order, Trade
from atrader.strategy import AccountState, WarmUp
from atrader.view import View
from atrader.wishes import Wishes
from research.events.account import Account
from research.events.history import History
from research.events.market import Market
from research.events.plan import SeriesKey
from research.events.told import Alert, Signal


class World(Protocol):
    """What all contexts of a backtest share."""

    market: Market
    account: Account
    signals: list[Signal]
    alerts: list[Alert]

    def history(self, key: SeriesKey) -> History:
        """Return the bars of a series."""
        ...

    def calendar_of(self, symbol: str) -> Calendar:
        """Return the calendar of an instrument."""
        ...

    def reach(self, step: int) -> None:
        """Let the account know every quote up to the end of a step."""
        ...

    def forming(self, instrument: str, timeframe: str, step: int) -> Bar | None:
        """Return the bar that forms when a step is over, None when none does."""
        ...


class Place(Protocol):
    """Where an instance is among its bars."""

    @property
    def row(self) -> int:
        """Row of its last complete bar."""
        ...


class BacktestContext(Wishes):
    """One instance's window on the past.

    Attributes
    ----------
    place : Place
        Whoever hands the bars out, or another that knows which is the last one.
    deciding : bool
        Whether that bar is being decided.
    step : int
        The step it is at while no bar is being decided; -1 before the first.
    told : Mapping of int to (bid, ask)
        Prices to be told instead of those that are played, see `Memory`.
    """

    def __init__(
        self,
        config: InstanceConfig,
        world: World,
        history: History,
        size: int,
        view: View,
        note: Callable[[dict[str, object]], Intent],
        place: Place,
    ) -> None:
        super().__init__(config, world.account.instruments[config.instrument], note)
        self._world = world
        self._history = history
        self._size = size
        self._view = view
        self._equity: tuple[int, Decimal] | None = None
        self.calendar = world.calendar_of(config.instrument)
        self.state: dict[str, object] = {}
        self.place = place
        self.deciding = False
        self.step = -1
        self.told: Mapping[int, tuple[float, float]] = {}

    @property
    def row(self) -> int:
        """Row of its last complete bar."""
        return self.place.row

    @property
    def world(self) -> World:
        """What it shares with the other contexts."""
        return self._world

    @property
    def parts(self) -> tuple[InstanceConfig, World, History, int, View]:
        """What it was made with, for another one at its place."""
        return self._config, self._world, self._history, self._size, self._view

    def noted(self, values: dict[str, object]) -> Intent:
        """Note an intent."""
        return self._note(values)

    @property
    def at(self) -> int:
        """The step it is at."""
        return self._history.steps.item(self.place.row) if self.deciding else self.step

    @property
    def warm_up(self) -> WarmUp:
        """How much of its window there is."""
        bars = min(self.row + 1, self._size)
        return WarmUp(self._size, bars, self._history.missing(self.row + 1 - bars, self.row))

    def now_ns(self) -> int:
        """Market time."""
        market = self._world.market
        at = self._history.steps.item(self.place.row) if self.deciding else self.step
        return market.ends.item(at) if at >= 0 else market.first_ns

    def decided(self) -> tuple[str | None, int]:
        """Return the bar that is being decided."""
        if not self.deciding:
            return None, 0
        row, history = self.place.row, self._history
        return f"{self.timeframe}|{history.bars.open_time_ns.item(row)}", history.ends.item(row)

    def bars(self, count: int) -> Bars:
        """Return the last complete bars, at most a window of them."""
        end = self.row + 1
        return self._history.bars[max(0, end - max(0, min(count, max(self._size, 2)))) : end]

    def price(self) -> Tick | None:
        """Return the latest quote."""
        tick = self.price_of(self.instrument.symbol)
        if self.told and self.deciding:
            told = self.told.get(int(self._history.bars.open_time_ns[self.row]))
            if told is not None:
                now_ns = self.now_ns()
                return Tick(self.instrument.symbol, now_ns, now_ns, *told)
        return tick

    def bars_of(self, instrument: str, timeframe: str, count: int, *, forming: bool = False) -> Bars:
        """Return the last complete bars of a series that the backtest loaded (`Strategy.other_series`).

        Raises
        ------
        ConfigError
            When it was not loaded.
        """
        history, at = self._world.history(SeriesKey(instrument, timeframe)), self.at
        end = history.rows_until(at)
        bars = history.bars[max(0, end - max(0, count)) : end]
        now = self._world.forming(instrument, timeframe, at) if forming else None
        return bars if now is None else bars.append(Bars.from_rows([now]))

    def price_of(self, instrument: str) -> Tick | None:
        """Return the latest quote of any instrument that is played."""
        return self._world.market.last(instrument, self.at)

    def instrument_of(self, symbol: str) -> Instrument:
        """Return what any instrument is."""
        return self._world.account.instruments.get(symbol) or known_instrument(symbol)

    def trades(self) -> tuple[Trade, ...]:
        """Open trades of this instance."""
        return self._view.trades

    def orders(self) -> tuple[Order, ...]:
        """Orders of this instance that work."""
        return self._view.orders

    def closed_trades(self, count: int) -> tuple[Trade, ...]:
        """Return the last closed trades of this instance, newest first."""
        closed = self._world.account.booking.closed_of(self._config.magic)
        return tuple(closed[-1 : -min(count, 1000) - 1 : -1])

    def equity(self) -> Decimal:
        """Equity of the account when this instance last heard of it."""
        at = self.at
        if self._equity is None or self._equity[0] != at:
            self._world.reach(at)
            self._equity = at, self._world.account.worth().equity
        return self._equity[1]

    def heard(self) -> None:
        """Note that everything the account did up to now is known."""
        self._equity = None

    def account(self) -> AccountState:
        """Return the account as it is now."""
        account = self._world.account
        self._world.reach(self.at)
        worth, config = account.worth(), account.config
        leverage = config.paper.leverage or 1 / self.instrument.margin_rate_frac
        return AccountState(config.name, config.currency, worth.balance, worth.equity, worth.margin_used, leverage)

    def signal(self, name: str, value: float, **indicators: float) -> None:
        """Record a signal."""
        self._world.signals.append(Signal(self.now_ns(), self._config.name, name, value, indicators, self.decided()[0]))

    def alert(self, kind: str, text: str) -> None:
        """Record an alert."""
        self._world.alerts.append(Alert(self.now_ns(), self._config.name, kind, text))


def not_loaded(key: SeriesKey) -> ConfigError:
    """Return the error of a series that nobody declared."""
    return ConfigError(
        f"{key.instrument} {key.timeframe} was not loaded: a strategy has to name it in other_series, so that workers"
        " and backtests fetch it"
    )
