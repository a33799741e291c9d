"""Averages, crossings and equity curves of the vector engine: the same bits compiled and in numpy, and right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.errors import ConfigError, StrategyError
from atrader.indicators import atr
from atrader.instruments import KNOWN
from research.vector import (
    Outcome,
    Prices,
    Rules,
    Schedule,
    Terms,
    average_crossings,
    average_range,
    built,
    crossings,
    day_ends,
    equity_at,
    equity_curve,
    grid_crossings,
    moving_average,
)
from research.vector.decisions import Decisions
from research.vector.engine import simulate
from research.vector.protection import levels
from tests.support.event_runs import MINUTE, account_of, random_bars
from tests.support.vector_runs import in_events, random_signals

needs_compiler = pytest.mark.skipif(not built.is_there, reason="nothing was compiled")


def twice(monkeypatch: pytest.MonkeyPatch, call: Callable[[], Any]) -> tuple[Any, Any]:
    """Return what a call gives compiled and in numpy."""
    quick = call()
    with monkeypatch.context() as patch:
        patch.setattr(built, "is_there", False)
        return quick, call()


def ticks_of(seed: int, count: int) -> np.ndarray:
    """Return a walk in steps so small that averages are often equal."""
    return (1000 + np.cumsum(np.random.default_rng(seed).integers(-1, 2, count))).astype(np.int32)


@needs_compiler
@pytest.mark.parametrize("period", [1, 2, 7, 100, 999, 1000, 1500])
def test_an_average_has_the_same_bits_compiled_and_in_numpy(monkeypatch: pytest.MonkeyPatch, period: int) -> None:
    ticks = ticks_of(1, 1000)
    quick, slow = twice(monkeypatch, lambda: moving_average(ticks, period))
    assert np.array_equal(quick, slow, equal_nan=True)
    assert np.isnan(quick[: period - 1]).all()
    assert not len(quick[period - 1 :]) or quick[-1] == sum(ticks[-period:].tolist()) / period


@needs_compiler
@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (5, 20), (20, 5), (7, 7), (10, 700), (10, 5000)])
def test_crossings_are_the_same_compiled_in_numpy_and_of_averages(
    monkeypatch: pytest.MonkeyPatch, fast: int, slow: int
) -> None:
    ticks = ticks_of(2, 3000)
    direct = twice(monkeypatch, lambda: average_crossings(ticks, fast, slow))
    by_columns = twice(monkeypatch, lambda: crossings(moving_average(ticks, fast), moving_average(ticks, slow)))
    for bars, sides in (*direct, *by_columns):
        assert bars.tolist() == direct[0][0].tolist()
        assert sides.tolist() == direct[0][1].tolist()
    assert len(direct[0][0]) > 5 or fast == slow or slow == 5000


def test_crossings_of_many_pairs_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = ticks_of(3, 15_000)
    pairs = [(1, 2), (5, 20), (20, 5), (7, 7), (5, 700), (10, 5000), (3, 20_000)]
    expected = [average_crossings(ticks, *pair) for pair in pairs]
    for found in twice(monkeypatch, lambda: grid_crossings(ticks, pairs)):
        for (bars, sides), (expected_bars, expected_sides) in zip(found, expected, strict=True):
            assert bars.tolist() == expected_bars.tolist()
            assert sides.tolist() == expected_sides.tolist()
    assert grid_crossings(ticks, []) == []


def test_a_crossing_is_above_now_and_not_above_before() -> None:
    nan = np.nan
    fast = np.array([nan, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, nan, 3.0, 1.0, 2.0])
    slow = np.array([1.00, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    bars, sides = crossings(fast, slow)
    assert list(zip(bars.tolist(), sides.tolist(), strict=True)) == [(2, -1), (4, 1), (6, -1), (9, -1)]


@pytest.mark.parametrize("period", [1, 2, 14, 599, 600, 700])
def test_the_average_range_is_the_indicator_over_ticks(monkeypatch: pytest.MonkeyPatch, period: int) -> None:
    prices = Prices.of(random_bars(6, 600, 1.09, 1e-5), Terms(instrument=KNOWN["EUR/USD"]), MINUTE)
    expected = atr(prices.bid_high, prices.bid_low, prices.bid_close, period)
    for found in twice(monkeypatch, lambda: average_range(prices, period)):
        assert np.array_equal(found, expected, equal_nan=True)


@pytest.mark.parametrize("period", [1, 2, 14])
def test_a_long_average_range_in_parts_is_the_one_in_a_row_also_where_ranges_end(period: int) -> None:
    prices = Prices.of(random_bars(6, 6000, 1.09, 1e-5), Terms(instrument=KNOWN["EUR/USD"]), MINUTE)
    high, low, close = (column.copy() for column in (prices.bid_high, prices.bid_low, prices.bid_close))
    for first in (6000, 2900):  # from there on all prices are the same, and an average never quite forgets
        for column in (high, low, close):
            column[first:] = close[min(first, 5999)]
        found = average_range(replace(prices, bid_high=high, bid_low=low, bid_close=close), period)
        assert np.array_equal(found, atr(high, low, close, period), equal_nan=True)


@needs_compiler
def test_stops_have_the_same_ticks_compiled_and_in_numpy_and_one_that_is_no_price_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chance = np.random.default_rng(3)
    paid, away = 1.1 + chance.normal(0, 0.01, 999), chance.normal(0, 0.003, 999)
    away[::50] = np.nan
    entry = chance.integers(-1, 2, 999).astype(np.int8)
    quick, slow = twice(monkeypatch, lambda: levels(paid, away, -2.5, 1e-5, entry, "stop_loss"))
    assert quick.tolist() == slow.tolist()
    assert np.count_nonzero(quick) == np.count_nonzero((entry != 0) & (away == away))
    with pytest.raises(StrategyError, match=r"signals\.stop_loss is -.*, which is no price"):
        levels(paid, np.abs(away), -1e4, 1e-5, entry, "stop_loss")


def test_an_impossible_period_is_refused() -> None:
    with pytest.raises(ConfigError, match="period: expected a whole number of bars, at least 1, was 0"):
        moving_average(ticks_of(1, 10), 0)
    with pytest.raises(ConfigError, match=r"was 2\.5"):
        average_crossings(ticks_of(1, 10), 2.5, 4)  # type: ignore[arg-type]


def run(symbol: str, seed: int) -> tuple[Outcome, Prices, Terms, Any]:
    bars = random_bars(seed, 600, *((147.0, 1e-3) if symbol == "USD/JPY" else (1.09, 1e-5)))
    signals = random_signals(bars, seed, 0.05, by_risk=True)
    account = account_of(trade={"max_price_age": "2d"}, paper={"slippage_pips": 0, "swap_long_frac": "-0.05"})
    instrument = KNOWN[symbol]
    terms = Terms.of(account, instrument)
    prices = Prices.of(bars, terms, MINUTE)
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    outcome = simulate(prices, Decisions.of(signals, prices, instrument, Rules()), Rules(), terms, schedule=schedule)
    return outcome, prices, terms, in_events(account, bars, signals, symbol).curve


@pytest.mark.parametrize("symbol", ["EUR/USD", "USD/JPY"])
def test_the_equity_curve_is_that_of_the_event_engine(symbol: str) -> None:
    outcome, prices, terms, expected = run(symbol, 4)
    curve = equity_curve(outcome, prices, terms)
    assert np.allclose(curve.equity, expected.equity, rtol=0, atol=1e-7)
    assert len(outcome.trades) > 10
    peaks = np.maximum.accumulate(expected.equity)
    assert curve.max_drawdown == pytest.approx(float((peaks - expected.equity).max()), abs=1e-6)


@needs_compiler
@pytest.mark.parametrize("symbol", ["EUR/USD", "USD/JPY", "EUR/GBP"])
def test_an_equity_curve_has_the_same_bits_compiled_and_in_numpy(monkeypatch: pytest.MonkeyPatch, symbol: str) -> None:
    outcome, prices, terms, _ = run("USD/JPY" if symbol == "USD/JPY" else "EUR/USD", 5)
    rates = None
    if symbol == "EUR/GBP":
        terms, rates = Terms(instrument=KNOWN[symbol]), np.linspace(1.2, 1.3, len(prices))
    quick, slow = twice(monkeypatch, lambda: equity_curve(outcome, prices, terms, rates=rates))
    assert np.array_equal(quick.equity, slow.equity)
    figures = ("max_drawdown", "max_drawdown_frac", "squares")
    assert [getattr(quick, name) for name in figures] == [getattr(slow, name) for name in figures]
    days = day_ends(prices, Calendar.get("fx"))
    at_days = twice(monkeypatch, lambda: equity_at(outcome, prices, terms, days, rates=rates))
    assert np.array_equal(at_days[0], quick.equity[days])
    assert np.array_equal(at_days[1], quick.equity[days])


def test_the_last_bar_of_a_day_is_the_one_before_its_end() -> None:
    bars = random_bars(3, 500, 1.09, 1e-5)
    prices = Prices.of(bars, Terms(instrument=KNOWN["EUR/USD"], currency_digits=2, initial_balance=Decimal(1)), MINUTE)
    ends = day_ends(prices, Calendar.get("fx"))
    friday = int(np.flatnonzero(np.diff(bars.open_time_ns) > 3600 * 10**9)[0])
    assert ends.tolist() == [friday, 499]
