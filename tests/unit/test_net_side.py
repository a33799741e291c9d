"""A netting account in the middle of its life: what the broker held and booked, told from what was filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from atrader.orders.model import Fill, Order, Trade
from atrader.paper.money import signed_units
from manager.rerun.moment import place_of
from manager.rerun.net_side import flat_before, net_side
from research.events.engine import EventEngine
from research.events.plan import Begin, Memory, Plan
from research.events.tape import BarTape
from tests.property.test_event_engine import Restless
from tests.support.event_runs import MINUTE, account_of, instance_of, plan_of, random_bars

D = Decimal
ROWS = 400
BARS = random_bars(11, ROWS, 1.09, 1e-5)
Row = dict[str, Any]


def plan(**changes: Any) -> Plan:
    account = account_of(positions="netting", paper={"slippage_pips": 0}, trade={"max_price_age": "2d"})
    chosen = [
        (instance_of(name, magic=magic, limits={"max_orders_per_minute": 99}), Restless(magic, 0.2, listens="never"))
        for magic, name in enumerate(("one", "two"), start=1)
    ]
    return replace(plan_of(account, chosen, {("EUR/USD", "1m"): BARS}), **changes)


def rows_of(things: Sequence[Trade | Fill]) -> list[Row]:
    """Return what the history has of trades or fills."""
    return [thing.model_dump(mode="json") for thing in things]


@pytest.mark.parametrize("row", [150, 260, 390])
def test_what_the_broker_holds_and_booked_is_told_from_the_fills_since_nothing_was_open(row: int) -> None:
    engine = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:row], MINUTE)]))
    result = engine.run()
    account = engine.account
    trades, fills = rows_of(result.trades), sorted(rows_of(result.fills), key=place_of)
    began_ns = flat_before(trades, account.now_ns)
    assert all(one["close_time_ns"] < began_ns for one in trades if one["open_time_ns"] < began_ns)
    assert result.open_trades
    side = net_side(trades, [fill for fill in fills if fill["time_ns"] >= began_ns], 2)
    held = {symbol: (one.side, one.units, one.open_price) for symbol, one in account.engine.state.tickets.items()}
    assert {symbol: tuple(one) for symbol, one in side.positions.items()} == held
    assert side.carried == account.valuation.carried
    whole = net_side(trades, fills, 2)
    assert whole[::2] == side[::2]
    commissions = sum((fill.commission for fill in result.fills), D(0))
    booked = account.valuation.balance - account.initial_balance
    assert sum(whole.told.values(), D(0)) + commissions == booked


def test_nothing_open_is_flat_at_that_very_moment() -> None:
    trades = [{"open_time_ns": 10, "close_time_ns": 20}, {"open_time_ns": 15, "close_time_ns": 30}]
    assert flat_before(trades, 40) == 40
    assert flat_before(trades, 30) == 10
    assert flat_before([*trades, {"open_time_ns": 5, "close_time_ns": None}], 40) == 5


def test_a_run_of_a_netting_account_goes_on_from_the_middle() -> None:
    row = 260
    whole = EventEngine(plan()).run()
    at_ns = int(BARS.open_time_ns[row])
    first = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[:row], MINUTE)]))
    early = first.run()
    side = net_side(rows_of(early.trades), sorted(rows_of(early.fills), key=place_of), 2)
    begin = Begin(
        time_ns=at_ns, balance=first.account.valuation.balance, trades=early.open_trades,
        last_id=first.account.engine.state.transaction_id, positions=side.positions, carried=side.carried,
        memories={name: Memory(_highest(early.orders, name), {}) for name in ("one", "two")},
        own_ids={magic: _lowest(early.orders, magic) for magic in (1, 2)},
    )  # fmt: skip
    quiet = [(config, Restless(0, 0.0, listens="never")) for config, _ in plan().instances]
    late = EventEngine(plan(tapes=[BarTape("EUR/USD", BARS[row:], MINUTE)], begin=begin, instances=quiet))
    found = late.run()
    held = {trade.trade_id for trade in early.open_trades}
    stopped = {"stop-loss", "take-profit", "trailing-stop"}
    closed = {one.trade_id: one for one in found.closed if one.close_reason in stopped}
    untouched = {
        one.trade_id: one
        for one in whole.closed
        if one.trade_id in held and one.close_reason in stopped and not _is_changed(one, whole.orders, at_ns)
    }
    assert untouched
    for trade_id, trade in untouched.items():
        again = closed[trade_id]
        assert (again.close_time_ns, again.close_price) == (trade.close_time_ns, trade.close_price)
    tickets = late.account.engine.state.tickets
    assert late.account.ledger.net_units() == {symbol: signed_units(one) for symbol, one in tickets.items()}
    assert late.account.valuation.balance == late.account.engine.state.balance


def _is_changed(trade: Trade, orders: Sequence[Order], since_ns: int) -> bool:
    return any(
        order.intent.trade_id == trade.trade_id and since_ns <= order.created_ns < (trade.close_time_ns or 0)
        for order in orders
    )


def _highest(orders: Sequence[Order], name: str) -> int:
    return max(order.intent.n for order in orders if order.intent.instance == name)


def _lowest(orders: Sequence[Order], magic: int) -> int:
    return min(order.intent.n for order in orders if order.intent.magic == magic)
