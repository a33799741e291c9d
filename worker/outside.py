"""What a live strategy may look at besides its own bars, orders and open trades."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from atrader.calendars import Calendar
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument, known_instrument
from atrader.market import Bars, Tick
from atrader.orders.model import Trade
from atrader.strategy import AccountState, Series
from atrader.view import View
from broker_api.client import BrokerClient
from data_layer.client import DataClient
from worker.warm_up import WarmUpWatch

_ASK_S: Final = 1.0  # shorter than the beat time-out: the loop must go on while the gateway is away


class Outside:
    """Other instruments and timeframes, the account, and what was closed.

    Every method may block for a call, and raises `DeadlineExceeded` when nobody answers it.

    Parameters
    ----------
    installation : Installation
        Says what instruments there are.
    config : InstanceConfig
        Whose strategy looks.
    data, broker
        Who is asked.
    view : View
        Tells when a trade closed: only then the gateway is asked for the closed ones again.
    """

    def __init__(
        self, installation: Installation, config: InstanceConfig, data: DataClient, broker: BrokerClient, view: View
    ) -> None:
        self._fleet = installation.fleet
        self._config = config
        self._data = data
        self._broker = broker
        self._view = view
        self._closed: tuple[int, int, tuple[Trade, ...]] | None = None  # asked at so many closes, for so many
        leverage = installation.accounts[config.account].paper.leverage
        self._leverage = leverage or 1 / self.instrument(config.instrument).margin_rate_frac

    def prepare(self, wanted: Sequence[Series]) -> None:
        """Have bars built from now on, and what is missing of them fetched. May be repeated."""
        for one in wanted:
            calendar = self.calendar(one.instrument)
            if one.bars:
                self._data.subscribe_bars(one.instrument, one.timeframe)
                WarmUpWatch(self._data, one.instrument, one.timeframe, calendar, one.bars).look()

    def instrument(self, symbol: str) -> Instrument:
        """Return what an instrument is; raises `ConfigError` when nobody defines it."""
        return known_instrument(symbol, self._fleet.instruments)

    def calendar(self, symbol: str) -> Calendar:
        """Return when an instrument is traded, closed periods of the configuration included."""
        return self._fleet.calendar_of(symbol)

    def bars(self, instrument: str, timeframe: str, count: int, *, forming: bool) -> Bars:
        """Return the last complete bars, with the one that forms now if that is wanted."""
        if count <= 0:
            return Bars.empty()
        # Asked first: whatever completes meanwhile is among the complete bars, so that none can be missing in between.
        # Of the base timeframe it is in shared memory, found there when no timeframe is named.
        named = None if timeframe == self._fleet.data.base_timeframe else timeframe
        now = self._data.forming_bar(instrument, named) if forming else None
        bars, _, _ = self._data.bars(instrument, timeframe, count=count)
        if now is None or (len(bars) and now.open_time_ns <= bars.open_time_ns[-1]):
            return bars
        return bars.append(Bars.from_rows([now]))

    def price(self, instrument: str) -> Tick | None:
        """Return the last price of an instrument."""
        found = self._data.last_price(instrument)
        return None if found is None else Tick(instrument, found.time_ns, found.received_ns, found.bid, found.ask)

    def account(self) -> AccountState:
        """Return the account's money."""
        now = self._broker.account(_ASK_S, money_only=True)
        return AccountState(now.name, now.currency, now.balance, now.equity, now.margin_used, Decimal(self._leverage))

    def closed_trades(self, count: int) -> tuple[Trade, ...]:
        """Return the last closed trades, newest first."""
        if self._closed is None or self._closed[0] != self._view.closes or self._closed[1] < count:
            closes = self._view.closes
            self._closed = (closes, count, self._broker.closed_trades(self._config.magic, count, _ASK_S))
        return self._closed[2][:count]
