"""Bracket, and the parts that it takes: a day computed by hand, trades that are over, trades without a stop."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np

from atrader.clock import parse_time
from atrader.instruments import KNOWN
from atrader.market import Bar, Bars, Tick
from atrader.orders.model import Trade
from atrader.strategy import EventStrategy
from tests.support.event_runs import MINUTE, account_of, instance_of, plan_of, run
from tests.support.session_bars import FREE
from worker.loading import load_strategy, make_strategy
from worker.strategies.partial_exits import PartialExitParameters, PartialExits

D = Decimal
PAIR = "EUR/USD"


def minutes(rows: list[tuple[float, float, float, float]]) -> Bars:
    """Return minutes with these bids and an ask one pip above."""
    times = parse_time("2024-06-04T10:00Z") + np.arange(len(rows)) * MINUTE
    bids = np.array(rows).T
    return Bars(times, *bids, *np.round(bids + 0.0001, 5), np.ones(len(rows)))


QUIET = [(1.1000, 1.1005, 1.0995, 1.1000)]


def test_a_day_of_bracket_computed_by_hand() -> None:
    # The ATR of quiet minutes is 10 pips. The bar that breaks out has 20, so that it is 15 then: bought at the ask,
    # 1.1011, with the stop two of them below the close, 1.0980. R is 31 pips; 1 % of 10,000 is 100: 32,258 units.
    # 1 R is 1.1042: 0.4 of them, 12,903, go at the high of the next bar, 1.1045, and the stop is at 1.1011.
    # 2 R is 1.1073: 0.3, 9,677, go at 1.1080. The ATR is 30 then, and 75 below the close is no better stop; after the
    # next bar it is 35, and the stop 1.1120 - 0.00875 = 1.10325. The bar that falls through it ends the rest.
    strategy = make_strategy(load_strategy("bracket", Path("/")), {"lookback": 2, "atr_period": 2}, "bracket")
    assert isinstance(strategy, EventStrategy)
    moves = [
        (1.1000, 1.1015, 1.0995, 1.1010),
        (1.1010, 1.1045, 1.1010, 1.1045),
        (1.1045, 1.1080, 1.1045, 1.1080),
        (1.1080, 1.1120, 1.1080, 1.1120),
        (1.1120, 1.1120, 1.1020, 1.1020),
    ]
    bars = minutes([*QUIET * (strategy.warmup_bars + 5), *moves])
    config = instance_of(strategy="bracket")
    result = run(plan_of(account_of(paper=FREE), [(config, strategy)], {(PAIR, "1m"): bars}))
    (trade,) = result.closed
    assert (trade.side, trade.open_price, trade.units_opened) == ("buy", D("1.1011"), D(32_258))
    assert (trade.initial_stop, trade.stop_loss, trade.close_reason) == (D("1.0980"), D("1.10325"), "stop-loss")
    wanted = [order.intent for order in result.orders if order.intent.action != "open"]
    assert [(one.action, one.reason, one.units) for one in wanted] == [
        ("close", "target 1 R", D(12_903)),
        ("modify", "break even", None),
        ("close", "target 2 R", D(9_677)),
        ("modify", "trail", None),
    ]
    assert trade.profit == D("43.87") + D("66.77") + D("8.71")  # 34, 69 and 9 pips of 12,903, 9,677 and 9,678 units
    assert trade.trade_id not in strategy.context.state, "what is over is forgotten"


class InParts(EventStrategy):
    """Buys once, with or without a stop, and leaves the rest to its partial exits."""

    Parameters = PartialExitParameters
    parameters: PartialExitParameters

    def __init__(self, stop: Decimal | None) -> None:
        super().__init__(PartialExitParameters())
        self.exits, self.stop = PartialExits(self.parameters), stop
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            self.context.order("buy", units=D(1000), stop_loss=self.stop)
        elif self.bars == 4:
            for trade in self.context.trades():
                self.context.close(trade.trade_id)

    def on_tick(self, tick: Tick) -> None:
        self.exits.on_tick(self.context, tick)

    def on_trade(self, trade: Trade) -> None:
        self.exits.on_trade(self.context, trade)


def test_a_trade_without_a_stop_has_no_risk_and_is_left_whole() -> None:
    rises = [(1.1, 1.1, 1.1, 1.1), (1.1, 1.15, 1.1, 1.15), (1.15, 1.2, 1.15, 1.2), (1.2, 1.2, 1.2, 1.2)]

    def closes(stop: Decimal | None) -> list[Decimal]:
        strategy = InParts(stop)
        result = run(plan_of(account_of(paper=FREE), [(instance_of(), strategy)], {(PAIR, "1m"): minutes(rises)}))
        (trade,) = result.closed
        assert trade.trade_id not in strategy.context.state
        return [order.filled_units for order in result.orders if order.intent.action == "close"]

    assert KNOWN[PAIR].unit_step == 1
    assert closes(None) == [1000]
    assert closes(D("1.09")) == [400, 300, 300]  # R is 0.0101: both targets lie below 1.15
