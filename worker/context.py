"""The live context: what an event strategy sees and does (`atrader.strategy.Context`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol

from atrader.clock import Clock, MarketClock
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.market import Bars, Tick
from atrader.orders.model import Order, Trade
from atrader.strategy import AccountState, WarmUp
from atrader.view import View
from atrader.wishes import Wishes
from worker.desk import Desk
from worker.outside import Outside


class Records(Protocol):
    """Takes down what a strategy tells."""

    def signal(
        self, name: str, value: float, indicators: Mapping[str, float], bar: str | None = None, number: int = 1
    ) -> None:
        """Record a signal: name, value, indicator values, bar of the decision (None: made on no bar), number on it."""

    def alert(self, kind: str, text: str) -> None:
        """Record an alert."""


class LiveContext(Wishes):
    """One instance's window on the world; every wish goes to the desk."""

    def __init__(
        self,
        config: InstanceConfig,
        clock: Clock,
        desk: Desk,
        view: View,
        records: Records,
        outside: Outside,
        ask_price: Callable[[], Tick | None],
    ) -> None:
        super().__init__(config, outside.instrument(config.instrument), desk.note)
        self._clock = clock
        self._view = view
        self._records = records
        self._outside = outside
        self._ask_price = ask_price
        self._signals: Counter[str] = Counter()
        self._decision: str | None = None
        self._decided_ns = 0
        self.calendar = outside.calendar(config.instrument)
        self.state: dict[str, object] = {}
        self.history = Bars.empty()
        self.last_tick: Tick | None = None
        self.listens = False  # whether every quote comes in; else one is fetched when it is asked for
        self._told: Tick | None = None  # the price that was asked for last
        self.account_equity = Decimal(0)
        self.warm_up = WarmUp(0, 0, 0)

    def deciding(self, decision: str | None, bar_end_ns: int = 0) -> None:
        """Begin the decision of a bar (its key and the bar's end, ns UTC), or end it (None).

        Intents are dated at the end of the bar they were decided on: a bar that is handled late gives late entries,
        and the risk gate refuses those.
        """
        self._decision, self._decided_ns = decision, bar_end_ns
        self._signals.clear()
        if decision is not None:
            self._told = None

    def decided(self) -> tuple[str | None, int]:
        """Return the decision that is being made."""
        return self._decision, self._decided_ns

    def now_ns(self) -> int:
        """Market time, ns UTC."""
        return self._clock.now_ns()

    def advance_clock(self, market_ns: int) -> int:
        """Move market time on (replay); live the clock moves by itself. Return the time it is now, ns UTC."""
        if isinstance(self._clock, MarketClock):
            self._clock.advance(market_ns)
        return self._clock.now_ns()

    def bars(self, count: int) -> Bars:
        """Return the last complete bars, oldest first."""
        return self.history[-count:] if count > 0 else Bars.empty()

    def price(self) -> Tick | None:
        """Return the latest quote."""
        self._told = self.last_tick if self.listens else self._ask_price()
        return self._told

    def take_told(self) -> Tick | None:
        """Return the price that was told last since this was asked, None when none was."""
        told, self._told = self._told, None
        return told

    def bars_of(self, instrument: str, timeframe: str, count: int, *, forming: bool = False) -> Bars:
        """Return the last complete bars of any instrument and timeframe, with the forming one if that is wanted."""
        return self._outside.bars(instrument, timeframe, count, forming=forming)

    def price_of(self, instrument: str) -> Tick | None:
        """Return the latest quote of any instrument."""
        return self._outside.price(instrument)

    def instrument_of(self, symbol: str) -> Instrument:
        """Return what any instrument is."""
        return self._outside.instrument(symbol)

    def trades(self) -> tuple[Trade, ...]:
        """Open trades of this instance."""
        return self._view.trades

    def orders(self) -> tuple[Order, ...]:
        """Orders of this instance without an outcome, or working."""
        return self._view.orders

    def closed_trades(self, count: int) -> tuple[Trade, ...]:
        """Return the last closed trades of this instance, newest first."""
        return self._outside.closed_trades(count)

    def equity(self) -> Decimal:
        """Equity of the account when the gateway last told it."""
        return self.account_equity

    def account(self) -> AccountState:
        """Return the account as its gateway sees it now."""
        return self._outside.account()

    def signal(self, name: str, value: float, **indicators: float) -> None:
        """Record a signal in the history."""
        self._signals[name] += 1
        self._records.signal(name, value, indicators, self._decision, self._signals[name])

    def alert(self, kind: str, text: str) -> None:
        """Tell people of something: an alert in log and history."""
        self._records.alert(kind, text)
