"""The live context: what an intent carries."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from atrader.clock import MarketClock
from atrader.configuration.instance import InstanceConfig
from atrader.orders.model import Intent
from atrader.view import View
from broker_api.client import BrokerClient
from tests.support.live_context import alone
from worker.context import LiveContext
from worker.desk import Desk

CONFIG = InstanceConfig.model_validate(
    {
        "name": "i", "strategy": "sma-cross", "account": "a", "magic": 1, "instrument": "EUR/USD", "timeframe": "1m",
    }
)  # fmt: skip
UNITS = Decimal(1000)


def context() -> tuple[LiveContext, list[Intent]]:
    desk = Desk(cast(BrokerClient, None), View(), 0, lambda: True)
    made = alone(CONFIG, MarketClock(5_000), desk, View())
    return made, desk._waiting


def test_a_bar_decided_again_gives_its_opens_the_same_keys_whatever_else_it_does() -> None:
    first, one = context()
    first.deciding("1m|7", 4_000)
    first.close("t1")
    first.order("sell", units=UNITS)
    second, other = context()
    second.deciding("1m|7", 4_000)
    second.order("sell", units=UNITS)
    assert [intent.decision for intent in one] == [None, "1m|7:sell:1"]
    assert [intent.decision for intent in other] == ["1m|7:sell:1"]


def test_two_opens_of_one_bar_are_two_decisions_and_the_next_bar_counts_anew() -> None:
    made, intents = context()
    made.deciding("1m|7", 4_000)
    made.order("buy", units=UNITS)
    made.order("buy", units=UNITS)
    made.deciding("1m|8", 4_000)
    made.order("buy", units=UNITS)
    assert [intent.decision for intent in intents] == ["1m|7:buy:1", "1m|7:buy:2", "1m|8:buy:1"]


def test_an_intent_is_dated_at_the_end_of_the_bar_it_was_decided_on() -> None:
    made, intents = context()
    made.deciding("1m|7", 4_000)
    made.order("buy", units=UNITS)
    made.deciding(None)
    made.order("buy", units=UNITS)
    assert [(intent.time_ns, intent.decision) for intent in intents] == [(4_000, "1m|7:buy:1"), (5_000, None)]


def test_a_working_order_is_moved_by_its_own_id() -> None:
    made, intents = context()
    made.modify_order("a000001w1", price=Decimal("1.234567"), stop_loss=Decimal(0))
    (intent,) = intents
    assert (intent.order_id, intent.trade_id) == ("a000001w1", None)
    assert (intent.price, intent.stop_loss) == (Decimal("1.23457"), Decimal(0))
