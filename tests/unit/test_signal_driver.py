"""What the driver of signal strategies wants, bar by bar, from the answers it gets."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import ClassVar, cast

import numpy as np
import pytest

from atrader.clock import MarketClock
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.market import Bar, Bars
from atrader.orders.model import Intent, Order, Trade
from atrader.orders.states import OrderState
from atrader.signal_driver import SignalDriver
from atrader.strategy import BaseParameters, Signals, SignalStrategy
from atrader.view import View
from broker_api.client import BrokerClient
from tests.support import live_context
from tests.support.live_context import alone
from worker.desk import Desk

CONFIG = InstanceConfig.model_validate(
    {"name": "i", "strategy": "told", "account": "a", "magic": 1, "instrument": "EUR/USD", "timeframe": "1m"}
)
BAR = Bar(0, *(1.1,) * 8, 1.0)


class Told(SignalStrategy):
    """Says what the test says."""

    entry = leave = loads = 0
    stop: float = np.nan

    def load(self) -> None:
        self.loads += 1

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        return Signals(
            entry=np.array([self.entry], np.int8),
            exit=np.array([self.leave], np.int8),
            stop_loss=np.array([self.stop]),
            units=np.array([1000.0]),
        )


class Scene:
    """A driver over a real view and desk; the test answers for the gateway."""

    def __init__(self) -> None:
        self.view = View()
        self.strategy = Told(BaseParameters())
        self.desk = Desk(cast(BrokerClient, None), self.view, 0, lambda: True)
        self.told = live_context.Told()
        self.context = alone(CONFIG, MarketClock(5_000), self.desk, self.view, self.told)
        self.context.history = Bars.from_rows([BAR])
        self.driver = SignalDriver(self.strategy)
        self.driver.context = self.context

    def bar(self, entry: int = 0, leave: int = 0) -> list[Intent]:
        """Decide one bar; return what is wanted."""
        self.strategy.entry, self.strategy.leave = entry, leave
        self.driver.on_bar(BAR)
        return self.wanted()

    def wanted(self) -> list[Intent]:
        intents, self.desk._waiting = self.desk._waiting, []
        return intents

    def answer(self, intent: Intent, state: OrderState, version: int = 1) -> Order:
        """Let an intent end, or stand, in a state, and tell the driver."""
        order = Order(
            client_id=intent.client_id, intent=intent, state=state, units=Decimal(1000), filled_units=Decimal(0),
            created_ns=1, updated_ns=1, version=version,
        )  # fmt: skip
        self.view.see_order(order)
        self.driver.on_order(order)
        return order

    def hold(self, side: str, trade_id: str = "t1", units: int = 1000, version: int = 1) -> None:
        """Let a trade be open, or closed with 0 units."""
        self.view.see_trade(
            Trade.model_validate(
                {
                    "trade_id": trade_id, "account": "a", "magic": 1, "instance": "i", "instrument": "EUR/USD",
                    "side": side, "units_opened": Decimal(1000), "units": Decimal(units), "open_time_ns": 1,
                    "open_price": Decimal("1.1"), "version": version,
                }
            )
        )  # fmt: skip


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_an_entry_closes_the_opposite_trade_first(scene: Scene) -> None:
    scene.hold("sell")
    assert [(i.action, i.trade_id, i.side) for i in scene.bar(entry=1)] == [
        ("close", "t1", None),
        ("open", None, "buy"),
    ]


@pytest.mark.parametrize(("stop", "told"), [(-1.0, "stop_loss: "), (math.inf, "infinity")])
def test_an_entry_that_is_no_order_does_not_take_the_exit_with_it(scene: Scene, stop: float, told: str) -> None:
    scene.hold("sell")
    scene.strategy.stop = stop
    assert [(i.action, i.trade_id) for i in scene.bar(entry=1)] == [("close", "t1")]
    ((kind, text),) = scene.told.alerts
    assert kind == "entry-refused"
    assert told in text
    assert "\n" not in text


def test_no_second_trade_on_a_side_that_is_held_or_being_opened(scene: Scene) -> None:
    (opening,) = scene.bar(entry=1)
    scene.answer(opening, OrderState.SENT)
    assert scene.bar(entry=1) == []
    scene.answer(opening, OrderState.FILLED, 2)
    scene.hold("buy")
    assert scene.bar(entry=1) == []


@pytest.mark.parametrize(("leave", "closed"), [(1, ["long"]), (-1, ["short"]), (2, ["long", "short"]), (0, [])])
def test_an_exit_closes_the_side_it_names(scene: Scene, leave: int, closed: list[str]) -> None:
    scene.hold("buy", "long")
    scene.hold("sell", "short")
    assert [intent.trade_id for intent in scene.bar(leave=leave)] == closed


def test_an_exit_under_way_is_not_asked_for_twice(scene: Scene) -> None:
    scene.hold("buy")
    (close,) = scene.bar(leave=1)
    scene.answer(close, OrderState.SENT)
    assert scene.bar(leave=1) == []


@pytest.mark.parametrize("state", [OrderState.REJECTED, OrderState.DENIED, OrderState.CANCELLED])
def test_an_exit_that_was_refused_is_asked_for_again_with_the_next_bar(scene: Scene, state: OrderState) -> None:
    scene.hold("buy")
    (close,) = scene.bar(leave=1)
    scene.answer(close, state)
    assert scene.wanted() == []
    assert [(i.action, i.trade_id) for i in scene.bar()] == [("close", "t1")]


def test_an_exit_that_was_lost_is_asked_for_again_at_once(scene: Scene) -> None:
    scene.hold("buy")
    (close,) = scene.bar(leave=1)
    scene.answer(close, OrderState.LOST)
    assert [(i.action, i.trade_id) for i in scene.wanted()] == [("close", "t1")]


def test_an_exit_is_still_wanted_by_the_next_life(scene: Scene) -> None:
    scene.hold("buy")
    scene.bar(leave=1)
    later = Scene()
    later.context.state = dict(scene.context.state)
    later.hold("buy")
    assert [(i.action, i.trade_id) for i in later.bar()] == [("close", "t1")]


def test_a_closed_trade_is_wanted_no_longer(scene: Scene) -> None:
    scene.hold("buy")
    scene.bar(leave=1)
    scene.hold("buy", units=0, version=2)
    assert scene.bar() == []
    assert scene.context.state["leaving"] == []


def test_what_takes_long_is_loaded_once_at_the_start(scene: Scene) -> None:
    scene.driver.on_start()
    scene.bar()
    assert scene.strategy.loads == 1


def test_an_exit_said_while_the_entry_was_under_way_is_carried_out_when_it_has_opened(scene: Scene) -> None:
    (opening,) = scene.bar(entry=1)
    scene.answer(opening, OrderState.UNKNOWN)
    assert scene.bar(leave=1) == []
    scene.answer(opening, OrderState.FILLED, 2)
    scene.hold("buy", opening.client_id)
    assert [(i.action, i.trade_id) for i in scene.bar()] == [("close", opening.client_id)]


def test_an_entry_that_came_to_nothing_is_not_to_be_left(scene: Scene) -> None:
    (opening,) = scene.bar(entry=1)
    scene.answer(opening, OrderState.UNKNOWN)
    scene.bar(leave=1)
    scene.answer(opening, OrderState.REJECTED, 2)
    scene.bar()
    assert scene.context.state["leaving"] == []


def test_exits_count_before_entries_where_only_those_need_all_bars(scene: Scene) -> None:
    class Patient(Told):
        warmup_bars, exit_bars = 2, 1

    scene.strategy = Patient(BaseParameters())
    scene.driver = SignalDriver(scene.strategy)
    scene.driver.context = scene.context
    assert scene.bar(entry=1) == []
    scene.hold("buy")
    assert [i.action for i in scene.bar(leave=1)] == ["close"]
    scene.view.see_trade(scene.view.trades[0].model_copy(update={"units": Decimal(0), "version": 9}))
    scene.hold("sell", "t2")
    assert [(i.action, i.trade_id) for i in scene.bar(entry=1)] == [("close", "t2")], "an entry ends the other side"


class Written(SignalStrategy):
    """Says at each bar what is written for it: entries and exits by open time."""

    entries: ClassVar[dict[int, int]] = {}
    exits: ClassVar[dict[int, int]] = {}
    warmup_bars = 6

    def signals(self, bars: Bars, instrument: Instrument) -> Signals:
        times = bars.open_time_ns.tolist()
        return Signals(
            entry=np.array([self.entries.get(at, 0) for at in times], np.int8),
            exit=np.array([self.exits.get(at, 0) for at in times], np.int8),
            units=np.full(len(times), 1000.0),
        )


@pytest.mark.parametrize(
    ("entries", "exits", "closed"),
    [
        ({}, {8: 1}, True),
        ({}, {8: 2}, True),
        ({8: -1}, {}, True),  # the other side: it would have closed this one
        ({}, {8: -1}, False),
        ({9: 1}, {8: 1}, False),  # it would be open again
        ({10: 1}, {8: 1}, False),
        ({8: 1}, {9: 1}, True),
        ({}, {7: 1}, False),  # that bar was decided, whatever its values are by now
    ],
)
def test_an_exit_of_bars_that_no_life_decided_is_made_up_for(
    entries: dict[int, int], exits: dict[int, int], closed: bool
) -> None:
    def life(last: int, state: dict[str, object]) -> Scene:
        scene = Scene()
        scene.context.state = state
        scene.driver = SignalDriver(type("Now", (Written,), {"entries": entries, "exits": exits})(BaseParameters()))
        scene.driver.context = scene.context
        scene.context.history = Bars.from_rows([BAR._replace(open_time_ns=at) for at in range(last - 5, last + 1)])
        scene.hold("buy")
        return scene

    before = life(7, {})
    before.driver.on_bar(BAR._replace(open_time_ns=7))
    before.wanted()
    after = life(10, {**before.context.state, "leaving": []})  # away for the bars 8 and 9
    after.driver.on_bar(BAR._replace(open_time_ns=10))
    assert [i.action for i in after.wanted()] == (["close"] if closed else [])
