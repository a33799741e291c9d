"""The two executions of the vector engine agree to the last bit, whatever the rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrader.calendars import Calendar
from atrader.instruments import KNOWN
from research.vector import (
    CONVENTIONS,
    Decisions,
    Execution,
    Outcome,
    Prices,
    Reason,
    Refusal,
    Rules,
    Schedule,
    Target,
    Terms,
    built,
    equity_at,
    simulate,
)
from research.vector.plain import is_plain
from research.vector.settings import Settings
from tests.support.event_runs import MINUTE, random_bars
from tests.support.vector_runs import random_signals

D = Decimal
TARGETS = (
    (),
    (Target(1.0, 0.4),),
    (Target(0.5, 0.3), Target(1.0, 0.3), Target(2.5, 0.2)),
    (Target(0.4, 0.5), Target(0.8, 0.5)),
)
ENGINES: tuple[Literal["compiled", "reference"], ...] = ("compiled", "reference")
needs_compiler = pytest.mark.skipif(not built.is_there, reason="the compiled execution was not built")

rules_drawn = st.builds(
    Rules,
    convention=st.sampled_from(list(CONVENTIONS.values())),
    order_type=st.sampled_from(["market", "limit", "stop"]),
    order_bars=st.sampled_from([None, 3, 20]),
    hold_bars=st.sampled_from([None, 5, 40]),
    distances=st.booleans(),
    targets=st.sampled_from(TARGETS),
    most_trades=st.sampled_from([1, 1, 3]),
)
terms_drawn = st.builds(
    Terms,
    instrument=st.sampled_from([KNOWN["EUR/USD"], KNOWN["USD/JPY"], KNOWN["EUR/GBP"]]),
    initial_balance=st.sampled_from([D(10_000), D(2_000)]),
    currency_digits=st.sampled_from([0, 2, 4]),
    extra_spread_pips=st.sampled_from([D(0), D("0.3")]),
    slippage_ticks=st.sampled_from([0, 2]),
    commission_per_million=st.sampled_from([D(0), D("37.5")]),
    swap_long_frac=st.sampled_from([D(0), D("-0.05")]),
    swap_short_frac=st.sampled_from([D(0), D("0.01")]),
    margin_frac=st.sampled_from([None, D("0.05"), D("0.0333")]),
    margin_closeout_frac=st.sampled_from([D("0.5"), D(2)]),
)


def play(rules: Rules, terms: Terms, seed: int, pace: float, *, trails: bool, by_risk: bool) -> tuple[Outcome, Outcome]:
    symbol = terms.instrument.symbol
    bars = random_bars(seed, 500, *((147.0, 1e-3) if symbol == "USD/JPY" else (1.09, 1e-5)))
    signals = random_signals(bars, seed, pace, by_risk=by_risk)
    chance = np.random.default_rng(seed)
    more: dict[str, Any] = {}
    if rules.distances:
        signals = random_signals(bars, seed, pace, by_risk=by_risk, as_distances=True)
    if rules.order_type != "market":
        below = signals.entry * (1 if rules.order_type == "limit" else -1)
        more["price"] = bars.close * (1 - below * np.abs(chance.normal(0, 2e-4, len(bars))))
    if trails:
        trail = np.where(chance.random(len(bars)) < 0.5, bars.close * 3e-4, np.nan)
        signals = replace(signals, trailing_distance=trail)
    prices = Prices.of(bars, terms, MINUTE)
    decisions = Decisions.of(signals, prices, terms.instrument, rules, **more)
    # One of them knows the ends of days only where they cost something.
    schedules = [Schedule.of(prices, Calendar.get("fx"), financed=one) for one in (terms.is_financed, True)]
    rates = np.linspace(1.2, 1.3, len(bars)) if terms.rate == "given" else None
    slips = chance.integers(0, 9, (len(decisions), 3), np.int32) if seed % 3 == 0 else None
    both = [
        Execution(prices, rules, terms, schedule=schedule, rates=rates, engine=engine).run(decisions, slips=slips)
        for engine, schedule in zip(ENGINES, schedules, strict=True)
    ]
    return both[0], both[1]


@needs_compiler
@settings(max_examples=60, deadline=None)
@given(
    rules=rules_drawn,
    terms=terms_drawn,
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.02, 0.1, 0.3]),
    trails=st.booleans(),
    by_risk=st.booleans(),
)
def test_the_compiled_execution_gives_what_the_one_in_python_gives(
    rules: Rules, terms: Terms, seed: int, pace: float, trails: bool, by_risk: bool
) -> None:
    quick, slow = play(rules, terms, seed, pace, trails=trails, by_risk=by_risk)
    assert quick.trades.tolist() == slow.trades.tolist()
    assert quick.fills.tolist() == slow.fills.tolist()
    assert (quick.balance, quick.refused) == (slow.balance, slow.refused)


@settings(max_examples=40, deadline=None)
@given(
    rules=st.one_of(
        rules_drawn, st.builds(Rules, hold_bars=st.sampled_from([None, None, None, 5]), distances=st.booleans())
    ),
    terms=terms_drawn,
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.02, 0.3]),
    is_bare=st.booleans(),
)
def test_many_runs_side_by_side_come_to_what_each_comes_to_alone(
    rules: Rules, terms: Terms, seed: int, pace: float, *, is_bare: bool
) -> None:
    if is_bare:  # of a fixed size, without stops and targets: mostly only decisions end a trade
        rules = Rules(convention=CONVENTIONS["next-open"], hold_bars=rules.hold_bars)
        terms = replace(terms, margin_frac=None if seed % 2 else terms.margin_frac)
    bars = random_bars(seed, 300, 1.09, 1e-5)
    prices, chance = Prices.of(bars, terms, MINUTE), np.random.default_rng(seed)
    rates = np.linspace(1.2, 1.3, len(bars)) if terms.rate == "given" else None
    below = chance.normal(0, 2e-4, len(bars))
    wanted = []
    for number in range(4):
        by_risk = number % 2 == 0 and not is_bare
        signals = random_signals(bars, seed + number, pace, by_risk=by_risk, as_distances=rules.distances)
        if is_bare:
            kept = np.where(number % 2, signals.exit, 0).astype(np.int8)
            signals = replace(signals, stop_loss=None, take_profit=None, exit=kept)
        price = None if rules.order_type == "market" else bars.close * (1 - below)
        wanted.append(Decisions.of(signals, prices, terms.instrument, rules, price=price))
    ends = np.unique(chance.integers(0, len(bars), 12)).astype(np.int32)
    execution = Execution(prices, rules, terms, schedule=Schedule.of(prices, Calendar.get("fx")), rates=rates)
    days = execution.days(wanted, ends)
    for number, decisions in enumerate(wanted):
        alone = execution.run(decisions)
        assert days.equity[number].tolist() == equity_at(alone, prices, terms, ends, rates=rates).tolist()
        assert days.opened[number] == len(alone.trades)
        assert days.closed[number] == len(alone.closed)


@needs_compiler
def test_the_rules_drawn_meet_every_way_a_trade_ends_and_every_refusal() -> None:
    seen: set[int] = set()
    refused = np.zeros(len(Refusal), int)
    small = KNOWN["EUR/USD"].model_copy(update={"max_units": D(15_000)})
    terms = Terms(
        instrument=small, initial_balance=D(2_000), margin_frac=D("0.15"), margin_closeout_frac=D(2),
        swap_long_frac=D("-0.05"), swap_short_frac=D("-0.05"),
    )  # fmt: skip
    for seed, name, pace in product(range(6), ("paper", "next-open"), (0.02, 0.3)):
        rules = Rules(
            convention=CONVENTIONS[name], hold_bars=60 if pace < 0.1 else 5, targets=TARGETS[2], break_even_after=1
        )
        outcome, _ = play(rules, terms, seed, pace, trails=seed % 3 == 0, by_risk=seed % 2 == 1)
        seen |= set(outcome.fills["reason"].tolist())
        refused += outcome.refused
    assert seen == {int(reason) for reason in Reason}
    assert refused.all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    pace=st.sampled_from([0.01, 0.1, 0.4]),
    fill=st.sampled_from(["paper", "next-open"]),
    terms=terms_drawn,
    sides=st.sampled_from([(1,), (-1,), (1, -1)]),
)
def test_decisions_that_nothing_else_ends_are_carried_out_the_same_without_a_loop(
    seed: int, pace: float, fill: str, terms: Terms, sides: tuple[int, ...]
) -> None:
    terms = replace(terms, instrument=KNOWN["EUR/USD"], margin_frac=None)
    prices = Prices.of(random_bars(seed, 500, 1.09, 1e-5), terms, MINUTE)
    signals = random_signals(random_bars(seed, 500, 1.09, 1e-5), seed, pace, by_risk=False)
    entry = np.where(np.isin(signals.entry, sides), signals.entry, 0).astype(np.int8)
    leave = np.where((signals.exit == entry) | (signals.exit == 2) & (entry != 0), 0, signals.exit)
    signals = replace(signals, entry=entry, exit=leave.astype(np.int8), stop_loss=None, take_profit=None)
    rules = Rules(convention=CONVENTIONS[fill])
    decisions = Decisions.of(signals, prices, terms.instrument, rules)
    assert is_plain(Settings.of(rules, terms), prices, decisions, Schedule.none())
    quick, slow = (simulate(prices, decisions, rules, terms, engine=engine) for engine in ("plain", "reference"))
    assert quick.trades.tolist() == slow.trades.tolist()
    assert quick.fills.tolist() == slow.fills.tolist()
    assert (quick.balance, quick.refused) == (slow.balance, slow.refused)
