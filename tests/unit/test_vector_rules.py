"""The rules of the vector engine, worked out by hand; each on both executions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from atrader.instruments import Instrument
from atrader.market import Bars
from atrader.strategy import Signals
from research.vector import (
    CONVENTIONS,
    Decisions,
    Outcome,
    Prices,
    Reason,
    Refusal,
    Rules,
    Target,
    Terms,
    built,
    rows_of,
)
from research.vector.engine import Kind, simulate
from tests.support.event_runs import MINUTE

D = Decimal
COIN = Instrument(
    symbol="COIN/USD", kind="spot", price_tick=D("0.1"), pip=D("0.1"), unit_step=D("0.01"), min_units=D("0.01"),
    max_units=D(100_000), margin_rate_frac=D(1), calendar="24/7",
)  # fmt: skip
NAN = float("nan")
ENGINES = ["reference", pytest.param("compiled", marks=pytest.mark.skipif(not built.is_there, reason="not built"))]
NEXT_OPEN = CONVENTIONS["next-open"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Kind:
    return request.param


def bars_of(*rows: tuple[float, float, float, float], spread: float = 0.0) -> Bars:
    """Return minutes of open, high, low, close; ask above bid by a spread."""
    times = np.arange(len(rows), dtype=np.int64) * MINUTE
    bids = [np.array(column, float) for column in zip(*rows, strict=True)]
    asks = [column + spread for column in bids] if spread else bids
    return Bars(times, *bids, *asks, np.ones(len(rows)))


def go(
    engine: Kind, bars: Bars, wants: Mapping[int, Mapping[str, float]], rules: Rules, rates: Any = None, **terms: Any
) -> Outcome:
    """Run wishes at some rows: entry, exit, stop_loss, take_profit, units, risk_frac, price, trailing_distance."""
    count = len(bars)
    columns = {name: np.full(count, NAN) for name in ("stop_loss", "take_profit", "price", "trailing_distance")}
    columns.update({"units": np.full(count, 1.0), "risk_frac": np.full(count, 0.01)})
    sides = {name: np.zeros(count, np.int8) for name in ("entry", "exit")}
    for row, wish in wants.items():
        for name, value in wish.items():
            (sides if name in sides else columns)[name][row] = value
    by_risk = any("risk_frac" in wish for wish in wants.values())
    signals = Signals(
        entry=sides["entry"],
        exit=sides["exit"],
        stop_loss=columns["stop_loss"],
        take_profit=columns["take_profit"],
        units=None if by_risk else columns["units"],
        risk_frac=columns["risk_frac"] if by_risk else None,
        trailing_distance=columns["trailing_distance"],
    )
    account = Terms(instrument=COIN, **terms)
    prices = Prices.of(bars, account, MINUTE)
    price = None if rules.order_type == "market" else columns["price"]
    decisions = Decisions.of(signals, prices, COIN, rules, price=price)
    return simulate(prices, decisions, rules, account, engine=engine, rates=rates)


def story(outcome: Outcome) -> list[tuple[int, str, float, float]]:
    """Return bar, reason, price and units of everything executed."""
    return [
        (int(fill["bar"]), Reason(fill["reason"]).name, float(fill["price"]) / 10, float(fill["steps"]) / 100)
        for fill in outcome.fills
    ]


FLAT = (100.0, 100.0, 100.0, 100.0)


def test_on_the_paper_account_a_decision_fills_with_the_close_and_a_stop_with_the_quote_that_reached_it(
    engine: Kind,
) -> None:
    bars = bars_of(FLAT, (100, 101, 99, 100.5), (100.5, 102, 97, 98))
    outcome = go(engine, bars, {0: {"entry": 1, "stop_loss": 98.5}}, Rules())
    assert story(outcome) == [(0, "OPEN", 100.0, 1.0), (2, "STOP_LOSS", 97.0, -1.0)]
    assert outcome.balance == 10_000_00 - 3_00


def test_at_the_next_open_a_stop_inside_the_bar_fills_at_its_price_and_after_a_gap_at_the_open(engine: Kind) -> None:
    rules = Rules(convention=NEXT_OPEN)
    bars = bars_of(FLAT, (101, 103, 99, 102), (102, 103, 97, 98))
    assert story(go(engine, bars, {0: {"entry": 1, "stop_loss": 98.5}}, rules)) == [
        (1, "OPEN", 101.0, 1.0), (2, "STOP_LOSS", 98.5, -1.0),
    ]  # fmt: skip
    gap = bars_of(FLAT, (101, 103, 99, 102), (98, 103, 97, 98))
    assert story(go(engine, gap, {0: {"entry": 1, "stop_loss": 98.5}}, rules))[1] == (2, "STOP_LOSS", 98.0, -1.0)


def test_inside_a_bar_that_reaches_both_the_stop_comes_first(engine: Kind) -> None:
    bars = bars_of(FLAT, (100, 105, 95, 104))
    wants = {0: {"entry": 1, "stop_loss": 96.0, "take_profit": 104.0}}
    assert story(go(engine, bars, wants, Rules(convention=CONVENTIONS["nautilus"])))[1][1:3] == ("STOP_LOSS", 96.0)
    # The four quotes of a rising bar: the low comes first as well; of a falling one the high, and the target.
    falling = bars_of(FLAT, (100, 105, 95, 96))
    assert story(go(engine, falling, wants, Rules()))[1][1:3] == ("TAKE_PROFIT", 104.0)


def test_other_engines_do_not_look_at_the_stop_in_the_bar_of_the_entry(engine: Kind) -> None:
    bars = bars_of(FLAT, (100, 101, 97, 101), (101, 102, 97, 99))
    wants = {0: {"entry": 1, "stop_loss": 98.0}}
    assert story(go(engine, bars, wants, Rules(convention=NEXT_OPEN)))[1][0] == 1
    assert story(go(engine, bars, wants, Rules(convention=CONVENTIONS["backtesting.py"])))[1][0] == 2


def test_vectorbt_counts_the_stop_before_an_exit_at_the_open_of_the_same_bar(engine: Kind) -> None:
    bars = bars_of(FLAT, FLAT, FLAT, (101, 102, 97, 99))
    wants = {0: {"entry": 1.0, "stop_loss": 98.0}, 2: {"exit": 1.0}}
    assert story(go(engine, bars, wants, Rules(convention=CONVENTIONS["vectorbt"])))[1] == (3, "STOP_LOSS", 98.0, -1.0)
    assert story(go(engine, bars, wants, Rules(convention=NEXT_OPEN)))[1] == (3, "EXIT", 101.0, -1.0)


def test_a_short_pays_the_spread_at_both_ends(engine: Kind) -> None:
    bars = bars_of((100, 101, 99, 100), (99, 100, 95, 96), (96, 97, 95, 96), spread=0.5)
    outcome = go(engine, bars, {0: {"entry": -1, "take_profit": 96.5}}, Rules())
    assert story(outcome) == [(0, "OPEN", 100.0, 1.0), (1, "TAKE_PROFIT", 96.5, -1.0)]
    assert outcome.balance == 10_000_00 + 3_50


def test_targets_take_parts_at_multiples_of_the_risk_and_move_the_stop_to_the_entry(engine: Kind) -> None:
    rules = Rules(convention=NEXT_OPEN, targets=(Target(1, 0.5), Target(2, 0.25)), break_even_after=1)
    bars = bars_of(FLAT, (100, 101, 99, 101), (101, 102.5, 101, 102), (102, 104, 101, 103), (103, 103, 99, 99))
    outcome = go(engine, bars, {0: {"entry": 1, "stop_loss": 98.0, "units": 2}}, rules)
    assert story(outcome) == [
        (1, "OPEN", 100.0, 2.0), (2, "TARGET", 102.0, -1.0), (3, "TARGET", 104.0, -0.5), (4, "STOP_LOSS", 100.0, -0.5),
    ]  # fmt: skip
    assert outcome.balance == 10_000_00 + 2_00 + 2_00
    assert outcome.trades["profit"].tolist() == [4_00]


def test_targets_that_come_to_the_whole_trade_leave_nothing_of_it(engine: Kind) -> None:
    rules = Rules(convention=NEXT_OPEN, targets=(Target(1, 0.5), Target(2, 0.5)))
    bars = bars_of(FLAT, (100, 101, 99, 101), (101, 102.5, 101, 102), (102, 104, 101, 103), (103, 103, 97, 99))
    outcome = go(engine, bars, {0: {"entry": 1, "stop_loss": 98.0, "units": 2.0001}}, rules)
    assert [(bar, kind, price) for bar, kind, price, _ in story(outcome)] == [
        (1, "OPEN", 100.0), (2, "TARGET", 102.0), (3, "TARGET", 104.0),
    ]  # fmt: skip
    assert outcome.trades["left"].tolist() == [0]


def test_a_stop_trails_the_best_price_and_fills_in_the_bar_whose_close_falls_back_behind_it(engine: Kind) -> None:
    wants = {0: {"entry": 1.0, "trailing_distance": 2.0}}
    bars = bars_of(FLAT, (100, 103, 100, 102), (102, 106, 102, 103), (103, 103, 103, 103))
    assert story(go(engine, bars, wants, Rules(convention=CONVENTIONS["nautilus"]))) == [
        (0, "OPEN", 100.0, 1.0), (2, "TRAILING_STOP", 104.0, -1.0),
    ]  # fmt: skip
    assert story(go(engine, bars, wants, Rules()))[1] == (2, "TRAILING_STOP", 103.0, -1.0)


@pytest.mark.parametrize(
    ("order_type", "side", "price", "expected"),
    [
        ("limit", 1, 98.0, (2, "OPEN", 98.0, 1.0)),  # rests, and fills at its own price
        ("limit", 1, 101.0, (1, "OPEN", 100.0, 1.0)),  # fills at once, at the better price of the open
        ("stop", 1, 104.0, (3, "OPEN", 105.0, 1.0)),  # the open is past it
        ("stop", -1, 98.5, (2, "OPEN", 98.5, 1.0)),
        ("limit", -1, 106.0, None),
    ],
)
def test_orders_fill_inside_a_bar_or_not_at_all(
    engine: Kind, order_type: Any, side: int, price: float, expected: Any
) -> None:
    bars = bars_of(FLAT, (100, 101, 99, 100), (99.5, 103, 97.5, 103), (105, 105.5, 104.5, 105))
    rules = Rules(convention=NEXT_OPEN, order_type=order_type)
    assert story(go(engine, bars, {0: {"entry": side, "price": price}}, rules)) == ([expected] if expected else [])


def test_an_order_ends_after_so_many_bars_and_when_something_else_is_decided(engine: Kind) -> None:
    bars = bars_of(FLAT, FLAT, FLAT, (100, 100, 95, 100))
    wish = {"entry": 1, "price": 97.0}
    limit = Rules(order_type="limit")
    assert len(story(go(engine, bars, {0: wish}, limit))) == 1
    assert not story(go(engine, bars, {0: wish}, Rules(order_type="limit", order_bars=2)))
    assert not story(go(engine, bars, {0: wish, 1: {"exit": 1}}, limit))
    assert story(go(engine, bars, {0: wish, 1: {"entry": -1, "price": 101.0}}, limit)) == []


def test_a_trade_is_closed_after_its_time(engine: Kind) -> None:
    bars = bars_of(FLAT, FLAT, FLAT, (101, 101, 101, 101), FLAT)
    assert story(go(engine, bars, {0: {"entry": 1}}, Rules(hold_bars=3)))[1] == (3, "TIME", 101.0, -1.0)
    opens = Rules(hold_bars=2, convention=NEXT_OPEN)
    assert story(go(engine, bars, {0: {"entry": 1}}, opens))[1] == (3, "TIME", 101.0, -1.0)


def test_no_more_trades_on_a_side_than_the_rules_allow(engine: Kind) -> None:
    bars = bars_of(*[FLAT] * 5)
    wants = {row: {"entry": 1.0} for row in range(4)} | {4: {"entry": -1.0}}
    assert [line[1] for line in story(go(engine, bars, wants, Rules()))] == ["OPEN", "EXIT", "OPEN"]
    many = story(go(engine, bars, wants, Rules(most_trades=3)))
    assert [line[1] for line in many] == ["OPEN"] * 3 + ["EXIT"] * 3 + ["OPEN"]


def test_commission_is_a_share_of_each_side_and_slippage_worsens_market_fills(engine: Kind) -> None:
    bars = bars_of(FLAT, (110, 110, 110, 110))
    outcome = go(
        engine, bars, {0: {"entry": 1}, 1: {"exit": 1}}, Rules(), commission_per_million=D(1000), slippage_ticks=2
    )
    assert story(outcome) == [(0, "OPEN", 100.2, 1.0), (1, "EXIT", 109.8, -1.0)]
    assert outcome.fills["commission"].tolist() == [-10, -11]
    assert outcome.balance == 10_000_00 + 9_60 - 21


def test_size_by_risk_loses_the_share_at_the_stop_rounded_down_to_the_step(engine: Kind) -> None:
    bars = bars_of(FLAT, (100, 100, 97, 97))
    outcome = go(engine, bars, {0: {"entry": 1, "stop_loss": 97.0, "risk_frac": 0.01}}, Rules())
    assert story(outcome)[0] == (0, "OPEN", 100.0, 33.33)
    assert outcome.balance == 10_000_00 - 99_99


def test_entries_that_would_stop_at_once_are_refused(engine: Kind) -> None:
    bars = bars_of(FLAT, FLAT, spread=0.5)
    for wish in ({"stop_loss": 100.0}, {"take_profit": 100.5}):
        outcome = go(engine, bars, {0: {"entry": 1, **wish}}, Rules())
        assert not len(outcome.trades)
        assert outcome.refused[Refusal.WRONG_SIDE] == 1


def test_decisions_are_carried_out_over_finer_prices(engine: Kind) -> None:
    fine = bars_of(*[FLAT] * 4, (100, 101, 100, 101), (101, 101, 96, 96), (96, 104, 96, 104))
    terms = Terms(instrument=COIN)
    prices = Prices.of(fine, terms, MINUTE)

    coarse = rows_of(prices, np.array([3, 6, 9], np.int64) * MINUTE)
    assert coarse.tolist() == [2, 5, 7]
    signals = Signals(
        entry=np.array([1, 0, 0], np.int8), exit=np.zeros(3, np.int8), stop_loss=np.full(3, 97.0),
        take_profit=np.full(3, 103.0), units=np.ones(3),
    )  # fmt: skip
    decisions = Decisions.of(signals, prices, COIN, Rules(), bars=coarse)
    outcome = simulate(prices, decisions, Rules(), terms, engine=engine)
    assert story(outcome) == [(2, "OPEN", 100.0, 1.0), (5, "STOP_LOSS", 96.0, -1.0)]


def test_an_ask_that_leaves_its_own_range_is_met_all_the_same(engine: Kind) -> None:
    bars = bars_of(FLAT, FLAT, spread=0.5)
    bars.ask_open[1] = 104.0  # above its ask_high: such data are stored
    outcome = go(engine, bars, {0: {"entry": -1, "stop_loss": 103.0}}, Rules())
    assert story(outcome)[1] == (1, "STOP_LOSS", 104.0, -1.0)


MARGIN = {"initial_balance": D(50), "margin_frac": D("0.2"), "margin_closeout_frac": D("0.5")}


@pytest.mark.parametrize(
    ("side", "bar", "is_closed"),
    [
        # 5.6 of the 50 are left at 55.6, and half of the margin of 0.2 * 55.6 is 5.56; at 55.5 it is 5.5 and 5.55.
        (1, (60, 60, 55.6, 58), False),
        (1, (60, 60, 55.5, 58), True),
        # 13.7 are left at 136.3, and half of the margin is 13.63; at 136.4 it is 13.6 and 13.64.
        (-1, (130, 136.3, 130, 132), False),
        (-1, (130, 136.4, 130, 132), True),
    ],
)
def test_a_trade_without_a_stop_is_closed_by_its_margin_however_long_nothing_happened_before(
    engine: Kind, side: int, bar: tuple[float, float, float, float], *, is_closed: bool
) -> None:
    end = (bar[3],) * 4
    bars, closed = bars_of(*[FLAT] * 40, bar, end, end), []
    if is_closed:
        closed = [(40, "MARGIN_CLOSEOUT", bar[2] if side > 0 else bar[1], -1.0)]
    for account in ({}, {"currency": "CHF", "rates": np.full(43, 2.0), "initial_balance": D(100)}):  # half as much each
        outcome = go(engine, bars, {3: {"entry": side}}, Rules(), **{**MARGIN, **account})
        assert story(outcome) == [(3, "OPEN", 100.0, 1.0), *closed]


@pytest.mark.parametrize(("low", "is_closed"), [(71.5, False), (71.4, True)])
def test_an_account_in_what_is_traded_is_closed_by_its_margin_at_its_own_rate(
    engine: Kind, low: float, *, is_closed: bool
) -> None:
    # 0.5 + 1 - 100 / low coins are left: 0.1014 and 0.0994; half of the margin of 0.2 coins is 0.1.
    account = {"currency": "COIN", "currency_digits": 6, "initial_balance": D("0.5")}
    bars = bars_of(*[FLAT] * 40, (75, 75, low, 73), (73, 73, 73, 73))
    closed = [(40, "MARGIN_CLOSEOUT", low, -1.0)] if is_closed else []
    outcome = go(engine, bars, {3: {"entry": 1}}, Rules(), **{**MARGIN, **account})
    assert story(outcome) == [(3, "OPEN", 100.0, 1.0), *closed]
