"""What a bar makes of its market counts from the next decision on: live a worker decides before the manager judged."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from atrader.clock import NS_PER_S, parse_time
from atrader.configuration.instance import InstanceConfig
from atrader.market import Bar, Bars
from atrader.selection.rule import timeline
from atrader.strategy import BaseParameters, EventStrategy
from research.events.engine import EventEngine
from research.events.result import Result
from tests.support.event_runs import account_of, instance_of, plan_of

MINUTE = 60 * NS_PER_S
BEGIN = parse_time("2024-06-04T10:00:00Z")
SELECTION = {
    "phases": ["trend"],
    "confirm_bars": 1,
    "min_dwell_bars": 0,
    "detector": {"adx_period": 6, "usual_bars": 10, "atr_bars": 3, "channel_bars": 5},
}


class Buyer(EventStrategy):
    """Wants to buy at every bar."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())

    def on_bar(self, bar: Bar) -> None:
        self.context.order("buy", units=Decimal(1000), stop_loss=Decimal("1.06"))


def moving_bars(count: int = 120) -> Bars:
    """Return bars that go nowhere, then only up, then nowhere again."""
    closes = 1.1 + np.random.default_rng(4).normal(0, 0.001, count)
    closes += 0.002 * np.clip(np.arange(count) - 50, 0, 15)
    opens = np.concatenate((closes[:1], closes[:-1]))
    bids = (opens, np.maximum(opens, closes) + 0.0005, np.minimum(opens, closes) - 0.0005, closes)
    times = BEGIN + np.arange(count) * MINUTE
    return Bars(times, *bids, *(column + 2e-5 for column in bids), np.ones(count))


def run_over(config: InstanceConfig, bars: Bars) -> Result:
    limits = {"limits": {"max_open_trades": 100}, "trade": {"price_band_frac": 0.2}}
    account = account_of(paper={"initial_balance": 1_000_000}, **limits)
    return EventEngine(plan_of(account, [(config, Buyer())], {("EUR/USD", "1m"): bars})).run()


def test_a_decision_goes_by_the_market_of_the_bars_before_its_own() -> None:
    bars, config = moving_bars(), instance_of(selection=SELECTION)
    assert config.selection is not None
    active = timeline(config.selection, bars)
    switches = np.flatnonzero(np.diff(active))
    assert len(switches) >= 2, "the market has to change"
    opened = [(trade.open_time_ns - BEGIN) // MINUTE - 1 for trade in run_over(config, bars).trades]
    assert opened == (np.flatnonzero(active[:-1]) + 1).tolist()


def test_what_a_selection_refuses_says_so_and_names_no_resume() -> None:
    bars, config = moving_bars(), instance_of(selection=SELECTION)
    (reason, *others) = {order.reason for order in run_over(config, bars).orders if order.reason.startswith("trading")}
    assert not others
    assert reason == (
        "trading-state: one is REDUCING by selection: 'atrader-manager status' says why (setting: strategy: selection)"
    )
