"""Filters of entries: what they forbid, and that exits are out of their reach."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from atrader.clock import MarketClock
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import known_instrument
from atrader.market import Bars
from atrader.orders.model import Trade
from atrader.strategy import EventStrategy, Signals, SignalStrategy
from atrader.view import View
from broker_api.client import BrokerClient
from tests.support.live_context import alone
from tests.support.made_bars import bars_of_closes
from worker.desk import Desk
from worker.loading import load_strategy, make_strategy
from worker.strategies.arrays import closed_sides, exit_codes
from worker.strategies.filters import MomentumFilter, RegimeFilter, filtered, may_enter

pytestmark = pytest.mark.unit

EUR_USD = known_instrument("EUR/USD")
NAMES = ("atr-cross", "bollinger", "breakout", "ema-cross", "rsi", "sma-cross", "trend")


def test_the_worked_day_of_the_regime_filter() -> None:
    # change:     +1   +2     +1     -2     -2
    # sums of +DM: 1   2.5    2.25   1.125  0.5625     S - S / 2 + new
    # sums of -DM: 0   0      0      2      3
    # DX:              100    100    28     68.4       |+DM - -DM| / (+DM + -DM): the range cancels out
    # ADX:                    100    64     66.2       (bars 3 to 5)
    bars = bars_of_closes([10.0, 11.0, 13.0, 14.0, 12.0, 10.0])
    trend = RegimeFilter(adx_period=2, threshold=65).allowed(bars, EUR_USD)
    assert np.flatnonzero(trend.long).tolist() == [3]
    assert np.flatnonzero(trend.short).tolist() == [5]
    assert trend.indicators["adx_2"][3:].tolist() == pytest.approx([100, 64, (64 + 100 * 2.4375 / 3.5625) / 2])
    either = RegimeFilter(adx_period=2, threshold=65, with_direction=False).allowed(bars, EUR_USD)
    assert np.flatnonzero(either.long).tolist() == np.flatnonzero(either.short).tolist() == [3, 5]
    calm = RegimeFilter(adx_period=2, threshold=65, wanted="range").allowed(bars, EUR_USD)
    assert np.flatnonzero(calm.long).tolist() == np.flatnonzero(calm.short).tolist() == [4]


def test_the_worked_day_of_the_momentum_filter() -> None:
    bars = bars_of_closes([100.0, 101.0, 100.0, 103.0, 99.0])
    answer = MomentumFilter(period=2, least_frac=0.015).allowed(bars, EUR_USD)  # 0 %, 1.98 %, -1 %
    assert np.flatnonzero(answer.long).tolist() == [3]
    assert not answer.short.any()


def test_an_entry_that_is_dropped_leaves_the_exit_it_would_have_been() -> None:
    bars = bars_of_closes([10.0, 11.0, 12.0, 13.0])  # rises: the filter forbids shorts, and all on the first bar
    signals = Signals(entry=np.array([1, -1, -1, 1], np.int8), exit=np.array([0, 0, -1, 0], np.int8))
    kept = filtered(signals, (MomentumFilter(period=1),), bars, EUR_USD)
    assert kept.entry.tolist() == [0, 0, 0, 1]
    # Bar 0 would have closed a short, bar 1 a long; bar 2 a long besides the short that it closes anyway.
    assert kept.exit.tolist() == [-1, 1, 2, 0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wanted", ["trend", "range"])
def test_whatever_closed_a_trade_without_filters_closes_it_with_them(name: str, wanted: str) -> None:
    bars = bars_of_closes(list(100 + np.cumsum(np.random.default_rng(3).normal(0, 1, 1500).round(1))))
    plain, kept = (_signals(name, filters, bars) for filters in ([], [{"kind": "regime", "wanted": wanted}]))
    for before, after in zip(_closing(plain), _closing(kept), strict=True):
        np.testing.assert_array_equal(before, after)
    dropped = plain.entry != kept.entry
    assert dropped.any(), "the filter had nothing to do"
    assert not kept.entry[dropped].any()


def _signals(name: str, filters: Sequence[object], bars: Bars) -> Signals:
    strategy = make_strategy(load_strategy(name, Path()), {"filters": filters}, "x")
    assert isinstance(strategy, SignalStrategy)
    return strategy.signals(bars, EUR_USD)


def _closing(signals: Signals) -> tuple[np.ndarray, np.ndarray]:
    """Return at which bars a long that is open would be closed, and a short."""
    close_long, close_short = closed_sides(signals.exit)
    return close_long | (signals.entry == -1), close_short | (signals.entry == 1)


def test_codes_of_exits_are_read_as_they_were_written() -> None:
    long, short = np.array([True, False, True, False]), np.array([False, True, True, False])
    assert exit_codes(long, short).tolist() == [1, -1, 2, 0]
    for written, read in zip((long, short), closed_sides(exit_codes(long, short)), strict=True):
        np.testing.assert_array_equal(written, read)


def test_an_event_strategy_asks_about_the_last_bar_and_is_told_no_without_bars() -> None:
    bars = bars_of_closes([10.0, 11.0, 12.0])
    filters = (MomentumFilter(period=1),)
    assert may_enter("buy", filters, bars, EUR_USD)
    assert not may_enter("sell", filters, bars, EUR_USD)
    assert not may_enter("buy", filters, bars[:0], EUR_USD)
    unsure = (RegimeFilter(adx_period=2, threshold=5.0, with_direction=False),)
    assert unsure[0].allowed(bars_of_closes([*range(10, 30)]), EUR_USD).long[-1]
    assert not may_enter("buy", unsure, bars_of_closes([*range(10, 30)]), EUR_USD), "its seeds are not forgotten yet"
    assert may_enter("sell", (), bars[:0], EUR_USD)


def test_a_strategy_waits_for_the_warm_up_of_its_filters() -> None:
    kind = load_strategy("sma-cross", Path())
    plain = make_strategy(kind, {"slow": 11, "atr_period": 2}, "x").warmup_bars
    slow = {"kind": "regime", "adx_period": 50}
    filtered_one = make_strategy(kind, {"slow": 11, "atr_period": 2, "filters": [slow]}, "x")
    assert isinstance(filtered_one, SignalStrategy)
    assert filtered_one.warmup_bars > 20 * plain
    assert filtered_one.exit_bars == plain, "exits wait for no filter"


def test_a_bracket_trails_although_its_filters_want_more_bars_than_there_are() -> None:
    config = InstanceConfig.model_validate(
        {"name": "i", "strategy": "bracket", "account": "a", "magic": 1, "instrument": "EUR/USD", "timeframe": "1m"}
    )
    slow = {"lookback": 2, "atr_period": 2, "filters": [{"kind": "regime", "adx_period": 200}]}
    strategy = make_strategy(load_strategy("bracket", Path()), slow, "x")
    assert isinstance(strategy, EventStrategy)
    view = View()
    desk = Desk(cast(BrokerClient, None), view, 0, lambda: True)
    context = strategy.context = alone(config, MarketClock(5_000), desk, view)
    context.history = bars = bars_of_closes([*range(10, 60)])
    context.state = {"t": {"stage": 1}}
    view.see_trade(
        Trade(
            trade_id="t", account="a", magic=1, instance="i", instrument="EUR/USD", side="buy", units=Decimal(1000),
            units_opened=Decimal(1000), open_time_ns=1, open_price=Decimal(10), stop_loss=Decimal(9), version=1,
        )
    )  # fmt: skip
    assert len(bars) < strategy.warmup_bars
    strategy.on_bar(bars.row(-1))
    assert [intent.action for intent in desk.waiting] == ["modify"]
