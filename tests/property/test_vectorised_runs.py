"""A plan gives the same findings in both engines, to the digit: trades, orders, signals, equity, days."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from atrader.clock import parse_time
from atrader.market import Bars
from atrader.strategy import Signals
from research.events.findings import Findings
from research.events.plan import Plan
from research.events.tape import BarTape
from research.events.traded import Traded
from research.reports.excursions import inside_bars
from research.reports.rows import in_plain, order_columns, signal_columns, trade_columns
from research.reports.trades import rows_of
from research.vector import Rules
from research.vector.rules import Convention, Target
from research.vectorised import NotVector, run_vector, why_not_same, why_not_vector
from research.vectorised.traded import floats_of
from tests.support.event_runs import MINUTE, account_of, instance_of, plan_of, random_bars, run
from tests.support.vector_runs import Told, random_signals

pytestmark = pytest.mark.property

PLAIN = {"slippage_pips": 0}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "plain": {"paper": PLAIN},
    "all the costs": {
        "paper": {
            **PLAIN, "commission_per_million": "37.5", "swap_long_frac": "-0.05", "swap_short_frac": "0.01",
            "extra_spread_pips": "0.3",
        },
        "trade": {"max_risk_frac": "0.011"},
    },
    "slippage": {"paper": {"slippage_pips": "0.7", "seed": 5, "commission_per_million": "20"}},
    "slippage of a point": {"paper": {"slippage_pips": "0.05"}},
    "slippage close to the margin": {
        "paper": {"slippage_pips": 3, "initial_balance": 3000, "leverage": 20, "margin_closeout_frac": 2},
    },
    "close to the margin": {"paper": {**PLAIN, "initial_balance": 3000, "leverage": 20, "margin_closeout_frac": 2}},
}  # fmt: skip


def plan_with(account: str, symbol: str, seed: int, pace: float, *, by_risk: bool) -> Plan:
    bars = random_bars(seed, 600, *((1.09, 1e-5) if symbol == "EUR/USD" else (147.0, 1e-3)))
    signals = random_signals(bars, seed, pace, by_risk=by_risk)
    behind = np.where(np.random.default_rng(seed).random(len(bars)) < 0.4, bars.close * 4e-4, np.nan)
    strategy = Told(bars, replace(signals, trailing_distance=behind) if seed % 2 else signals, warmup_bars=3)
    instance = (instance_of(instrument=symbol), strategy)
    plan = plan_of(account_of(**ACCOUNTS[account]), [instance], {(symbol, "1m"): bars})
    return replace(plan, tapes=[BarTape(symbol, bars[40:], MINUTE)])  # what lies before is for the indicators


def kept(findings: Findings) -> dict[str, Any]:
    """Return everything that is kept of a run; of a refusal what counts it, not the figures in its text."""
    orders = rows_of(order_columns(findings.orders))
    return {
        "trades": in_plain(trade_columns(findings.trades)),
        "closed": [trade.trade_id for trade in findings.closed],
        "orders": [{**row, "reason": row["reason"].partition(":")[0]} for row in orders],
        "signals": signal_columns(findings.signals),
        "alerts": list(findings.alerts),
        "bars": dict(findings.bars),
        "errors": dict(findings.errors),
        "refused": findings.refused,
        **{name: getattr(findings.curve, name).tolist() for name in ("time_ns", "balance", "equity", "long", "short")},
    }


@pytest.mark.parametrize("symbol", ["EUR/USD", "USD/JPY"])
@pytest.mark.parametrize("account", ACCOUNTS)
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6), pace=st.sampled_from([0.02, 0.1, 0.3]), by_risk=st.booleans())
def test_the_findings_are_those_of_the_event_engine(
    account: str, symbol: str, seed: int, pace: float, by_risk: bool
) -> None:
    by_risk = by_risk or "trade" in ACCOUNTS[account]  # what a fixed size risks is not known beforehand
    plan = plan_with(account, symbol, seed, pace, by_risk=by_risk)
    ((config, strategy),) = plan.instances
    assert why_not_vector(plan.account, config, strategy) is None
    assert why_not_same(plan) is None
    events, vector = kept(run(plan)), kept(run_vector(plan))
    assert len(events["orders"]) > 3
    for name, expected in events.items():
        assert vector[name] == expected, name


@pytest.mark.parametrize("symbol", ["EUR/USD", "USD/JPY"])
@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.02, 0.1, 0.3]),
    most=st.sampled_from(["0.0003", "0.0012", "0.0016", "0.02"]),
    slippage=st.sampled_from(["0", "0.4"]),
)
def test_a_fixed_size_is_held_against_the_limit_of_the_risk(
    symbol: str, seed: int, pace: float, most: str, slippage: str
) -> None:
    bars = random_bars(seed, 400, *((1.09, 1e-5) if symbol == "EUR/USD" else (147.0, 1e-3)))
    signals = random_signals(bars, seed, pace, by_risk=False)
    assert signals.stop_loss is not None
    stops = np.where(np.isnan(signals.stop_loss), bars.close * (1 - 2e-4 * signals.entry), signals.stop_loss)
    strategy = Told(bars, replace(signals, stop_loss=stops), warmup_bars=3)
    paper = {"slippage_pips": slippage, "extra_spread_pips": "0.3"}
    account = account_of(paper=paper, trade={"max_risk_frac": most})
    plan = plan_of(account, [(instance_of(instrument=symbol), strategy)], {(symbol, "1m"): bars})
    events = run(plan)
    vector = None
    with suppress(NotVector):
        vector = kept(run_vector(plan))
    if vector is None:
        assert any(order.reason.startswith("max-risk") for order in events.orders)
        return
    for name, expected in kept(events).items():
        assert vector[name] == expected, name


def test_a_fixed_size_that_risks_too_much_is_named_with_key_and_share() -> None:
    bars = random_bars(3, 400, 1.09, 1e-5)
    signals = random_signals(bars, 3, 0.1, by_risk=False)
    strategy = Told(bars, replace(signals, stop_loss=bars.close * (1 - 1e-3 * signals.entry)), warmup_bars=3)
    account = account_of(paper=PLAIN, trade={"max_risk_frac": "0.001"})
    plan = plan_of(account, [(instance_of(), strategy)], {("EUR/USD", "1m"): bars})
    with pytest.raises(NotVector, match=r"trade\.max_risk_frac = 0\.001 refuses .* \(a fixed size risks up to 0\.2\d%"):
        run_vector(plan)


def test_a_fixed_size_beside_other_trades_is_not_held_against_the_balance_alone() -> None:
    bars = random_bars(3, 400, 1.09, 1e-5)
    signals = random_signals(bars, 3, 0.3, by_risk=False)
    strategy = Told(bars, replace(signals, stop_loss=bars.close * (1 - 1e-3 * signals.entry)), warmup_bars=3)
    plan = plan_of(
        account_of(paper=PLAIN, trade={"max_risk_frac": "0.5"}), [(instance_of(), strategy)], {("EUR/USD", "1m"): bars}
    )
    assert len(run_vector(plan).trades) > 0
    with pytest.raises(NotVector, match="one trade at a time only, and there may be 3"):
        run_vector(plan, Rules(most_trades=3))


@pytest.mark.parametrize("by_risk", [False, True])
@pytest.mark.parametrize("account", ACCOUNTS)
@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 10**6), pace=st.sampled_from([0.02, 0.1, 0.3]), targets=st.booleans())
def test_trades_as_columns_are_those_of_each_trade(
    account: str, by_risk: bool, seed: int, pace: float, targets: bool
) -> None:
    by_risk = by_risk or "trade" in ACCOUNTS[account]
    plan = plan_with(account, "EUR/USD", seed, pace, by_risk=by_risk)
    rules = Rules(targets=(Target(1.0, 0.5), Target(2.0, 0.3)), most_trades=3) if targets and by_risk else Rules()
    findings = run_vector(plan, rules)
    rows = rows_of(trade_columns(findings.trades))
    assert findings.traded is not None
    for found, expected in zip(flat(findings.traded), flat(Traded.of(rows)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_both_engines_tell_of_a_bar_that_held_the_stop_and_the_target_of_its_trade() -> None:
    rows = np.full((30, 4), 1.1)
    rows[10] = 1.1, 1.104, 1.096, 1.098  # falls: high before low, so that the target is reached before the stop
    times = parse_time("2024-03-05T10:00:00Z") + np.arange(30) * MINUTE
    bars = Bars(times, *rows.T, *(rows.T + 1e-5), np.ones(30))
    entry, stop, target = np.zeros(30, np.int8), *np.full((2, 30), np.nan)
    entry[5], stop[5], target[5] = 1, 1.097, 1.103
    signals = Signals(entry, np.zeros(30, np.int8), stop_loss=stop, take_profit=target, units=np.full(30, 1000.0))
    strategy = Told(bars, signals, warmup_bars=3)
    plan = plan_of(account_of(paper=PLAIN), [(instance_of(), strategy)], {("EUR/USD", "1m"): bars})
    events, vector = run(plan), run_vector(plan)
    (trade,) = events.closed
    assert (trade.close_reason, trade.close_price) == ("take-profit", Decimal("1.103"))
    assert vector.traded is not None
    for traded in (Traded.of(rows_of(trade_columns(events.trades))), vector.traded):
        assert inside_bars(traded, plan.tapes).both_in_bar.tolist() == [True]
    by_range = run_vector(plan, Rules(convention=Convention(inside="range")))
    assert [(one.close_reason, one.close_price) for one in by_range.closed] == [("stop-loss", Decimal("1.097"))]
    assert by_range.traded is not None
    assert inside_bars(by_range.traded, plan.tapes).both_in_bar.tolist() == [True]


def flat(traded: Traded) -> list[Any]:
    """Return all columns."""
    return [*traded[:-1], *(getattr(traded.columns, name) for name in traded.columns.__slots__)]


@given(
    numbers=st.lists(st.integers(-(2**62), 2**62) | st.integers(-(10**6), 10**6)),
    unit=st.decimals(min_value="1e-9", max_value="1e4", places=9).filter(bool),
)
def test_so_many_units_are_rounded_once(numbers: list[int], unit: Decimal) -> None:
    found = floats_of(np.array(numbers, np.int64), unit)
    assert found.tolist() == [float(number * unit) for number in numbers]
