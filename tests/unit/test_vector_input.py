"""What is no market, or no signal, is refused by the vector engine with a clear error; nothing is dropped."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from atrader.calendars import Calendar
from atrader.errors import ConfigError, StrategyError
from atrader.instruments import KNOWN
from atrader.market import Bars
from atrader.strategy import Signals
from research.vector import Decisions, Prices, Refusal, Rules, Target, Terms, built, day_ends, simulate, sweep
from research.vector.rules import Convention
from research.vector.settings import Settings
from tests.support.event_runs import MINUTE, random_bars

EURO = KNOWN["EUR/USD"]
TERMS = Terms(instrument=EURO)


def bars_with(**changes: Any) -> Bars:
    """Return ten bars, some columns changed at one place: name = (row, value)."""
    bars = random_bars(1, 10, 1.09, 1e-5, gap_share=0.0)
    columns = [column.copy() for column in bars.columns]
    changed = Bars(*columns)
    for name, (row, value) in changes.items():
        getattr(changed, name)[row] = value
    return changed


@pytest.mark.parametrize(
    ("bars", "error"),
    [
        (Bars.empty(), "EUR/USD: no bars in the period"),
        (bars_with(close=(3, np.nan)), "EUR/USD: the close at 2024-03-08T20:03:00Z is nan"),
        (bars_with(ask_low=(4, -1.0)), r"EUR/USD: the ask_low at 2024-03-08T20:04:00Z is -1\.0"),
        (bars_with(low=(2, 0.0)), r"EUR/USD: the low at 2024-03-08T20:02:00Z is 0\.0"),
        (bars_with(high=(2, 1e-3)), "open or close at 2024-03-08T20:02:00Z lie outside of high and low"),
        (bars_with(open_time_ns=(5, 0)), "comes after a later one"),
        (bars_with(open_time_ns=(5, bars_with().open_time_ns[4])), "comes twice"),
        (bars_with(open_time_ns=(5, bars_with().open_time_ns[4] + 1)), "bars overlap"),
        (bars_with(high=(2, 1e9)), "do not fit ticks of 1e-05"),
    ],
)
@pytest.mark.parametrize("is_compiled", [True, False])
def test_bars_that_are_no_market_are_refused(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, error: str, is_compiled: bool
) -> None:
    monkeypatch.setattr(built, "is_there", is_compiled and built.is_there)
    with pytest.raises(ConfigError, match=error):
        Prices.of(bars, TERMS, MINUTE)


PRICES = Prices.of(bars_with(), TERMS, MINUTE)


def signals_with(**changes: Any) -> Signals:
    """Return signals over ten bars with one entry, columns replaced."""
    entry = np.zeros(10, np.int8)
    entry[3] = 1
    whole: dict[str, Any] = {"entry": entry, "exit": np.zeros(10, np.int8), "units": np.full(10, 1000.0)}
    return Signals(**whole | changes)


@pytest.mark.parametrize(
    ("signals", "error"),
    [
        (signals_with(entry=np.zeros(9, np.int8)), r"signals.entry has shape \(9,\), expected \(10,\)"),
        (signals_with(stop_loss=np.zeros((10, 1))), r"signals.stop_loss has shape \(10, 1\)"),
        (signals_with(entry=np.full(10, 2, np.int8)), "signals.entry holds values from 2 to 2, may hold -1 to 1"),
        (signals_with(exit=np.zeros(10)), "signals.exit holds float64, expected int8"),
        (signals_with(units=None), "exactly one of units and risk_frac"),
        (signals_with(risk_frac=np.full(10, 0.01)), "exactly one of units and risk_frac"),
        (signals_with(units=np.full(10, np.nan)), "signals.units is nan at an entry"),
        (signals_with(units=np.full(10, -1.0)), r"signals.units is -1\.0 at an entry"),
        (signals_with(units=None, risk_frac=np.full(10, 0.01)), "signals.risk_frac needs stop_loss"),
        (
            signals_with(units=None, risk_frac=np.full(10, 0.01), stop_loss=np.full(10, np.nan)),
            "signals.risk_frac needs stop_loss at every entry",
        ),
        (
            signals_with(units=None, risk_frac=np.full(10, 1.5), stop_loss=np.full(10, 1.0)),
            r"signals.risk_frac is 1\.5, at most 1",
        ),
        (signals_with(take_profit=np.full(10, -1.0)), "signals.take_profit is -1.0, which is no price"),
        (signals_with(stop_loss=np.full(10, np.inf)), "signals.stop_loss is inf, which is no price"),
    ],
)
def test_arrays_that_are_no_signals_are_refused(signals: Signals, error: str) -> None:
    with pytest.raises(StrategyError, match=error):
        Decisions.of(signals, PRICES, EURO, Rules())


def test_bars_whose_asks_are_their_bids_are_kept_once() -> None:
    bars = random_bars(2, 50, 1.09, 1e-5)
    one_price = Bars(*bars.columns[:5], *(column.copy() for column in bars.columns[1:5]), bars.volume)
    prices = Prices.of(one_price, TERMS, MINUTE)
    assert all(bid is ask for bid, ask in zip(prices.columns[:4], prices.columns[4:8], strict=True))
    assert not bars.has_one_price()
    assert (Prices.of(bars, TERMS, MINUTE).ask_close > prices.bid_close).any()


def test_limit_orders_need_prices_and_market_orders_have_none() -> None:
    with pytest.raises(StrategyError, match="price: limit orders need one"):
        Decisions.of(signals_with(), PRICES, EURO, Rules(order_type="limit"))
    with pytest.raises(StrategyError, match="price: market orders have none"):
        Decisions.of(signals_with(), PRICES, EURO, Rules(), price=np.ones(10))
    with pytest.raises(StrategyError, match=r"signals.price is nan at an entry"):
        Decisions.of(signals_with(), PRICES, EURO, Rules(order_type="stop"), price=np.full(10, np.nan))
    with pytest.raises(StrategyError, match=r"signals.price is 1e-09 at an entry"):
        Decisions.of(signals_with(), PRICES, EURO, Rules(order_type="stop"), price=np.full(10, 1e-9))


def test_decisions_are_carried_out_by_the_kind_of_orders_they_were_made_for() -> None:
    market = Decisions.of(signals_with(), PRICES, EURO, Rules())
    limit = Decisions.of(signals_with(), PRICES, EURO, Rules(order_type="limit"), price=np.full(10, 1.09))
    for decisions, rules in ((market, Rules(order_type="limit")), (limit, Rules())):
        with pytest.raises(StrategyError, match="made for another kind of orders"):
            simulate(PRICES, decisions, rules, TERMS)


@pytest.mark.parametrize("bar", [-1, 10])
def test_decisions_outside_of_the_prices_are_refused(bar: int) -> None:
    wide = signals_with(entry=signals_with().entry.astype(np.int64))  # any whole numbers will do
    decisions = replace(Decisions.of(wide, PRICES, EURO, Rules()), bar=np.array([bar], np.int32))
    with pytest.raises(StrategyError, match="decisions: bars must rise within 0 to 9"):
        simulate(PRICES, decisions, Rules(), TERMS)


def test_columns_of_decisions_have_one_length() -> None:
    with pytest.raises(StrategyError, match=r"decisions: leave has shape \(2,\), expected \(1,\)"):
        Decisions.at(np.array([3], np.int32), np.ones(1, np.int8), np.zeros(2, np.int8), steps=1)
    decisions = Decisions.of(signals_with(), PRICES, EURO, Rules())
    with pytest.raises(ConfigError, match=r"stop: expected int32 of shape \(1,\)"):
        decisions.with_protection(stop=np.zeros(2, np.int32))


def test_rates_are_given_where_they_are_needed_and_nowhere_else() -> None:
    decisions = Decisions.of(signals_with(), PRICES, EURO, Rules())
    with pytest.raises(ConfigError, match="EUR/USD on a USD account needs none"):
        simulate(PRICES, decisions, Rules(), TERMS, rates=np.ones(10))
    other = replace(TERMS, currency="CHF")
    with pytest.raises(ConfigError, match="on a CHF account needs CHF per USD for each of the 10 bars"):
        simulate(PRICES, decisions, Rules(), other)
    with pytest.raises(ConfigError, match=r"needs numbers above 0, has 0\.0"):
        simulate(PRICES, decisions, Rules(), other, rates=np.zeros(10))


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"targets": (Target(2, 0.5), Target(1, 0.5))}, "must rise"),
        ({"targets": (Target(1, 1.5),)}, "fraction above 0, at most 1"),
        ({"targets": (Target(1, 0),)}, "fraction above 0, at most 1"),
        ({"targets": (Target(0, 0.5),)}, "r above 0, at most 1000"),
        ({"targets": (Target(-0.5, 0.5),)}, "r above 0, at most 1000"),
        ({"targets": (Target(1000.5, 0.5),)}, "r above 0, at most 1000"),
        ({"targets": (Target(1, 0.5), Target(2, 0.6))}, "more than 1, the whole trade"),
        ({"targets": tuple(Target(r, 0.1) for r in range(1, 6))}, "at most 4"),
        ({"most_trades": 0}, "most_trades: expected 1 to 64, was 0"),
        ({"hold_bars": 0}, "hold_bars: expected at least 1, was 0"),
        ({"break_even_after": 1}, "break_even_after: expected 0 to 0, was 1"),
    ],
)
def test_rules_that_make_no_sense_are_refused(settings: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        Rules(**settings)
    with pytest.raises(ConfigError, match="only with fill = 'next-open'"):
        Convention(stop_before_open=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"targets": tuple(Target(r, 0.25) for r in range(1, 5)), "break_even_after": 4},  # come to all
        {"targets": (Target(1000, 1),)},
        {"most_trades": 64, "hold_bars": 1, "order_bars": 1},
        {"convention": Convention(fill="next-open", inside="range", stop_before_open=True)},
    ],
)
def test_rules_at_the_ends_of_what_is_possible_are_taken(settings: dict[str, Any]) -> None:
    rules = Rules(**settings)
    assert {name: getattr(rules, name) for name in settings} == settings


def test_amounts_that_cannot_be_counted_with_are_refused() -> None:
    decisions = Decisions.of(signals_with(), PRICES, EURO, Rules())
    with pytest.raises(ConfigError, match="cannot be counted with"):
        simulate(PRICES, decisions, Rules(), replace(TERMS, currency_digits=30))
    huge = replace(TERMS, instrument=EURO.model_copy(update={"max_units": Decimal(10) ** 15}))
    with pytest.raises(ConfigError, match="max_units at these prices"):
        simulate(PRICES, decisions, Rules(), huge)


@pytest.mark.skipif(not built.is_there, reason="nothing was compiled")
def test_a_margin_of_many_digits_on_tiny_ticks_is_asked_alike_by_both_executions() -> None:
    tiny = {"price_tick": "0.00000001", "unit_step": "0.00001", "min_units": "0.00001", "max_units": "1000000"}
    coin = EURO.model_copy(update={name: Decimal(value) for name, value in tiny.items()})
    terms = Terms(instrument=coin, margin_frac=Decimal("0.033333333"), initial_balance=Decimal("0.25"))
    prices = Prices.of(random_bars(3, 200, 1e-5, 1e-8, gap_share=0.0), terms, MINUTE)
    bars = np.arange(0, 200, 7, dtype=np.int32)
    side = np.where(np.arange(len(bars)) % 2 == 0, 1, -1).astype(np.int8)
    entries = Decisions.at(bars, side, np.zeros(len(bars), np.int8), steps=90_000_000_000)
    expected = simulate(prices, entries, Rules(), terms, engine="reference")
    found = simulate(prices, entries, Rules(), terms, engine="compiled")
    assert expected.refused[Refusal.MARGIN] > 0
    assert (found.refused, found.fills.tolist()) == (expected.refused, expected.fills.tolist())


def test_a_margin_that_is_too_large_a_number_is_refused() -> None:
    coarse = EURO.model_copy(update={"price_tick": Decimal(10) ** 7, "unit_step": Decimal(10) ** 8})
    with pytest.raises(ConfigError, match="worth too much to be counted with"):
        Settings.of(Rules(), Terms(instrument=coarse, margin_frac=Decimal("0.033333333")))


def test_without_a_compiler_the_execution_in_python_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions = Decisions.of(signals_with(), PRICES, EURO, Rules())
    expected = simulate(PRICES, decisions, Rules(), TERMS)
    monkeypatch.setattr(built, "is_there", False)
    assert simulate(PRICES, decisions, Rules(), TERMS).fills.tolist() == expected.fills.tolist()
    with pytest.raises(ConfigError, match="the compiled execution was not built"):
        simulate(PRICES, decisions, Rules(), TERMS, engine="compiled")


def test_a_sweep_is_the_same_on_any_number_of_threads_and_adds_up_to_the_single_runs() -> None:
    bars = random_bars(2, 3000, 1.09, 1e-5)
    prices = Prices.of(bars, TERMS, MINUTE)
    days = day_ends(prices, Calendar.get("fx"))

    def make(number: int) -> Decisions:
        chance = np.random.default_rng(number)
        rows = np.sort(chance.choice(2999, 60, replace=False)).astype(np.int32)
        side = chance.choice(np.array([-1, 1], np.int8), 60)
        return Decisions.at(rows, side, np.zeros(60, np.int8), steps=5000)

    done: list[int] = []
    alone = sweep(prices, make, 40, Rules(), TERMS, days, progress=done.append)
    side_by_side = sweep(prices, make, 40, Rules(), TERMS, days, threads=3)
    assert sum(done) == 40
    assert alone.profit.shape == (len(days), 40)
    assert np.array_equal(alone.profit, side_by_side.profit)
    assert np.array_equal(alone.trades, side_by_side.trades)
    single = simulate(prices, make(7), Rules(), TERMS)
    assert alone.trades[7] == len(single.trades)
    assert 10_000 + alone.profit[:, 7].sum() == pytest.approx(alone.equity[7])
