"""The same signals through the vector engine and the event engine, and their trades in one form."""

from __future__ import annotations

from typing import Any

import numpy as np

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.instruments import KNOWN, Instrument
from atrader.market import Bars
from atrader.orders.model import Trade
from atrader.strategy import BaseParameters, Signals, SignalStrategy
from research.events import Result
from research.vector import Decisions, Outcome, Prices, Rules, Schedule, Terms, simulate
from research.vector.rows import trades_of
from tests.support.event_runs import MINUTE, instance_of, plan_of, run


class Told(SignalStrategy):
    """Answers with the rows of arrays worked out before."""

    def __init__(self, bars: Bars, signals: Signals) -> None:
        super().__init__(BaseParameters())
        self._row_of = {time_ns: row for row, time_ns in enumerate(bars.open_time_ns.tolist())}
        self._signals = signals

    @property
    def warmup_bars(self) -> int:
        return 1

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        row = self._row_of[int(bars.open_time_ns[-1])]
        columns = ("entry", "exit", "stop_loss", "take_profit", "risk_frac", "units")
        whole = {name: getattr(self._signals, name) for name in columns}
        cut: dict[str, Any] = {name: None if one is None else one[row : row + 1] for name, one in whole.items()}
        return Signals(**cut)


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
    account: AccountConfig, bars: Bars, signals: Signals, symbol: str, **settings: Any
) -> tuple[Outcome, list[Trade]]:
    """Run the signals through the vector engine, by the paper account's rules."""
    instrument, rules = KNOWN[symbol], Rules()
    terms = Terms.of(account, instrument)
    prices = Prices.of(bars, terms, MINUTE)
    decisions = Decisions.of(signals, prices, instrument, rules)
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    outcome = simulate(prices, decisions, rules, terms, schedule=schedule, **settings)
    return outcome, trades_of(outcome, prices, terms, instance_of(instrument=symbol))


def essence(trade: Trade) -> tuple[object, ...]:
    """Return what two engines must agree on: all but names and versions."""
    return (
        trade.side, trade.units_opened, trade.units, trade.open_time_ns, trade.open_price, trade.close_time_ns,
        trade.close_price, trade.close_reason, trade.profit, trade.commission, trade.swap,
    )  # fmt: skip
