"""Calls of a strategy that take too long are told; what it loads before anything is decided is not."""

from __future__ import annotations

import pytest

from atrader.clock import NS_PER_S, MarketClock
from atrader.configuration.instance import InstanceConfig
from worker.strategy_call import Incident, StrategyCall

CONFIG = InstanceConfig.model_validate(
    {
        "name": "slow", "strategy": "sma-cross", "account": "paper", "magic": 1, "instrument": "EUR/USD",
        "timeframe": "1m", "time_budget": "500ms",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("what", "took_s", "told"),
    [("on_bar", 0.6, "on_bar took 0.600 s, more than time_budget = 0.5 s"), ("on_bar", 0.4, ""), ("on_start", 9.0, "")],
)
def test_a_call_longer_than_its_budget_is_told_but_for_the_start(what: str, took_s: float, told: str) -> None:
    clock, incidents = MarketClock(), list[Incident]()
    call = StrategyCall(CONFIG, clock, incidents.append, lambda _: None)
    assert call(what, lambda: clock.advance(int(took_s * NS_PER_S))) == "ok"
    assert [one.text for one in incidents] == ([told] if told else [])
