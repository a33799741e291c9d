"""The desk: every intent is answered, or its decision is not done."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import Any, cast

import pytest

from atrader.errors import DeadlineExceeded, Rejected, Retryable
from atrader.messages.gateway import OrderAnswer
from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from atrader.view import View
from broker_api.client import BrokerClient
from worker.desk import Desk

WISH: dict[str, object] = {
    "magic": 1, "instance": "i", "instrument": "EUR/USD", "action": "open", "side": "buy", "units": Decimal(1),
    "time_ns": 1,
}  # fmt: skip


class Gateway:
    """Answers by script: an error to raise, or None for the order."""

    def __init__(self, *script: Exception | None) -> None:
        self.script = deque(script)
        self.seen: list[Intent] = []

    def submit(self, intent: Intent, timeout_s: float) -> OrderAnswer:
        self.seen.append(intent)
        error = self.script.popleft() if self.script else None
        if error is not None:
            raise error
        order = Order(client_id=intent.client_id, intent=intent, state=OrderState.FILLED, created_ns=1, updated_ns=1)
        return OrderAnswer(order=order)


def desk(gateway: Gateway, wanted: Any = lambda: True) -> Desk:
    return Desk(cast(BrokerClient, gateway), View(), 4, wanted)


def test_an_intent_without_an_answer_is_handed_over_again_with_the_same_identity() -> None:
    gateway = Gateway(DeadlineExceeded("late"), Retryable("away"))
    at = desk(gateway)
    at.note(WISH)
    assert [order.state for order in at.hand_over()] == [OrderState.FILLED]
    assert [intent.n for intent in gateway.seen] == [5, 5, 5]
    assert not at.gave_up


def test_told_to_stop_while_nobody_answers_the_decision_is_not_done() -> None:
    at = desk(Gateway(DeadlineExceeded("late")), wanted=lambda: False)
    at.note(WISH)
    at.note(WISH)
    assert at.hand_over() == []
    assert at.gave_up
    assert not at.waiting


def test_a_refusal_without_a_journal_row_is_an_order_of_that_state() -> None:
    at = desk(Gateway(Rejected("no", details={"reason": "journal-full"})))
    at.note(WISH)
    (order,) = at.hand_over()
    assert (order.state, order.reason) == (OrderState.REJECTED, "journal-full")


def test_an_answer_at_once_that_says_later_is_not_asked_for_in_a_hot_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("worker.desk.time.sleep", pauses.append)
    at = desk(Gateway(*[Retryable("away")] * 7))
    at.note(WISH)
    at.hand_over()
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_opens_that_could_not_be_noted_are_refused_and_exits_go_on() -> None:
    gateway = Gateway()
    at = desk(gateway)
    at.note(WISH)
    at.note(WISH)
    at.note({**WISH, "action": "close", "trade_id": "t1", "side": None})
    (refused,) = at.refuse_opens(1, "not-noted")
    assert (refused.intent.n, refused.state, refused.reason) == (6, OrderState.REJECTED, "not-noted")
    at.hand_over()
    assert [(intent.n, intent.action) for intent in gateway.seen] == [(5, "open"), (7, "close")]


def test_what_an_earlier_life_left_is_told_even_when_the_snapshot_had_its_outcome() -> None:
    """The state that wanted it is from before its outcome."""
    first = desk(Gateway())
    left = first.note(WISH)
    (known,) = first.hand_over()
    view = View()
    view.see_order(known)
    later = Desk(cast(BrokerClient, Gateway()), view, 5, lambda: True, [left])
    assert later.hand_over(again=True) == [known]
    assert later.hand_over(again=True) == []
