"""An OANDA account that misbehaves in every way known: one outcome per intent, never two orders, nothing lost."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import ConfigError
from atrader.orders.states import OrderState
from tests.oanda_simulator.faults import AFTER, BEFORE, STREAM
from tests.oanda_simulator.transactions import OutOfRange
from tests.support.oanda_stage import OandaStage, patience, play

D = Decimal
KINDS = ("hedging", "netting")
ALIKE = ("502", "504", "accept-then-503", "accept-then-504")
REQUEST_FAULTS = [
    *(("hedging", kind) for kind in (*BEFORE, *AFTER) if kind not in ALIKE),
    *(("netting", kind) for kind in ("hang-before-accept", "late-accept", "accept-then-hang", "accept-then-502")),
]


@pytest.mark.parametrize(("positions", "fault"), REQUEST_FAULTS)
def test_an_open_has_one_outcome_and_at_most_one_order_whatever_its_request_suffers(
    tmp_path: Path, positions: str, fault: str
) -> None:
    async def story(stage: OandaStage) -> None:
        stage.sim.faults.next("POST", "/orders", fault, delay_s=1.0 if fault == "late-accept" else 0.2)
        order = await stage.bench.submit()
        state = await stage.decided(order)
        lost = fault in BEFORE and fault != "429"
        if fault != "late-accept":
            assert state is (OrderState.LOST if lost else OrderState.FILLED)
            assert stage.orders_of(order.client_id) == (0 if lost else 1)
        else:  # accepted after everybody gave it up: adopted
            await stage.bench.until(lambda: stage.state_of(order.client_id) is OrderState.FILLED, "adoption")
            assert stage.orders_of(order.client_id) == 1

    play(OandaStage(tmp_path, positions, account=patience(fault)), story)


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang", "accept-then-502"])
def test_a_close_is_never_made_twice(tmp_path: Path, positions: str, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(1000))
        stage.sim.faults.next("*", "/close" if positions == "hedging" else "/orders", fault)
        close = await stage.bench.submit(action="close", trade_id=opened.client_id, units=D(400))
        lost = fault == "hang-before-accept"
        assert await stage.decided(close) is (OrderState.LOST if lost else OrderState.FILLED)
        assert stage.trade(opened).units == (1000 if lost else 600)

    play(OandaStage(tmp_path, positions, account=patience(fault)), story)


@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang", "accept-then-reset"])
def test_a_cancellation_is_known_by_what_the_broker_says(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        working = await stage.bench.submit(order_type="limit", price=D("1.09"))
        stage.sim.faults.next("PUT", "/cancel", fault)
        cancel = await stage.bench.submit(action="cancel", order_id=working.client_id)
        lost = fault == "hang-before-accept"
        assert await stage.decided(cancel) is (OrderState.LOST if lost else OrderState.DONE)
        ended = OrderState.WORKING if lost else OrderState.CANCELLED
        await stage.bench.until(lambda: stage.state_of(working.client_id) is ended, "the order's end")

    play(OandaStage(tmp_path, account=patience(fault)), story)


@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang", "slow-body"])
def test_a_replacement_leaves_one_order_and_a_known_outcome(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        working = await stage.bench.submit(order_type="limit", price=D("1.09"))
        stage.sim.faults.next("PUT", "/orders/", fault)
        change = await stage.bench.submit(action="modify", order_id=working.client_id, price=D("1.095"))
        lost = fault == "hang-before-accept"
        assert await stage.decided(change) is (OrderState.LOST if lost else OrderState.DONE)
        (pending,) = stage.sim.account(stage.account_id).pending()
        assert pending.price == (D("1.09") if lost else D("1.095"))
        stage.quote("1.09400", "1.09410")
        stage.quote("1.08900", "1.08910")
        await stage.bench.until(lambda: stage.state_of(working.client_id) is OrderState.FILLED, "the fill")

    play(OandaStage(tmp_path, account=patience(fault)), story)


@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang", "accept-then-drop"])
def test_changed_protection_is_what_the_broker_has(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.09"), take_profit=D("1.12"))
        stage.sim.faults.next("PUT", "/trades/", fault)
        change = await stage.bench.submit(action="modify", trade_id=opened.client_id, stop_loss=D("1.095"))
        lost = fault == "hang-before-accept"
        assert await stage.decided(change) is (OrderState.LOST if lost else OrderState.DONE)
        await stage.proven()
        assert stage.trade(opened).stop_loss == (D("1.09") if lost else D("1.095"))

    play(OandaStage(tmp_path, account=patience(fault)), story)


@pytest.mark.parametrize("positions", KINDS)
def test_an_order_that_cannot_be_found_for_half_a_second_stays_unknown_until_it_is(
    tmp_path: Path, positions: str
) -> None:
    async def story(stage: OandaStage) -> None:
        stage.sim.faults.hide_s = stage.sim.faults.hide_log_s = 0.5  # of the venue's clock, which stands still
        stage.sim.faults.stream("transactions", "lose")
        stage.sim.disturb("transactions", "stall")
        stage.sim.faults.next("POST", "/orders", "accept-then-hang")
        order = await stage.bench.submit()
        lookups = stage.bench.gateway.alerts.counters
        await stage.bench.until(lambda: stage.state_of(order.client_id) is OrderState.UNKNOWN, "a time-out")
        asked = len(stage.sim.requests)
        await stage.bench.until(lambda: len(stage.sim.requests) > asked + 6, "look-ups")
        assert stage.state_of(order.client_id) is OrderState.UNKNOWN, lookups
        stage.sim.clock.advance(0.6)
        await stage.bench.until(lambda: stage.state_of(order.client_id) is OrderState.FILLED, "the order to be found")
        assert stage.orders_of(order.client_id) == 1

    play(OandaStage(tmp_path, positions, account={"lost_after": "60s", "order_timeout": "600ms"}), story)


@pytest.mark.parametrize("fault", STREAM)
def test_whatever_the_stream_does_each_fill_is_booked_once(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=D("1.095"))
        second = await stage.opened(take_profit=D("1.12"))
        await stage.bench.until(lambda: "transactions" in stage.sim.open_streams, "the stream")
        stage.sim.disturb("transactions", fault)
        stage.quote("1.09400", "1.09410")
        await stage.bench.until(lambda: stage.trade(first) is None, "the stop to be heard of")
        stage.quote("1.12100", "1.12110")
        await stage.bench.until(lambda: stage.trade(second) is None, "the target to be heard of")
        await stage.bench.journal.settle()
        closed = {trade.trade_id: trade for trade in stage.bench.recorder.trades if not trade.is_open}
        assert closed[first.client_id].close_reason == "stop-loss"
        assert closed[second.client_id].close_reason == "take-profit"

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("positions", KINDS)
def test_maintenance_stops_orders_and_what_happened_meanwhile_is_known_afterwards(
    tmp_path: Path, positions: str
) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.095"))
        stop_lives = lambda: bool(stage.sim.account(stage.account_id).pending())  # noqa: E731
        await stage.bench.until(stop_lives, "the stop at the broker")
        stage.sim.maintain()
        await stage.bench.until(lambda: not stage.bench.gateway.online.is_set(), "the gateway to notice")
        stage.sim.clock.advance(60)
        stage.sim.quote("EUR_USD", "1.09400", "1.09410")
        stage.sim.maintain(False)
        await stage.bench.until(lambda: stage.trade(opened) is None, "the stop to be heard of")

    play(OandaStage(tmp_path, positions), story)


def test_a_token_that_is_taken_away_ends_the_gateway(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await stage.opened()
        tokens = dict(stage.sim.tokens)
        stage.sim.tokens.clear()
        stage.sim.drop_connections()
        await stage.bench.until(lambda: stage.bench.failures, "the end")
        (failure,) = stage.bench.failures
        assert isinstance(failure, ConfigError)
        assert failure.details["exit_code"] == "AUTH"
        stage.bench.failures.clear()
        stage.sim.tokens.update(tokens)

    play(OandaStage(tmp_path), story)


def test_a_token_that_is_taken_away_under_open_streams_ends_the_gateway_with_the_next_proof(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        tokens = dict(stage.sim.tokens)
        stage.sim.tokens.clear()
        with pytest.raises(ConfigError):
            await stage.bench.gateway.turn()
        stage.sim.tokens.update(tokens)

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("echo", ["all", "declared", "none"])
@pytest.mark.parametrize("mt4", [False, True])
def test_orders_are_ours_whatever_the_broker_carries_of_them(tmp_path: Path, echo: Any, mt4: bool) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.05"))
        working = await stage.bench.submit(order_type="stop", price=D("1.11"), units=D(500))
        change = await stage.bench.submit(action="modify", order_id=working.client_id, price=D("1.105"))
        assert await stage.decided(change) is OrderState.DONE
        protect = await stage.bench.submit(action="modify", trade_id=opened.client_id, stop_loss=D("1.06"))
        assert await stage.decided(protect) is OrderState.DONE
        stage.quote("1.10600", "1.10610")
        await stage.bench.until(lambda: stage.state_of(working.client_id) is OrderState.FILLED, "the stop order")
        close = await stage.bench.submit(action="close", trade_id=opened.client_id)
        assert await stage.decided(close) is OrderState.FILLED
        assert stage.trade(opened) is None
        again = await stage.bench.submit(order_type="limit", price=D("1.09"), units=D(700))
        await stage.end_life()
        stage.sim.clock.advance(5)
        stage.sim.quote("EUR_USD", "1.08900", "1.08910")  # fills while we are away
        await stage.connect()
        assert stage.state_of(again.client_id) is OrderState.FILLED
        assert {trade.magic for trade in stage.bench.gateway.book.ledger.open_trades()} == {7}

    play(OandaStage(tmp_path, mt4=mt4, echo_request_ids=echo), story)


@pytest.mark.parametrize("echo", ["all", "none"])
def test_a_close_of_unknown_outcome_is_found_by_a_later_life(tmp_path: Path, echo: Any) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened()
        stage.sim.disturb("transactions", "stall")
        stage.sim.faults.next("PUT", "/close", "accept-then-hang")
        close = asyncio.ensure_future(stage.bench.submit(action="close", trade_id=opened.client_id))
        await stage.bench.until(lambda: not stage.sim.account(stage.account_id).open_trades(), "the close at the venue")
        await stage.bench.journal.settle()
        close.cancel()
        await stage.end_life()
        await stage.connect()
        await stage.bench.until(lambda: stage.state_of("a000007w2") is OrderState.FILLED, "the close to be found")

    play(OandaStage(tmp_path, echo_request_ids=echo), story)


def test_a_log_that_no_longer_reaches_back_is_replaced_by_the_snapshot(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened()
        stage.sim.maintain()
        await stage.bench.until(lambda: not stage.bench.gateway.online.is_set(), "the gateway to notice")
        log = stage.sim.account(stage.account_id).log
        asked, begins = log.since, log.last_id + 5

        def since(number: int) -> list[dict[str, Any]]:
            if number < begins:
                raise OutOfRange
            return asked(number)

        log.since = since  # type: ignore[method-assign]
        for _ in range(7):
            stage.sim.write_transaction(stage.account_id, "TRANSFER_FUNDS", amount="1")
        stage.sim.maintain(False)
        await stage.bench.until(stage.bench.gateway.online.is_set, "the gateway to be back")
        log.since = asked  # type: ignore[method-assign]
        assert stage.bench.gateway.alerts.counters["reports-missing"]
        assert stage.trade(opened) is not None
        await stage.opened(units=D(300))

    play(OandaStage(tmp_path), story)
