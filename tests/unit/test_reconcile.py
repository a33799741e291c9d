"""Reconciliation: one scenario per row of the policy, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from atrader.orders.model import Order, Trade
from atrader.orders.states import OrderState
from broker_api.adapter import AnyReport, BrokerAccount, BrokerTrade, FillReport, OrderReport, Snapshot
from broker_api.reconcile import (
    POLICY,
    AccountBreak,
    Action,
    ApplyReports,
    DropForeignTrade,
    FindOrder,
    JournalState,
    MarkForeignTrade,
    NoteProtection,
    Resume,
    reconcile,
)
from tests.support.orders import make_intent, make_order, make_trade

D = Decimal
OURS = make_intent(1).client_id


def order(state: OrderState, **changes: Any) -> Order:
    return make_order(make_intent(1), state=state, **changes)


def trade(**changes: Any) -> Trade:
    return make_trade(OURS, **{"broker_trade_id": "t1", **changes})


def ticket(**changes: Any) -> BrokerTrade:
    values: dict[str, Any] = {
        "broker_trade_id": "t1", "client_id": OURS, "magic": 7, "instrument": "EUR/USD", "side": "buy",
        "units": D(1000), "open_price": D("1.1"), "open_time_ns": 1, "stop_loss": D("1.09"), **changes,
    }  # fmt: skip
    return BrokerTrade(**values)


def working(client_id: str = OURS, state: OrderState = OrderState.WORKING) -> OrderReport:
    return OrderReport(transaction_id=3, time_ns=1, client_id=client_id, broker_id="b1", state=state)


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


class Scene(NamedTuple):
    """What both sides say, and what has to come of it."""

    journal: JournalState
    broker: Snapshot
    reports: tuple[AnyReport, ...]
    expected: tuple[type[Action], ...]


FOREIGN = make_trade("foreign-t1", magic=0, instance="", broker_trade_id="t1")
SCENES: dict[str, Scene] = {
    "unseen-report": Scene(journal([order(OrderState.SENT)]), broker(trades=(ticket(),)), (fill(),), (ApplyReports,)),
    "not-sent": Scene(journal([order(OrderState.NEW)]), broker(), (), (Resume,)),
    "in-flight-works": Scene(journal([order(OrderState.UNKNOWN)]), broker((working(),)), (), (ApplyReports,)),
    "in-flight-absent": Scene(journal([order(OrderState.SENT)]), broker(), (), (FindOrder,)),
    "working-agrees": Scene(journal([order(OrderState.WORKING)]), broker((working(),)), (), ()),
    "working-gone": Scene(journal([order(OrderState.WORKING)]), broker(), (), (FindOrder, AccountBreak)),
    "stray-order": Scene(journal(), broker((working(),)), (), (AccountBreak,)),
    "foreign-order": Scene(journal(), broker((working("human-1"),)), (), ()),
    "trade-agrees": Scene(journal(trades=[trade()]), broker(trades=(ticket(),)), (), ()),
    "protection-moved": Scene(
        journal(trades=[trade()]), broker(trades=(ticket(stop_loss=D("1.095")),)), (), (NoteProtection,)
    ),
    "units-differ": Scene(journal(trades=[trade()]), broker(trades=(ticket(units=D(900)),)), (), (AccountBreak,)),
    "trade-gone": Scene(journal(trades=[trade()]), broker(), (), (AccountBreak,)),
    "foreign-gone": Scene(journal(trades=[FOREIGN]), broker(), (), (DropForeignTrade,)),
    "ticket-ours": Scene(journal(), broker(trades=(ticket(),)), (), (FindOrder, AccountBreak)),
    "ticket-foreign": Scene(journal(), broker(trades=(ticket(client_id="human-1"),)), (), (MarkForeignTrade,)),
    "net-differs": Scene(journal(trades=[trade()], hedging=False), broker(net="900"), (), (AccountBreak,)),
}


def test_every_row_of_the_policy_has_its_scene() -> None:
    assert SCENES.keys() == POLICY.keys()


@pytest.mark.parametrize("case", SCENES)
def test_each_case_of_the_policy_asks_for_what_it_says(case: str) -> None:
    scene = SCENES[case]
    actions = reconcile(scene.journal, scene.broker, scene.reports)
    assert tuple(map(type, actions)) == scene.expected
    assert {action.case for action in actions} == ({case} if scene.expected else set())


@pytest.mark.parametrize("case", SCENES)
def test_asked_again_the_answer_is_the_same(case: str) -> None:
    scene = SCENES[case]
    first = reconcile(scene.journal, scene.broker, scene.reports)
    assert reconcile(scene.journal, scene.broker, scene.reports) == first


def test_reports_are_worked_in_oldest_first_whatever_the_order_they_came_in() -> None:
    early, late = fill(transaction_id=4), fill(transaction_id=5, fill_id="f2")
    (action,) = reconcile(journal([order(OrderState.SENT)]), broker(), (late, early))
    assert isinstance(action, ApplyReports)
    assert action.reports == (early, late)


def test_reports_that_are_known_or_newer_than_the_snapshot_ask_for_nothing() -> None:
    state = journal([order(OrderState.FILLED)], [trade()], fills=frozenset({"f1"}))
    later = fill(transaction_id=11, fill_id="f3")
    assert reconcile(state, broker(trades=(ticket(),)), (fill(), working(), later)) == []


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.UNKNOWN, OrderState.NEW, OrderState.WORKING])
def test_nothing_is_concluded_about_an_order_in_hand(state: OrderState) -> None:
    busy = replace(journal([order(state)]), in_hand=frozenset({OURS}))
    assert reconcile(busy, broker(), ()) == []


@pytest.mark.parametrize("told", [OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.DONE])
def test_an_order_that_was_given_up_takes_the_word_of_the_broker(told: OrderState) -> None:
    (action,) = reconcile(journal([order(OrderState.LOST)]), broker(), (working(state=told),))
    assert isinstance(action, ApplyReports)


def test_an_instrument_with_a_break_that_says_more_is_not_broken_twice() -> None:
    actions = reconcile(journal(trades=[trade()]), broker(trades=(ticket(units=D(900)),)), ())
    assert [action.case for action in actions] == ["units-differ"]


def test_every_row_says_why() -> None:
    for case in POLICY.values():
        assert case.journal
        assert case.broker
        assert case.action
        assert case.why
