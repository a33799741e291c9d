"""The vector engine makes the trades of the event engine: same prices, same sizes, same cents, same moments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from research.vector import Rules
from tests.support.event_runs import account_of, instance_of, plan_of, random_bars, run
from tests.support.vector_runs import Ordering, essence, in_events, in_vector, random_signals

PLAIN = {"slippage_pips": 0}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "plain": {"paper": PLAIN},
    "all the costs": {
        "paper": {
            **PLAIN, "commission_per_million": "37.5", "swap_long_frac": "-0.05", "swap_short_frac": "0.01",
            "extra_spread_pips": "0.3",
        },
    },
    "close to the margin": {"paper": {**PLAIN, "initial_balance": 3000, "leverage": 20, "margin_closeout_frac": 2}},
}  # fmt: skip


@pytest.mark.parametrize("symbol", ["EUR/USD", "USD/JPY"])
@pytest.mark.parametrize("account", ACCOUNTS)
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6), pace=st.sampled_from([0.02, 0.1, 0.3]), by_risk=st.booleans())
def test_the_trades_are_those_of_the_event_engine(
    account: str, symbol: str, seed: int, pace: float, by_risk: bool
) -> None:
    bars = random_bars(seed, 600, *((1.09, 1e-5) if symbol == "EUR/USD" else (147.0, 1e-3)))
    signals = random_signals(bars, seed, pace, by_risk=by_risk)
    config = account_of(trade={"max_price_age": "2d"}, **ACCOUNTS[account])
    expected = in_events(config, bars, signals, symbol)
    outcome, trades = in_vector(config, bars, signals, symbol)
    assert [essence(trade) for trade in trades] == [essence(trade) for trade in expected.trades]
    assert outcome.balance == round(expected.curve.balance[-1] * 100)
    assert np.all(outcome.trades["steps"] > 0)


@pytest.mark.parametrize("order_type", ["market", "limit", "stop"])
@settings(max_examples=9, deadline=None, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.02, 0.1, 0.3]),
    most=st.sampled_from([1, 3]),
    account=st.sampled_from(["plain", "all the costs"]),
    symbol=st.sampled_from(["EUR/USD", "USD/JPY"]),
    by_risk=st.booleans(),
)
def test_orders_that_wait_trailing_stops_and_pyramids_are_those_of_the_event_engine(
    order_type: Any, seed: int, pace: float, most: int, account: str, symbol: str, by_risk: bool
) -> None:
    bars = random_bars(seed, 600, *((1.09, 1e-5) if symbol == "EUR/USD" else (147.0, 1e-3)))
    signals = random_signals(bars, seed, pace, by_risk=by_risk)
    chance = np.random.default_rng(seed)
    trail = np.where(chance.random(len(bars)) < 0.4, bars.close * 4e-4, np.nan)
    signals = replace(signals, trailing_distance=trail)
    rules, price = Rules(order_type=order_type, most_trades=most), None
    if order_type != "market":
        away = chance.normal(2e-4, 2e-4, len(bars)) * signals.entry * (1 if order_type == "limit" else -1)
        price = bars.close * (1 - away)
    config = account_of(trade={"max_price_age": "2d"}, **ACCOUNTS[account])
    strategy = Ordering(bars, signals, rules, price, trail)
    expected = run(plan_of(config, [(instance_of(instrument=symbol), strategy)], {(symbol, "1m"): bars}))
    _, trades = in_vector(config, bars, signals, symbol, rules, price=price)
    assert [essence(trade) for trade in trades] == [essence(trade) for trade in expected.trades]
