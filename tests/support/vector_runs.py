"""The same signals through the vector engine and the event engine, and their trades in one form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.instruments import KNOWN, Instrument
from atrader.market import Bar, Bars, decimal_price
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, EventStrategy, Signals, SignalStrategy
from research.events.result import Result
from research.vector import Decisions, Outcome, Prices, Rules, Schedule, Terms, simulate
from research.vector.rows import trades_of
from tests.support.event_runs import MINUTE, instance_of, plan_of, run

Floats = NDArray[np.float64]


class Told(SignalStrategy):
    """Answers with the rows of arrays worked out before; the first bar of each window tells which they are."""

    def __init__(self, bars: Bars, signals: Signals, *, warmup_bars: int = 1) -> None:
        super().__init__(BaseParameters())
        self._row_of = {time_ns: row for row, time_ns in enumerate(bars.open_time_ns.tolist())}
        self._signals = signals
        self._warmup_bars = warmup_bars

    @property
    def warmup_bars(self) -> int:
        return self._warmup_bars

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        first = self._row_of[int(bars.open_time_ns[0])]
        rows = slice(first, first + len(bars))
        columns = ("entry", "exit", "stop_loss", "take_profit", "trailing_distance", "risk_frac", "units")
        whole = {name: getattr(self._signals, name) for name in columns}
        cut: dict[str, Any] = {name: None if one is None else one[rows] for name, one in whole.items()}
        return Signals(**cut, indicators={"close": bars.close})


class Ordering(EventStrategy):
    """Carries signals out with any kind of order, by the rules of the vector engine, as a strategy would by itself."""

    def __init__(
        self,
        bars: Bars,
        signals: Signals,
        rules: Rules,
        price: Floats | None,
        trail: Floats,
        *,
        length_ns: int = 60_000_000_000,
    ) -> None:
        super().__init__(BaseParameters())
        self._length_ns = length_ns
        self._row_of = {time_ns: row for row, time_ns in enumerate(bars.open_time_ns.tolist())}
        self._signals, self._rules, self._price, self._trail = signals, rules, price, trail
        self._leaving: set[str] = set()

    def on_bar(self, bar: Bar) -> None:
        row = self._row_of[bar.open_time_ns]
        entry, leave = int(self._signals.entry[row]), int(self._signals.exit[row])
        trades, orders = self.context.trades(), self.context.orders()
        for side, name in ((1, "buy"), (-1, "sell")):
            if leave in (side, 2) or entry == -side:
                self._leaving |= {trade.trade_id for trade in trades if trade.side == name}
                for order in orders:
                    if order.intent.side == name:
                        self.context.cancel(order.client_id)
        for trade in trades:
            if trade.trade_id in self._leaving:  # again, if the market was closed the last time
                self.context.close(trade.trade_id, reason="signal exit")
        same = "buy" if entry > 0 else "sell"
        if not entry or sum(trade.side == same for trade in trades) >= self._rules.most_trades:
            return
        for order in orders:
            if order.intent.side == same:
                self.context.cancel(order.client_id)
        is_halted = not Calendar.get("fx").is_open(bar.open_time_ns + self._length_ns)
        if is_halted and any(trade.side != same for trade in trades):
            return  # what is to be closed first stays open until the market opens
        tick, one = self.context.instrument.price_tick, self._signals
        assert one.stop_loss is not None
        assert one.take_profit is not None
        self.context.order(
            "buy" if entry > 0 else "sell",
            units=_number(one.units, row),
            risk_frac=_number(one.risk_frac, row),
            order_type=self._rules.order_type,
            price=None if self._price is None else decimal_price(float(self._price[row]), tick),
            stop_loss=_money(one.stop_loss[row], tick),
            take_profit=_money(one.take_profit[row], tick),
            trailing_distance=_money(self._trail[row], tick),
        )


def _number(column: Floats | None, row: int) -> Decimal | None:
    return None if column is None else Decimal(repr(float(column[row])))


def _money(price: float, tick: Decimal) -> Decimal | None:
    return None if np.isnan(price) else decimal_price(float(price), tick)


def random_signals(bars: Bars, seed: int, pace: float, *, by_risk: bool, as_distances: bool = False) -> Signals:
    """Return signals of chance, with stops and targets near the close, or the distances to them."""
    chance = np.random.default_rng(seed)
    count = len(bars)
    entry = chance.choice(np.array([-1, 0, 1], np.int8), count, p=[pace, 1 - 2 * pace, pace])
    leave = chance.choice(np.array([-1, 0, 1, 2], np.int8), count, p=[pace / 2, 1 - 1.5 * pace, pace / 2, pace / 2])
    away = np.abs(chance.normal(3e-4, 3e-4, (2, count))) * bars.close
    target = away[0].copy() if as_distances else bars.close + entry * away[0]
    target[chance.random(count) < 0.4] = np.nan
    stop = away[1] if as_distances else bars.close - entry * away[1]
    if not by_risk:
        stop[chance.random(count) < 0.3] = np.nan
    return Signals(
        entry=entry,
        exit=leave,
        stop_loss=stop,
        take_profit=target,
        risk_frac=np.where(chance.random(count) < 0.5, 0.01, 0.003) if by_risk else None,
        units=None if by_risk else chance.integers(1, 20_000, count).astype(float),
    )


def in_events(account: AccountConfig, bars: Bars, signals: Signals, symbol: str) -> Result:
    """Run the signals through the event engine."""
    config = instance_of(instrument=symbol)
    return run(plan_of(account, [(config, Told(bars, signals))], {(symbol, "1m"): bars}))


def in_vector(
    account: AccountConfig,
    bars: Bars,
    signals: Signals,
    symbol: str,
    rules: Rules | None = None,
    *,
    price: Floats | None = None,
) -> tuple[Outcome, list[Trade]]:
    """Run the signals through the vector engine, by the paper account's rules."""
    instrument, rules = KNOWN[symbol], rules or Rules()
    terms = Terms.of(account, instrument)
    prices = Prices.of(bars, terms, MINUTE)
    decisions = Decisions.of(signals, prices, instrument, rules, price=price)
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    outcome = simulate(prices, decisions, rules, terms, schedule=schedule)
    return outcome, trades_of(outcome, prices, terms, instance_of(instrument=symbol))


def essence(trade: Trade) -> tuple[object, ...]:
    """Return what two engines must agree on: all but names and versions."""
    return (
        trade.side, trade.units_opened, trade.units, trade.open_time_ns, trade.open_price, trade.close_time_ns,
        trade.close_price, trade.close_reason, trade.profit, trade.commission, trade.swap,
    )  # fmt: skip
