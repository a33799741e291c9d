"""A signal strategy over bars in this process: its driver and the paper engine, and neither bus, gate nor journal."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from atrader.calendars import Calendar
from atrader.clock import MarketClock, iso_from_ns
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import KNOWN
from atrader.ledger import profit_of
from atrader.market import Bars
from atrader.messages.gateway import OrderAnswer
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from atrader.paper.engine import Engine
from atrader.paper.state import BookState
from atrader.signal_driver import SignalDriver
from atrader.sizing import units_for_risk
from atrader.strategy import SignalStrategy
from atrader.view import View
from broker_api.adapter import BrokerOrder, FillReport
from broker_api.client import BrokerClient
from data_layer.feeds.replay_steps import steps_of_bars
from tests.support.live_context import alone
from worker.bar_window import BarWindow
from worker.desk import Desk

_OPPOSITE = {"buy": "sell", "sell": "buy"}


class DirectBroker:
    """Takes intents straight to the engine and keeps the trades that come of them.

    Parameters
    ----------
    account : AccountConfig
        With a paper account.
    symbol : str
        What is traded.
    """

    def __init__(self, account: AccountConfig, symbol: str) -> None:
        self.account = account
        self.instrument = KNOWN[symbol]
        self.clock = MarketClock(0)
        self.view = View()
        self.trades: dict[str, Trade] = {}
        self.engine = Engine(account, {symbol: self.instrument}, self._calendar_of, _empty(account))
        self._tickets: dict[str, str] = {}  # trade by ticket

    def submit(self, intent: Intent, timeout_s: float) -> OrderAnswer:
        """Carry an intent out; the answer has the order with its outcome. The part of the client that a desk uses."""
        del timeout_s
        closes = self.trades[intent.trade_id] if intent.trade_id else None
        units = self._units_for(intent) if closes is None else closes.units
        order = BrokerOrder.model_validate(
            {
                "client_id": intent.client_id,
                "magic": intent.magic,
                "instance": intent.instance,
                "instrument": intent.instrument,
                "side": intent.side if closes is None else _OPPOSITE[closes.side],
                "order_type": "market",
                "units": units,
                "stop_loss": intent.stop_loss,
                "take_profit": intent.take_profit,
                "close_broker_trade_id": closes and next(t for t, i in self._tickets.items() if i == closes.trade_id),
            }
        )
        assert self.engine.submit(order, self.clock.now_ns()) is None
        self.take_fills(intent)
        answer = Order(
            client_id=intent.client_id, intent=intent, state=OrderState.FILLED, units=units, filled_units=units,
            created_ns=self.clock.now_ns(), updated_ns=self.clock.now_ns(),
        )  # fmt: skip
        return OrderAnswer(order=answer)

    def take_fills(self, intent: Intent | None = None) -> None:
        """Work in what the engine filled: by an order, or by quotes that met a stop."""
        for report in self.engine.take_changes().reports:
            if isinstance(report, FillReport):
                assert report.broker_trade_id is not None
                held = self._tickets.get(report.broker_trade_id)
                trade = self._opened(report, cast(Intent, intent)) if held is None else self._closed(report, held)
                self.trades[trade.trade_id] = trade
                self.view.see_trade(trade)

    def _opened(self, fill: FillReport, intent: Intent) -> Trade:
        self._tickets[str(fill.broker_trade_id)] = intent.client_id
        return Trade(
            trade_id=intent.client_id, account=self.account.name, magic=intent.magic, instance=intent.instance,
            instrument=fill.instrument, side=fill.side, units_opened=fill.units, units=fill.units,
            open_time_ns=fill.time_ns, open_price=fill.price, stop_loss=intent.stop_loss, commission=fill.commission,
        )  # fmt: skip

    def _closed(self, fill: FillReport, trade_id: str) -> Trade:
        trade = self.trades[trade_id]
        assert fill.units == trade.units
        digits = self.account.currency_digits
        profit = profit_of(trade.side, fill.units, trade.open_price, fill.price, fill.home_rate, digits)
        return trade.model_copy(
            update={
                "units": Decimal(0), "close_time_ns": fill.time_ns, "close_price": fill.price, "profit": profit,
                "commission": trade.commission + fill.commission, "version": trade.version + 1,
            }
        )  # fmt: skip

    def _units_for(self, intent: Intent) -> Decimal:
        if intent.units is not None:
            return intent.units
        bid, ask = self.engine.desks[self.instrument.symbol].prices()
        rate = self.engine.money.rate(self.instrument.quote)
        equity = self.engine.money.equity(self.engine.state)
        assert rate is not None
        assert intent.risk_frac is not None
        assert intent.stop_loss is not None
        entry = ask if intent.side == "buy" else bid
        return units_for_risk(equity, intent.risk_frac, entry, intent.stop_loss, rate, self.instrument)

    def _calendar_of(self, symbol: str) -> Calendar:
        return Calendar.get(KNOWN[symbol].calendar)


def _empty(account: AccountConfig) -> BookState:
    return BookState(balance=account.paper.initial_balance)


def run_directly(
    strategy: SignalStrategy, config: InstanceConfig, account: AccountConfig, bars: Bars, duration_ns: int
) -> list[Trade]:
    """Return the trades of a strategy over bars of its own timeframe, in the order they were opened."""
    broker = DirectBroker(account, config.instrument)
    desk = Desk(cast(BrokerClient, broker), broker.view, 0, lambda: False)
    context = alone(config, broker.clock, desk, broker.view)
    driver = SignalDriver(strategy)
    driver.context = context
    window = BarWindow(driver.warmup_bars)
    for step in steps_of_bars({config.instrument: bars}, duration_ns):
        for tick in step.ticks:
            broker.clock.advance(tick.time_ns)
        broker.engine.on_ticks(step.ticks)
        broker.take_fills()
        broker.clock.advance(step.market_ns)
        for _, bar in step.bars:
            window.append(bar)
            context.history = window.bars
            context.deciding(f"{config.timeframe}|{bar.open_time_ns}", step.market_ns)
            driver.on_bar(bar)
            context.deciding(None)
            desk.hand_over()
    return list(broker.trades.values())


def gist(trade: Trade) -> list[object]:
    """Return of a trade what `gist_of_row` returns of a row."""
    times = [None if ns is None else iso_from_ns(ns) for ns in (trade.open_time_ns, trade.close_time_ns)]
    money = (trade.units_opened, trade.open_price, trade.close_price, trade.profit, trade.commission)
    return [trade.trade_id, trade.side, *times, *money]


def gist_of_row(row: Mapping[str, Any]) -> list[object]:
    """Return of a row of ``history trades`` which trade it was: when, how much, at what prices, for how much."""
    money = [row[key] for key in ("units", "open_price", "close_price", "profit", "commission")]
    times = (row["open_time"], row["close_time"])
    return [row["trade_id"], row["side"], *times, *(None if one is None else Decimal(one) for one in money)]
