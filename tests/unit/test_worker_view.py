"""The worker's picture of its orders and trades."""

from __future__ import annotations

from decimal import Decimal

from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from atrader.view import View


def order(n: int, state: OrderState, version: int, action: str = "open", trade_id: str | None = None) -> Order:
    values = {"side": "buy", "units": Decimal(1)} if action == "open" else {"trade_id": trade_id}
    intent = Intent.model_validate(
        {"magic": 1, "n": n, "instance": "i", "instrument": "EUR/USD", "action": action, "time_ns": 0, **values}
    )
    return Order(client_id=intent.client_id, intent=intent, state=state, created_ns=0, updated_ns=0, version=version)


def trade(units: int, version: int) -> Trade:
    return Trade(
        trade_id="t1",
        account="a",
        magic=1,
        instance="i",
        instrument="EUR/USD",
        side="buy",
        units_opened=Decimal(10),
        units=Decimal(units),
        open_time_ns=0,
        open_price=Decimal("1.1"),
        version=version,
    )


def test_an_order_in_flight_is_shown_until_its_outcome() -> None:
    view = View()
    view.see_order(order(1, OrderState.SENT, 1))
    assert [shown.state for shown in view.orders] == [OrderState.SENT]
    view.see_order(order(1, OrderState.FILLED, 2))
    assert view.orders == ()


def test_an_older_version_changes_nothing_and_is_no_news() -> None:
    view = View()
    assert view.see_order(order(1, OrderState.WORKING, 3))
    assert not view.see_order(order(1, OrderState.SENT, 2))
    assert view.orders[0].state is OrderState.WORKING


def test_a_late_duplicate_does_not_bring_an_ended_order_or_a_closed_trade_back() -> None:
    view = View()
    view.see_order(order(1, OrderState.FILLED, 3))
    assert not view.see_order(order(1, OrderState.WORKING, 2))
    view.see_trade(trade(10, 1))
    view.see_trade(trade(0, 2))
    assert not view.see_trade(trade(10, 1))
    assert view.orders == ()
    assert view.trades == ()


def test_a_snapshot_tells_only_what_is_news() -> None:
    view = View()
    view.see_trade(trade(10, 2))
    orders, trades = view.replace([order(1, OrderState.WORKING, 1)], [trade(10, 2)])
    assert [item.client_id for item in orders] == [order(1, OrderState.NEW, 1).client_id]
    assert trades == []


def test_what_a_snapshot_does_not_mention_is_over() -> None:
    view = View()
    view.see_order(order(1, OrderState.WORKING, 1))
    view.see_trade(trade(10, 3))
    orders, trades = view.replace([], [])
    assert view.orders == ()
    assert view.trades == ()
    assert orders == []
    assert [(item.trade_id, item.is_open) for item in trades] == [("t1", False)]
    assert not view.see_trade(trade(10, 3))
