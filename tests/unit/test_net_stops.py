"""Stops of virtual trades that wait at the broker of a netting account: in step, in one hand, after any death."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import AtraderError
from atrader.instruments import KNOWN
from atrader.orders.model import Order, Trade
from atrader.orders.states import OrderState
from broker_api.adapter import BrokerOrder
from broker_api.gateway import net_stops as module
from broker_api.net_stops import NetStop, wanted_stops
from tests.support.fault_broker import FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench
from tests.support.orders import make_trade

LONG = D("1.09500")  # stops of tests, below the venue's price of 1.10
LOWER = D("1.09000")


class Stage:
    """A gateway before a netting venue that takes reduce-only stops."""

    def __init__(self, root: Path) -> None:
        self.venue = Venue(hedging=False, stops=True)
        self.script: deque[str] = deque()
        self.bench = GatewayBench(
            root,
            lambda _: FaultAdapter(self.venue, self.script),
            order_timeout="30ms",
            lookup_delays=("5ms",),
            positions="netting",
        )

    async def connect(self) -> None:
        await self.bench.connect()
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())

    async def open(self, magic: int = 7, **values: Any) -> Trade:
        order = await self.bench.submit(magic, **{"stop_loss": LONG, **values})
        trade = self.bench.gateway.book.ledger.trade(order.client_id)
        assert trade is not None
        return trade

    async def covered(self, *stops: tuple[str, str]) -> None:
        """Wait until the broker holds just these stops: units and prices."""
        wanted = sorted((D(units), D(price)) for units, price in stops)
        await self.bench.until(lambda: self.stops() == wanted, f"stops {wanted}, not {self.stops()}")
        await self.bench.gateway.submitter.idle(1.0)

    def stops(self) -> list[tuple[Any, Any]]:
        assert all(order.reduce_only and order.order_type == "stop" for order in self.venue.working.values())
        return sorted((order.units, order.price) for order in self.venue.working.values())

    def stop_of(self, trade: Trade) -> Order:
        (order,) = self.bench.gateway.book.net_stops(trade.trade_id)
        return order

    async def settled(self) -> None:
        await self.bench.gateway.submitter.idle(1.0)
        assert await self.bench.gateway.reconciler.run()
        assert self.bench.gateway.reconciler.breaks == {}
        assert all(count == 1 for count in self.venue.accepted.values())
        real = {symbol: units for symbol, units in self.venue.net.items() if units}
        assert self.bench.gateway.book.ledger.net_units() == real
        assert not self.bench.gateway.alerts.counters["excess-close"]
        assert not self.bench.failures

    def trade(self, trade: Trade) -> Trade | None:
        return self.bench.gateway.book.ledger.trade(trade.trade_id)

    def closed(self, trade: Trade) -> Trade:
        (found,) = [item for item in self.bench.recorder.trades if item.trade_id == trade.trade_id and not item.is_open]
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def play(stage: Stage, story: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        await stage.connect()
        await story
        await stage.settled()
        await stage.bench.stop()

    asyncio.run(run())


def test_each_stop_waits_at_the_broker_and_moves_with_its_trade(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.open(8, units=D(500), stop_loss=LOWER)
        await stage.covered(("1000", "1.095"), ("500", "1.09"))
        await stage.bench.submit(action="modify", trade_id=trade.trade_id, stop_loss=D("1.097"))
        await stage.covered(("1000", "1.097"), ("500", "1.09"))
        await stage.bench.submit(action="modify", trade_id=trade.trade_id, stop_loss=D(0))
        await stage.covered(("500", "1.09"))

    play(stage, story())


def test_the_worker_is_told_of_its_trade_and_not_of_the_stop_that_waits(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.covered(("1000", "1.095"))
        stop = stage.stop_of(trade)
        assert {order.client_id for order in stage.bench.recorder.orders} == {trade.trade_id}
        for action in ("cancel", "modify"):
            order = await stage.bench.submit(action=action, order_id=stop.client_id, price=D("1.2"))
            assert (order.state, order.reason.partition(":")[0]) == (OrderState.DENIED, "unknown-order")

    play(stage, story())


def test_a_stop_that_filled_at_the_broker_closes_its_trade_and_no_other(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        other = await stage.open(8, units=D(500), stop_loss=LONG)
        await stage.covered(("1000", "1.095"), ("500", "1.095"))
        reports = stage.venue.trigger(stage.stop_of(trade).client_id)
        stage.bench.gateway.bookkeeper.apply(reports)
        await stage.bench.journal.settle()
        assert stage.closed(trade).close_reason == "stop-loss"
        assert stage.trade(other) is not None

    play(stage, story())


def test_a_stop_that_filled_while_the_gateway_was_dead_closes_its_trade_once(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        other = await stage.open(8, units=D(500), stop_loss=LOWER)
        await stage.covered(("1000", "1.095"), ("500", "1.09"))
        stop = stage.stop_of(trade).client_id
        await stage.bench.crash()
        stage.venue.trigger(stop)
        stage.bench.last_tick = stage.bench.last_tick._replace(bid=1.094, ask=1.0941)
        await stage.connect()
        await stage.bench.gateway.turn()
        await stage.bench.journal.settle()
        assert stage.closed(trade).close_reason == "stop-loss"
        assert stage.trade(other) is not None
        await stage.covered(("500", "1.09"))

    play(stage, story())


def test_an_exit_first_takes_the_stop_back(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.covered(("1000", "1.095"))
        order = await stage.bench.submit(action="close", trade_id=trade.trade_id, units=D(400))
        assert (order.state, order.filled_units) == (OrderState.FILLED, D(400))
        await stage.covered(("600", "1.095"))
        order = await stage.bench.submit(action="close", trade_id=trade.trade_id)
        assert (order.state, order.filled_units) == (OrderState.FILLED, D(600))
        await stage.covered()

    play(stage, story())


@pytest.mark.parametrize("fault", ["unknown-before", "unknown-after", "hang-after", "reject", "retryable", "silent"])
def test_an_exit_waits_until_it_is_certain_that_the_stop_is_back(stage: Stage, fault: str) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.open(8, stop_loss=LOWER)
        await stage.covered(("1000", "1.095"), ("1000", "1.09"))
        stage.script.append(fault)
        order = await stage.bench.submit(action="close", trade_id=trade.trade_id)
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed")
        assert order.intent.reason == ""
        await stage.covered(("1000", "1.09"))

    play(stage, story())


def test_a_stop_that_fires_while_it_is_taken_back_leaves_nothing_to_the_exit(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        other = await stage.open(8, stop_loss=LOWER)
        await stage.covered(("1000", "1.095"), ("1000", "1.09"))
        stage.venue.trigger(stage.stop_of(trade).client_id)  # the stream is late
        order = await stage.bench.submit(action="close", trade_id=trade.trade_id)
        assert (order.state, order.filled_units) == (OrderState.CANCELLED, D(0))
        assert stage.closed(trade).close_reason == "stop-loss"
        assert stage.trade(other) == other

    play(stage, story())


def test_a_gateway_that_dies_between_taking_back_and_closing_goes_on_closing(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.covered(("1000", "1.095"))
        stage.script.append("hang-after")
        exit_order = asyncio.ensure_future(stage.bench.submit(action="close", trade_id=trade.trade_id))
        await stage.bench.until(lambda: not stage.venue.working, "the stop is gone at the broker")
        await stage.bench.crash()
        with pytest.raises((AtraderError, asyncio.CancelledError)):
            await exit_order
        await stage.connect()
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed by the next life")

    play(stage, story())


def test_a_passed_stop_is_left_to_the_broker_for_a_while_and_then_closed_here(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.covered(("1000", "1.095"))
        sent = len(stage.venue.accepted)
        stage.bench.quote(1.094, 1.0941)
        stage.bench.quote(1.094, 1.0941)
        await stage.bench.gateway.submitter.idle(1.0)
        assert len(stage.venue.accepted) == sent
        stage.bench.quote(1.094, 1.0941, after_s=module.GRACE_S)
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed by the gateway")
        await stage.bench.journal.settle()
        assert stage.closed(trade).close_reason == "stop-loss"

    play(stage, story())


def test_a_target_is_watched_here_and_takes_the_stop_back(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open(take_profit=D("1.101"))
        await stage.covered(("1000", "1.095"))
        stage.bench.quote(1.1011, 1.1012)
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed at its target")
        await stage.covered()

    play(stage, story())


def test_a_trailing_stop_follows_at_the_broker_now_and_then(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open(stop_loss=None, trailing_distance=D("0.01"))
        await stage.covered(("1000", "1.09"))
        stage.bench.quote(1.102, 1.1021)
        await stage.covered(("1000", "1.092"))
        stage.bench.quote(1.104, 1.1041)
        assert stage.bench.gateway.book.ledger.trade(trade.trade_id).stop_loss == D("1.094")  # type: ignore[union-attr]
        await stage.bench.gateway.submitter.idle(1.0)
        assert stage.stops() == [(D(1000), D("1.092"))]
        stage.bench.quote(1.104, 1.1041, after_s=10)
        stage.bench.gateway.net_stops.turn()
        await stage.covered(("1000", "1.094"))

    play(stage, story())


def test_stops_together_never_exceed_the_net_position(stage: Stage) -> None:
    async def story() -> None:
        near = await stage.open()
        far = await stage.open(8, units=D(2000), stop_loss=LOWER)
        await stage.open(8, side="sell", units=D(500), stop_loss=D("1.12"))
        await stage.covered(("1000", "1.095"), ("1500", "1.09"))
        await stage.bench.submit(action="close", trade_id=near.trade_id)
        await stage.covered(("1500", "1.09"))
        reports = stage.venue.trigger(stage.stop_of(far).client_id)
        stage.bench.gateway.bookkeeper.apply(reports)
        assert stage.trade(far).units == 500  # type: ignore[union-attr]
        await stage.covered()

    play(stage, story())


def test_what_a_person_adds_to_the_position_is_nobodys_and_has_no_stop(stage: Stage) -> None:
    async def story() -> None:
        await stage.open()
        await stage.covered(("1000", "1.095"))
        stage.bench.gateway.bookkeeper.apply([stage.venue.trade_by_hand("sell", D(600), "foreign")])
        await stage.covered(("400", "1.095"))
        assert [trade.magic for trade in stage.bench.gateway.book.ledger.open_trades()] == [7, 0]

    play(stage, story())


@pytest.mark.parametrize(("magic", "first"), [(None, 7), (8, 8)])
def test_a_position_closed_by_hand_is_booked_on_whose_it_was(stage: Stage, magic: int | None, first: int) -> None:
    async def story() -> None:
        trades = {7: await stage.open(), 8: await stage.open(8)}
        await stage.covered(("1000", "1.095"), ("1000", "1.095"))
        stage.bench.gateway.bookkeeper.apply([stage.venue.trade_by_hand("sell", D(1000), "manual-close", magic)])
        await stage.bench.journal.settle()
        assert stage.closed(trades[first]).close_reason == "manual-close"
        await stage.covered(("1000", "1.095"))

    play(stage, story())


def test_a_stop_cancelled_by_hand_is_placed_again(stage: Stage) -> None:
    async def story() -> None:
        trade = await stage.open()
        await stage.covered(("1000", "1.095"))
        first = stage.stop_of(trade).client_id
        stage.bench.gateway.bookkeeper.apply(stage.venue.cancel("human-1", first)[:1])
        await stage.covered(("1000", "1.095"))
        assert stage.stop_of(trade).client_id != first

    play(stage, story())


def test_where_the_broker_takes_no_such_stops_the_gateway_watches_alone(stage: Stage) -> None:
    stage.venue.stops = False

    async def story() -> None:
        trade = await stage.open()
        stage.bench.quote(1.094, 1.0941)
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed by the gateway")
        assert stage.venue.working == {}

    play(stage, story())


def test_a_refused_stop_is_tried_again_with_patience(stage: Stage) -> None:
    async def story() -> None:
        stage.script.extend(["ok", "reject"])
        await stage.open()
        await stage.bench.gateway.submitter.idle(1.0)
        for _ in range(3):
            stage.bench.gateway.net_stops.turn()
        await stage.bench.gateway.submitter.idle(1.0)
        assert stage.stops() == []
        stage.bench.quote(1.1, 1.1001, after_s=2)
        stage.bench.gateway.net_stops.turn()
        await stage.covered(("1000", "1.095"))

    play(stage, story())


def test_the_position_is_divided_among_the_stops_that_are_reached_first() -> None:
    trades = [
        make_trade("a", units=D(1000), stop_loss=D("1.09")),
        make_trade("b", units=D(1000), stop_loss=D("1.08")),
        make_trade("c", units=D(300), stop_loss=None),
        make_trade("d", side="sell", units=D(800), stop_loss=D("1.12")),
        make_trade("e", magic=0, units=D(100), stop_loss=D("1.099")),
    ]
    wanted = wanted_stops(trades, lambda _: D(0), KNOWN)
    assert wanted == {"a": NetStop(D(1000), D("1.09")), "b": NetStop(D(600), D("1.08"))}
    closing = {"a": D(400)}
    wanted = wanted_stops(trades, lambda trade_id: closing.get(trade_id, D(0)), KNOWN)
    assert wanted == {"a": NetStop(D(600), D("1.09")), "b": NetStop(D(1000), D("1.08"))}


def test_a_flat_or_unknown_position_has_no_stops() -> None:
    trades = [make_trade("a"), make_trade("b", side="sell", stop_loss=D("1.12"))]
    assert wanted_stops(trades, lambda _: D(0), KNOWN) == {}
    assert wanted_stops([make_trade("a", instrument="X/Y")], lambda _: D(0), KNOWN) == {}


def test_a_stop_is_a_reduce_only_order_of_the_gateways_own_name(stage: Stage) -> None:
    async def story() -> None:
        await stage.open()
        await stage.covered(("1000", "1.095"))
        (order,) = stage.venue.working.values()
        assert order == BrokerOrder(
            client_id="a000007g1", magic=7, instance="alpha", instrument="EUR/USD", side="sell", order_type="stop",
            units=D(1000), price=LONG, exit=True, reduce_only=True,
        )  # fmt: skip

    play(stage, story())


def test_stops_of_an_account_that_takes_them_no_more_are_taken_back_and_an_exit_waits_for_that(stage: Stage) -> None:
    async def story() -> None:
        trade, other = await stage.open(), await stage.open(8, stop_loss=LOWER)
        await stage.covered(("1000", "1.095"), ("1000", "1.09"))
        await stage.bench.crash()
        stage.venue.stops = False
        stage.bench.start()
        gateway = stage.bench.gateway
        exit_order = asyncio.ensure_future(stage.bench.submit(action="close", trade_id=trade.trade_id))
        await gateway.connect()
        order = await exit_order
        assert order.state in (OrderState.FILLED, OrderState.NEW)
        await stage.bench.until(lambda: stage.trade(trade) is None, "closed")
        await stage.bench.until(lambda: not stage.venue.working, "all stops taken back")
        assert stage.trade(other) is not None

    play(stage, story())
