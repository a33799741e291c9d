"""The gateway's core over a real paper account, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import Rejected
from atrader.orders.states import OrderState
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from broker_api.gateway.fills import CARRIED
from broker_api.journal import Batch
from tests.support.gateways import D, GatewayBench


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture(params=["hedging", "netting"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> GatewayBench:
    return GatewayBench(tmp_path, positions=request.param)


def test_a_market_order_is_filled_journaled_and_published(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        order = await bench.submit()
        assert order.state is OrderState.FILLED
        assert order.filled_units == D(1000)
        assert [event.state for event in bench.recorder.orders] == [OrderState.FILLED]
        assert [trade.trade_id for trade in bench.recorder.trades] == [order.client_id]
        stored = bench.journal.read.order(order.client_id)
        assert stored is not None
        assert stored.order == order
        assert await bench.gateway.reconciler.run()
        assert bench.gateway.reconciler.breaks == {}
        await bench.stop()
        assert not bench.failures

    run(story())


def test_a_market_order_needs_two_commits(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.journal.settle()
        before = bench.journal.counters["commits"]
        await bench.submit()
        assert bench.journal.counters["commits"] - before == 2
        await bench.stop()

    run(story())


def test_orders_of_one_turn_share_their_commits(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.journal.settle()
        before = bench.journal.counters["commits"]
        orders = await asyncio.gather(*(bench.submit() for _ in range(20)))
        assert {order.state for order in orders} == {OrderState.FILLED}
        assert bench.journal.counters["commits"] - before <= 4
        await bench.stop()

    run(story())


def test_the_same_intent_twice_is_one_order(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        intent = bench.intent()
        submit = bench.gateway.submitter.submit
        (first, known), (second, known_too) = await asyncio.gather(submit(intent), submit(intent))
        third, known_later = await submit(intent)
        assert first == second == third
        assert [known, known_too, known_later] == [False, True, True]
        assert len(bench.gateway.book.own_trades()) == 1
        await bench.stop()
        await bench.connect()
        assert await bench.gateway.submitter.submit(intent) == (first, True)
        await bench.stop()

    run(story())


def test_an_id_that_was_used_for_another_intent_is_refused(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit(n=1)
        with pytest.raises(Rejected) as refusal:
            await bench.submit(n=1, units=D(2000))
        assert refusal.value.details["reason"] == "intent-id-reused"
        await bench.stop()

    run(story())


def test_a_decision_has_one_order_whatever_the_counter(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        first = await bench.submit(decision="1m:100:0")
        assert (await bench.submit(decision="1m:100:0")) == first
        await bench.stop()
        await bench.connect()
        assert (await bench.submit(decision="1m:100:0")) == first
        assert (await bench.submit(decision="1m:100:1")) != first
        assert (await bench.submit(8, decision="1m:100:0")) != first
        await bench.stop()

    run(story())


def test_a_trade_is_closed_partly_then_wholly_with_its_profit(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit()
        bench.quote(1.1010, 1.1011)
        await bench.submit(action="close", trade_id=opened.client_id, units=D(400))
        (trade,) = bench.gateway.book.own_trades(7)
        assert (trade.units, trade.profit) == (D(600), D("0.36"))
        await bench.submit(action="close", trade_id=opened.client_id)
        assert bench.gateway.book.own_trades() == ()
        closed = bench.recorder.trades[-1]
        assert (closed.units, closed.profit, closed.is_open) == (D(0), D("0.90"), False)
        assert bench.gateway.valuation.balance == D("1000000.90")
        assert await bench.gateway.reconciler.run()
        assert bench.gateway.valuation.balance == D("1000000.90")
        await bench.stop()

    run(story())


def test_equity_of_a_netting_account_is_that_of_its_trades_whenever_it_is_compared(tmp_path: Path) -> None:
    """By hand: long 1000 at 1.1001, short 1000 at 1.1010; the broker is flat and realised 0.90."""
    bench = GatewayBench(tmp_path, positions="netting")

    async def equity() -> D:
        gateway = bench.gateway
        first = gateway.valuation.worth(gateway.book.ledger.open_trades()).equity
        assert await gateway.reconciler.run()
        assert gateway.valuation.worth(gateway.book.ledger.open_trades()).equity == first
        return first

    async def story() -> None:
        await bench.connect()
        long = await bench.submit()
        bench.quote(1.1010, 1.1011)
        short = await bench.submit(8, side="sell")
        assert bench.gateway.valuation.balance == D("1000000.90")
        # At 1.1010/1.1011: the long trade is 0.90 up, the short one 0.10 down.
        assert await equity() == D("1000000.80")
        await bench.stop()
        await bench.connect()
        bench.quote(1.1020, 1.1021)
        assert await equity() == D("1000000.80")
        await bench.submit(action="close", trade_id=long.client_id)  # at 1.1020: 1.90
        assert await equity() == D("1000000.80")
        await bench.submit(8, action="close", trade_id=short.client_id)  # at 1.1021: -1.10
        assert await equity() == D("1000000.80") == bench.gateway.valuation.balance
        assert bench.gateway.valuation.carried == 0
        await bench.stop()

    run(story())


def test_an_account_that_became_a_hedging_one_carries_nothing(tmp_path: Path) -> None:
    """Each trade's profit is realised when it closes: a rest of its netting time would stay in its equity for ever."""
    bench = GatewayBench(tmp_path, positions="hedging")

    async def story() -> None:
        await bench.connect()
        batch = Batch("paper")
        batch.meta(CARRIED, "0.90")
        await bench.journal.commit(batch)
        await bench.stop()
        await bench.connect()
        assert bench.gateway.valuation.worth(()).equity == D("1000000")
        await bench.stop()

    run(story())


def test_a_close_never_closes_more_than_is_open(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit()
        close: dict[str, Any] = {"action": "close", "trade_id": opened.client_id}
        first, second = await asyncio.gather(bench.submit(**close), bench.submit(**close))
        assert {first.state, second.state} == {OrderState.FILLED, OrderState.DENIED}
        assert (await bench.submit(**close)).reason.startswith("unknown-trade")
        assert await bench.gateway.reconciler.run()
        assert not bench.gateway.reconciler.breaks
        await bench.stop()

    run(story())


def test_nobody_closes_or_cancels_what_belongs_to_another_instance(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit(7)
        working = await bench.submit(7, order_type="limit", price=D("1.05"))
        assert working.state is OrderState.WORKING
        assert (await bench.submit(8, action="close", trade_id=opened.client_id)).state is OrderState.DENIED
        assert (await bench.submit(8, action="cancel", order_id=working.client_id)).state is OrderState.DENIED
        await bench.stop()

    run(story())


def test_a_working_order_is_changed_and_cancelled(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        intent = bench.intent(order_type="limit", price=D("1.06"), stop_loss=D("1.05"))
        working, _ = await bench.gateway.submitter.submit(intent)
        changed = await bench.submit(action="modify", order_id=working.client_id, price=D("1.07"), stop_loss=D("1.055"))
        assert changed.state is OrderState.DONE
        (order,) = bench.gateway.book.open_orders()
        assert (order.intent.price, order.intent.stop_loss) == (D("1.07"), D("1.055"))
        again, duplicate = await bench.gateway.submitter.submit(intent)
        assert (again.client_id, duplicate) == (working.client_id, True)
        cancelled = await bench.submit(action="cancel", order_id=working.client_id)
        assert cancelled.state is OrderState.DONE
        ended = bench.gateway.book.entry(working.client_id)
        assert ended is not None
        assert ended.order.state is OrderState.CANCELLED
        await bench.stop()

    run(story())


def test_a_stop_loss_closes_the_trade_whoever_watches_it(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit(stop_loss=D("1.09"))
        bench.quote(1.0899, 1.0900)
        await bench.until(lambda: not bench.gateway.book.own_trades(), "the stop")
        await bench.journal.settle()
        closed = bench.recorder.trades[-1]
        assert (closed.trade_id, closed.close_reason) == (opened.client_id, "stop-loss")
        bench.quote(1.08, 1.0801)
        assert await bench.gateway.reconciler.run()
        assert not bench.gateway.reconciler.breaks
        await bench.stop()
        assert not bench.failures

    run(story())


def test_a_trailing_stop_follows_and_survives_a_restart(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit(stop_loss=D("1.09"), trailing_distance=D("0.01"))
        bench.quote(1.12, 1.1201)
        assert await bench.gateway.reconciler.run()
        assert bench.gateway.book.own_trades()[0].stop_loss == D("1.11")
        await bench.crash()
        await bench.connect()
        assert bench.gateway.book.own_trades()[0].stop_loss == D("1.11")
        bench.quote(1.1095, 1.1096)
        await bench.until(lambda: not bench.gateway.book.own_trades(), "the stop")
        await bench.journal.settle()
        assert bench.recorder.trades[-1].close_reason == "trailing-stop"
        await bench.stop()

    run(story())


def test_protection_of_a_trade_is_modified(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit(stop_loss=D("1.09"))
        done = await bench.submit(
            action="modify", trade_id=opened.client_id, stop_loss=D("1.095"), take_profit=D("1.2")
        )
        assert done.state is OrderState.DONE
        (trade,) = bench.gateway.book.own_trades()
        assert (trade.stop_loss, trade.take_profit) == (D("1.095"), D("1.2"))
        await bench.submit(action="modify", trade_id=opened.client_id, take_profit=Decimal(0))
        assert bench.gateway.book.own_trades()[0].take_profit is None
        assert await bench.gateway.reconciler.run()
        assert bench.gateway.book.own_trades()[0].stop_loss == D("1.095")
        await bench.stop()

    run(story())


def test_opposite_instances_net_at_the_broker_and_stay_apart_here(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path, positions="netting")

    async def story() -> None:
        await bench.connect()
        await bench.submit(7)
        await bench.submit(8, side="sell", units=D(400))
        assert dict((await bench.adapter.snapshot()).net_units) == {"EUR/USD": D(600)}
        assert [trade.units for trade in bench.gateway.book.own_trades()] == [D(1000), D(400)]
        await bench.gateway.flattener.close_all(7, "test")
        assert dict((await bench.adapter.snapshot()).net_units) == {"EUR/USD": D(-400)}
        assert await bench.gateway.reconciler.run()
        assert not bench.gateway.reconciler.breaks
        await bench.stop()

    run(story())


def test_close_all_closes_and_cancels_what_is_of_one_magic_number_once(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        for _ in range(3):
            await bench.submit(7)
        await bench.submit(7, order_type="limit", price=D("1.05"))
        await bench.submit(8)
        done = await asyncio.gather(
            bench.gateway.flattener.close_all(7, "test"), bench.gateway.flattener.close_all(7, "test")
        )
        assert sum(done) == 4
        assert [trade.magic for trade in bench.gateway.book.own_trades()] == [8]
        assert bench.gateway.book.open_orders() == ()
        assert await bench.gateway.flattener.close_all(7, "test") == 0
        await bench.stop()

    run(story())


def test_flattening_closes_until_flat_and_opens_are_denied(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit()
        TradingStates().with_state("instance:alpha", TradingState.FLATTENING).save(bench.home.trading_states)
        denied = await bench.submit()
        assert denied.state is OrderState.DENIED
        assert "trading-state" in denied.reason
        await bench.gateway.turn()
        await bench.until(lambda: not bench.gateway.book.own_trades(), "flat")
        assert (await bench.submit(8)).state is OrderState.FILLED
        await bench.stop()

    run(story())


def test_a_damaged_trading_state_file_stops_everything_but_cancels(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        opened = await bench.submit()
        working = await bench.submit(order_type="limit", price=D("1.05"))
        bench.home.trading_states.write_text("{")
        assert (await bench.submit()).state is OrderState.DENIED
        assert (await bench.submit(action="close", trade_id=opened.client_id)).state is OrderState.DENIED
        assert (await bench.submit(action="cancel", order_id=working.client_id)).state is OrderState.DONE
        await bench.stop()

    run(story())


@pytest.mark.parametrize(("policy", "trades", "orders"), [("keep", 1, 1), ("reduce", 1, 0), ("flatten", 0, 0)])
def test_the_policy_of_an_instance_that_is_down_is_applied(
    bench: GatewayBench, policy: Any, trades: int, orders: int
) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit()
        await bench.submit(order_type="limit", price=D("1.05"))
        await bench.gateway.flattener.instance_down("alpha", 7, policy)
        await bench.gateway.submitter.idle(1.0)
        assert len(bench.gateway.book.own_trades()) == trades
        assert len(bench.gateway.book.open_orders()) == orders
        await bench.stop()

    run(story())


def test_units_are_sized_from_the_risk(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        order = await bench.submit(risk_frac=D("0.01"), units=None, stop_loss=D("1.0901"))
        assert order.filled_units == D(1_000_000)
        await bench.stop()

    run(story())


def test_a_restart_brings_orders_trades_and_the_risk_day_back(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit()
        working = await bench.submit(order_type="limit", price=D("1.05"))
        before = bench.gateway.book.own_trades(), bench.gateway.day.day
        await bench.crash()
        await bench.connect()
        assert (bench.gateway.book.own_trades(), bench.gateway.day.day) == before
        assert [order.client_id for order in bench.gateway.book.open_orders()] == [working.client_id]
        bench.quote(1.0498, 1.0499)
        assert len(bench.gateway.book.own_trades()) == 2
        await bench.stop()

    run(story())


def test_fills_that_came_while_the_gateway_was_away_are_booked_once(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        await bench.submit(order_type="limit", price=D("1.05"))
        await bench.crash()
        bench.start()
        await bench.adapter.connect()
        bench.clock.advance(bench.clock.now_ns() + 10**9)
        tick = bench.last_tick._replace(bid=1.0498, ask=1.0499, time_ns=bench.clock.now_ns())
        assert bench.adapter.on_ticks([tick])  # type: ignore[attr-defined]
        await bench.gateway.connect()
        assert len(bench.gateway.book.own_trades()) == 1
        assert await bench.gateway.reconciler.run()
        assert len(bench.gateway.book.own_trades()) == 1
        assert not bench.gateway.reconciler.breaks
        await bench.stop()

    run(story())


def test_an_unconfigured_instance_and_a_reserved_counter_are_refused(bench: GatewayBench) -> None:
    async def story() -> None:
        await bench.connect()
        stranger = bench.intent().model_copy(update={"magic": 99})
        with pytest.raises(Rejected, match="not configured"):
            bench.gateway.intake.check_origin(stranger)
        with pytest.raises(Rejected, match="belong to the gateway"):
            bench.gateway.intake.check_origin(bench.intent(n=-1))
        await bench.stop()

    run(story())
