"""Reconciliation: every cell of the policy, made from the policy itself, and what holds for all of them."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from broker_api.adapter import (
    AnyReport,
    BrokerAccount,
    BrokerOrder,
    BrokerTrade,
    FillReport,
    OrderReport,
    Snapshot,
    SwapReport,
)
from broker_api.reconcile import CASES, ORDERS, TICKETS, AccountBreak, ApplyReports, JournalState, policy, reconcile
from tests.support.orders import make_intent, make_order, make_trade

D = Decimal
LIMIT = make_intent(1, order_type="limit", price=D("1.05"))
OURS = LIMIT.client_id
STRANGERS = "human-1"


def order(state: OrderState, **changes: Any) -> Order:
    return make_order(LIMIT, state=state, **changes)


def trade(**changes: Any) -> Trade:
    return make_trade(OURS, **{"broker_trade_id": "t1", **changes})


def ticket(**changes: Any) -> BrokerTrade:
    values: dict[str, Any] = {
        "broker_trade_id": "t1", "client_id": OURS, "magic": 7, "instrument": "EUR/USD", "side": "buy",
        "units": D(1000), "open_price": D("1.1"), "open_time_ns": 1, "stop_loss": D("1.09"), **changes,
    }  # fmt: skip
    return BrokerTrade(**values)


def terms(**changes: Any) -> BrokerOrder:
    values: dict[str, Any] = {
        "client_id": OURS, "magic": 7, "instance": "", "instrument": "EUR/USD", "side": "buy", "order_type": "limit",
        "units": D(1000), "price": D("1.05"), **changes,
    }  # fmt: skip
    return BrokerOrder(**values)


def working(client_id: str = OURS, state: OrderState = OrderState.WORKING, **changes: Any) -> OrderReport:
    return OrderReport(transaction_id=3, time_ns=1, client_id=client_id, broker_id="b1", state=state, **changes)


def fill(**changes: Any) -> FillReport:
    values: dict[str, Any] = {
        "transaction_id": 4, "time_ns": 1, "fill_id": "f1", "client_id": OURS, "broker_id": "b1",
        "broker_trade_id": "t1", "instrument": "EUR/USD", "side": "buy", "units": D(1000), "price": D("1.1"),
        "reason": "order", **changes,
    }  # fmt: skip
    return FillReport(**values)


def journal(orders: list[Order] | None = None, trades: list[Trade] | None = None, **changes: Any) -> JournalState:
    return JournalState(orders={item.client_id: item for item in orders or []}, trades=tuple(trades or ()), **changes)


def broker(
    orders: tuple[OrderReport, ...] = (), trades: tuple[BrokerTrade, ...] = (), net: str | None = None
) -> Snapshot:
    units = sum((item.units if item.side == "buy" else -item.units for item in trades), D(0)) if net is None else D(net)
    money = BrokerAccount(currency="USD", balance=D(1), equity=D(1), margin_used=D(0), time_ns=1)
    real = {"EUR/USD": units} if units else {}
    return Snapshot(watermark=10, account=money, orders=orders, trades=trades, net_units=real)


CHANGE = Intent(
    magic=7, n=2, instance="alpha", instrument="EUR/USD", action="modify", time_ns=1, order_id=OURS, price=D("1.06")
)  # fmt: skip


def order_scene(row: str, column: str) -> tuple[JournalState, Snapshot, tuple[AnyReport, ...]]:
    """Make both sides of a cell of the table of orders."""
    known = row in OrderState.__members__
    state = journal([order(OrderState(row))]) if known else journal()
    client_id = STRANGERS if row == policy.NOBODYS else OURS
    if column == policy.FILL:
        return state, broker(net="0"), (fill(client_id=client_id),)
    told = {name: word for word, name in policy.TOLD}
    if column in told:
        return state, broker(), (working(client_id, told[column]),)
    if column in (policy.SILENT, policy.SILENT_IN_HAND):
        return replace(state, in_hand=frozenset({OURS} if column == policy.SILENT_IN_HAND else ())), broker(), ()
    shown = terms(price=D("1.05" if column == policy.WORKS else "1.04"))
    if column == policy.WORKS_IN_HAND:
        state = replace(state, orders={**state.orders, CHANGE.client_id: make_order(CHANGE)})
        state = replace(state, in_hand=frozenset({CHANGE.client_id}))
    return state, broker((working(client_id, terms=None if row == policy.OURS_BLIND else shown),)), ()


ORDER_CELLS = [(row, column) for row in ORDERS for column in policy.ORDER_COLUMNS]


@pytest.mark.parametrize(("row", "column"), ORDER_CELLS)
def test_each_cell_of_the_orders_asks_for_what_it_says(row: str, column: str) -> None:
    case = ORDERS[row][column]
    state, snapshot, reports = order_scene(row, column)
    asked = [(action.case, type(action).__name__) for action in reconcile(state, snapshot, reports)]
    expected = [(case, action) for action in CASES[case].does]
    if column in [name for _, name in policy.TOLD] and not expected:
        silent = ORDERS[row][policy.SILENT]  # the word changes nothing, and the snapshot does not show the order
        expected = [(silent, action) for action in CASES[silent].does]
    assert asked == expected


FOREIGN = make_trade("foreign-t1", magic=0, instance="", broker_trade_id="t1")
HELD = {
    policy.SAME: ticket(),
    policy.OTHER_STOPS: ticket(stop_loss=D("1.095")),
    policy.OTHER_UNITS: ticket(units=D(900)),
}
BELIEVED = {policy.OWN_TRADE: [trade()], policy.FOREIGN_TRADE: [FOREIGN], policy.OUR_TICKET: []}
TICKET_CELLS = [(row, column) for row in TICKETS for column in policy.TICKET_COLUMNS]


@pytest.mark.parametrize(("row", "column"), TICKET_CELLS)
def test_each_cell_of_the_tickets_asks_for_what_it_says(row: str, column: str) -> None:
    case = TICKETS[row][column]
    item = HELD.get(column)
    if item is not None and row == policy.THEIR_TICKET:
        item = item.model_copy(update={"client_id": STRANGERS})
    state, snapshot = journal(trades=BELIEVED.get(row, [])), broker(trades=() if item is None else (item,))
    asked = [(action.case, type(action).__name__) for action in reconcile(state, snapshot, ())]
    assert asked == [(case, action) for action in CASES[case].does]


def test_a_ticket_that_turned_its_side_is_a_break() -> None:
    actions = reconcile(journal(trades=[trade()]), broker(trades=(ticket(side="sell"),)), ())
    assert [action.case for action in actions] == ["units-differ"]


@pytest.mark.parametrize("hedging", [True, False])
def test_sums_that_differ_are_a_break_of_their_instrument(hedging: bool) -> None:
    trades = [trade(broker_trade_id="t1" if hedging else None), make_trade("x", instrument="XAU/USD", units=D(5))]
    held = broker(trades=(ticket(), ticket(broker_trade_id="t2", instrument="XAU/USD", units=D(5))), net="900")
    state = journal(trades=[trades[0], trades[1].model_copy(update={"broker_trade_id": "t2"})], hedging=hedging)
    actions = reconcile(state, held.model_copy(update={"net_units": {"EUR/USD": D(900), "XAU/USD": D(5)}}), ())
    assert [(action.case, action.instrument) for action in actions if isinstance(action, AccountBreak)] == [
        ("net-differs", "EUR/USD")
    ]


def test_every_case_is_in_a_table_and_every_row_has_every_column() -> None:
    cells = {case for table in (ORDERS, TICKETS) for row in table.values() for case in row.values()}
    assert cells | {"net-differs"} == CASES.keys()
    assert {*ORDERS} == {*OrderState, policy.OURS, policy.OURS_BLIND, policy.NOBODYS}
    assert all({*row} == {*policy.ORDER_COLUMNS} for row in ORDERS.values())
    assert all({*row} == {*policy.TICKET_COLUMNS} for row in TICKETS.values())


@pytest.mark.parametrize(("row", "column"), ORDER_CELLS)
def test_asked_again_the_answer_is_the_same(row: str, column: str) -> None:
    scene = order_scene(row, column)
    assert reconcile(*scene) == reconcile(*scene)


CELL = st.sampled_from([cell for cell in ORDER_CELLS if cell[0] in OrderState.__members__])


@given(st.lists(CELL, max_size=5), st.lists(st.sampled_from(TICKET_CELLS), max_size=1), st.randoms())
def test_whatever_comes_together_is_answered_by_cases_and_in_any_order_the_same(
    cells: list[tuple[str, str]], tickets: list[tuple[str, str]], chance: random.Random
) -> None:
    orders: dict[str, Order] = {}
    shown, reports = list[OrderReport](), list[AnyReport]()
    for number, (row, column) in enumerate(cells, start=10):
        state, snapshot, told = order_scene(row, column)
        intent = LIMIT.model_copy(update={"n": number})
        name = {"client_id": intent.client_id}
        orders |= {intent.client_id: state.orders[OURS].model_copy(update={**name, "intent": intent})}
        shown += [report.model_copy(update=name) for report in snapshot.orders]
        unique = {**name, "transaction_id": number - 5}
        reports += [
            report.model_copy(update={**unique, "fill_id": f"f{number}"} if isinstance(report, FillReport) else unique)
            for report in told
        ]
    trades = [item for row, _ in tickets for item in BELIEVED.get(row, [])]
    held = tuple(HELD[column] for _, column in tickets if column in HELD)
    state = JournalState(orders=orders, trades=tuple(trades))
    snapshot = broker(tuple(shown), held)
    first = reconcile(state, snapshot, reports)
    assert all(action.case in CASES and type(action).__name__ in CASES[action.case].does for action in first)
    chance.shuffle(reports)
    assert reconcile(state, snapshot, reports) == first


def test_reports_are_worked_in_oldest_first_whatever_the_order_they_came_in() -> None:
    early, late = fill(transaction_id=4), fill(transaction_id=5, fill_id="f2")
    (action,) = reconcile(journal([order(OrderState.SENT)]), broker(), (late, early))
    assert isinstance(action, ApplyReports)
    assert action.reports == (early, late)


def test_reports_that_are_known_or_newer_than_the_snapshot_ask_for_nothing() -> None:
    state = journal([order(OrderState.FILLED)], [trade()], fills=frozenset({"f1"}), swaps=frozenset({(6, 0)}))
    later = fill(transaction_id=11, fill_id="f3")
    swap = SwapReport(transaction_id=6, time_ns=1, instrument="EUR/USD", broker_trade_id="t1", amount=D(-1))
    assert reconcile(state, broker(trades=(ticket(),)), (fill(), working(), swap, later)) == []


def test_financing_and_dividends_that_are_not_booked_are_news() -> None:
    swap = SwapReport(transaction_id=6, time_ns=1, instrument="EUR/USD", broker_trade_id="t1", amount=D(-1))
    (action,) = reconcile(journal(trades=[trade()]), broker(trades=(ticket(),)), (swap,))
    assert isinstance(action, ApplyReports)


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN, OrderState.NEW, OrderState.WORKING])
def test_nothing_is_concluded_about_an_order_in_hand(state: OrderState) -> None:
    busy = replace(journal([order(state)]), in_hand=frozenset({OURS}))
    assert reconcile(busy, broker(), ()) == []


def test_an_instrument_with_a_break_that_says_more_is_not_broken_twice() -> None:
    actions = reconcile(journal(trades=[trade()]), broker(trades=(ticket(units=D(900)),)), ())
    assert [action.case for action in actions] == ["units-differ"]


def test_how_much_of_a_partly_filled_order_works_is_not_compared() -> None:
    partly = order(OrderState.PARTIAL, filled_units=D(400))
    state = journal([partly], [trade(units=D(400))], hedging=False)
    assert reconcile(state, broker((working(terms=terms(units=D(600))),), net="400"), ()) == []


def test_every_case_says_what_is_done_and_why() -> None:
    assert all(case.action and case.why for case in CASES.values())
