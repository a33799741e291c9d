"""Models built without checks are those that checks would have built."""

from __future__ import annotations

from decimal import Decimal

from atrader.fast_models import changed, made
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState

TRADE = {
    "trade_id": "t", "account": "a", "magic": 1, "instance": "i", "instrument": "EUR/USD", "side": "buy",
    "units_opened": Decimal(3), "units": Decimal(2), "open_time_ns": 5, "open_price": Decimal("1.1"),
}  # fmt: skip


def test_a_model_made_of_right_values_equals_the_validated_one_and_reads_alike() -> None:
    quick, slow = made(Trade, **TRADE), Trade.model_validate(TRADE)
    assert quick == slow
    assert quick.model_dump_json() == slow.model_dump_json()
    assert quick.model_fields_set == slow.model_fields_set
    assert quick.is_open


def test_a_changed_copy_is_what_pydantic_copies_and_leaves_the_first_alone() -> None:
    trade = Trade.model_validate(TRADE)
    quick = changed(trade, units=Decimal(0), version=2)
    assert quick == trade.model_copy(update={"units": Decimal(0), "version": 2})
    assert quick.model_fields_set == {*TRADE, "version"}
    assert trade.units == 2
    assert not quick.is_open


def test_models_inside_of_models_are_shared() -> None:
    intent = Intent(
        magic=1, n=1, instance="i", instrument="EUR/USD", action="open", time_ns=1, side="buy", units=Decimal(1)
    )
    order = made(Order, client_id="c", intent=intent, state=OrderState.SENT, created_ns=1, updated_ns=1)
    assert changed(order, version=2).intent is intent
    assert order.filled_units == 0
