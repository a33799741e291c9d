"""Whose a trade is on real OANDA accounts: stops that wait for virtual trades, people's trades, adoption."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.orders.states import OrderState
from tests.support.oanda_stage import OandaStage, patience, play

D = Decimal
LOW, LOWER = D("1.095"), D("1.09")


def stops(stage: OandaStage) -> list[tuple[Decimal, Decimal]]:
    """Return the reduce-only stops that wait at the venue: units and price."""
    pending = [order for order in stage.sim.account(stage.account_id).pending() if order.type == "STOP"]
    assert all(order.request["positionFill"] == "REDUCE_ONLY" for order in pending)
    return sorted((abs(order.units), order.price or D(0)) for order in pending)


async def covered(stage: OandaStage, *wanted: tuple[int, Decimal]) -> None:
    expected = sorted((D(units), price) for units, price in wanted)
    await stage.bench.until(lambda: stops(stage) == expected, f"stops {expected}")
    await stage.bench.gateway.submitter.idle(1.0)


async def by_hand(stage: OandaStage, units: str) -> None:
    """Have a person trade on the same account."""
    order = {"type": "MARKET", "instrument": "EUR_USD", "units": units, "timeInForce": "FOK"}
    await stage.person.act("POST", "/orders", {"order": order}, "person")


async def seen(stage: OandaStage, *magics: int) -> None:
    ledger = stage.bench.gateway.book.ledger
    await stage.bench.until(
        lambda: sorted(trade.magic for trade in ledger.open_trades()) == sorted(magics), f"trades of {magics}"
    )


def closes(stage: OandaStage) -> int:
    """Return how many fills of the venue sold."""
    return sum(item["type"] == "ORDER_FILL" and D(item["units"]) < 0 for item in stage.log())


def test_stops_wait_at_the_venue_move_and_follow_the_net_position(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=LOW)
        await stage.opened(magic=8, units=D(2000), stop_loss=LOWER)
        await covered(stage, (1000, LOW), (2000, LOWER))
        await stage.bench.submit(action="modify", trade_id=first.client_id, stop_loss=D("1.097"))
        await covered(stage, (1000, D("1.097")), (2000, LOWER))
        await stage.opened(magic=8, side="sell", units=D(500))
        await covered(stage, (1000, D("1.097")), (1500, LOWER))
        close = await stage.bench.submit(action="close", trade_id=first.client_id)
        assert await stage.decided(close) is OrderState.FILLED
        await covered(stage, (1500, LOWER))

    play(OandaStage(tmp_path, "netting"), story)


def test_equal_sizes_with_stops_of_their_own_offend_no_fifo_rule(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        account = stage.sim.account(stage.account_id)
        account.settings = replace(account.settings, fifo=True)
        first = await stage.opened(stop_loss=LOW)
        second = await stage.opened(magic=8, stop_loss=LOWER)
        await covered(stage, (1000, LOW), (1000, LOWER))
        close = await stage.bench.submit(8, action="close", trade_id=second.client_id)  # the younger one first
        assert await stage.decided(close) is OrderState.FILLED
        await covered(stage, (1000, LOW))
        stage.quote("1.09400", "1.09410")
        await stage.bench.until(lambda: stage.trade(first) is None, "the end of the first")

    play(OandaStage(tmp_path, "netting"), story)


def test_a_stop_reached_while_the_gateway_is_dead_closes_its_trade_and_no_other(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=LOW)
        second = await stage.opened(magic=8, units=D(2000), stop_loss=LOWER)
        await covered(stage, (1000, LOW), (2000, LOWER))
        await stage.end_life()
        stage.sim.clock.advance(60)
        stage.sim.quote("EUR_USD", "1.09400", "1.09410")
        assert stage.sim.account(stage.account_id).net_units("EUR_USD") == 2000
        stage.bench.last_tick = stage.bench.last_tick._replace(bid=1.094, ask=1.0941)
        await stage.bench.connect()
        stage.bench.gateway.tasks.spawn(stage.bench.gateway.stay_connected())
        assert stage.trade(first) is None
        assert stage.trade(second).units == 2000
        await stage.bench.gateway.turn()
        await covered(stage, (2000, LOWER))
        assert closes(stage) == 1
        closed = [trade for trade in stage.bench.recorder.trades if trade.trade_id == first.client_id][-1]
        assert closed.close_reason == "stop-loss"

    play(OandaStage(tmp_path, "netting"), story)


def test_a_stop_that_venue_and_gateway_both_see_closes_once(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=LOW)
        second = await stage.opened(magic=8, stop_loss=LOWER)
        await covered(stage, (1000, LOW), (1000, LOWER))
        stage.quote("1.09400", "1.09410")
        await stage.bench.until(lambda: stage.trade(first) is None, "the end of the first")
        await stage.proven()
        assert closes(stage) == 1
        assert stage.trade(second).units == 1000

    play(OandaStage(tmp_path, "netting"), story)


@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang", "accept-then-502", "429"])
def test_an_exit_whose_stop_is_hard_to_take_back_closes_once(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=LOW)
        await stage.opened(magic=8, stop_loss=LOWER)
        await covered(stage, (1000, LOW), (1000, LOWER))
        stage.sim.faults.next("PUT", "/cancel", fault)
        close = await stage.bench.submit(action="close", trade_id=first.client_id)
        assert await stage.decided(close) is OrderState.FILLED
        assert closes(stage) == 1
        await covered(stage, (1000, LOWER))

    play(OandaStage(tmp_path, "netting", account=patience(fault)), story)


@pytest.mark.parametrize("fault", ["hang-before-accept", "accept-then-hang"])
def test_a_moved_stop_whose_answer_is_lost_ends_where_the_trade_has_it(tmp_path: Path, fault: str) -> None:
    async def story(stage: OandaStage) -> None:
        first = await stage.opened(stop_loss=LOW)
        await covered(stage, (1000, LOW))
        stage.sim.faults.next("PUT", "/orders/", fault)
        await stage.bench.submit(action="modify", trade_id=first.client_id, stop_loss=D("1.097"))
        deadline = asyncio.get_running_loop().time() + 60
        while stops(stage) != [(D(1000), D("1.097"))] and asyncio.get_running_loop().time() < deadline:
            stage.quote("1.10000", "1.10010", after_s=5)
            stage.bench.gateway.net_stops.turn()
            await asyncio.sleep(0.02)
        await covered(stage, (1000, D("1.097")))

    play(OandaStage(tmp_path, "netting", account=patience(fault)), story)


def test_on_a_net_position_a_persons_trade_is_nobodys_until_it_is_adopted(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        own = await stage.opened(stop_loss=LOW)
        await by_hand(stage, "700")
        await seen(stage, 0, 7)
        (foreign,) = stage.bench.gateway.book.ledger.open_trades(0)
        await stage.bench.gateway.assignments.adopt(foreign.trade_id, "beta")
        close = await stage.bench.submit(8, action="close", trade_id=foreign.trade_id)
        assert await stage.decided(close) is OrderState.FILLED
        assert stage.trade(own).units == 1000

    play(OandaStage(tmp_path, "netting"), story)


def test_a_ticket_adopted_on_a_hedging_account_carries_the_magic_number(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await by_hand(stage, "700")
        await seen(stage, 0)
        (foreign,) = stage.bench.gateway.book.ledger.open_trades(0)
        ticket = foreign.broker_trade_id
        assert ticket is not None
        await stage.bench.gateway.assignments.adopt(ticket, "beta")
        (held,) = stage.sim.account(stage.account_id).open_trades()
        assert (held.extensions or {}).get("tag") == "atr:8"
        await stage.end_life()
        await stage.connect()
        (kept,) = stage.bench.gateway.book.own_trades(8)
        change = await stage.bench.submit(8, action="modify", trade_id=kept.trade_id, stop_loss=LOW)
        assert await stage.decided(change) is OrderState.DONE
        close = await stage.bench.submit(8, action="close", trade_id=kept.trade_id)
        assert await stage.decided(close) is OrderState.FILLED

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_a_trade_that_a_person_closes_is_closed_here_as_well(tmp_path: Path, positions: str) -> None:
    async def story(stage: OandaStage) -> None:
        first, second = await stage.opened(stop_loss=LOW), await stage.opened(magic=8, stop_loss=LOWER)
        if positions == "netting":
            await covered(stage, (1000, LOW), (1000, LOWER))
        tickets = {(item.extensions or {}).get("id"): item.id for item in _tickets(stage)}
        await stage.person.act("PUT", f"/trades/{tickets[second.client_id]}/close", {"units": "ALL"}, "person")
        await seen(stage, 7)
        assert stage.trade(first) is not None
        told = stage.bench.recorder.trades
        await stage.bench.until(
            lambda: [trade.close_reason for trade in told if trade.trade_id == second.client_id][-1] == "manual-close",
            "the person's close is told",
        )
        if positions == "netting":
            await covered(stage, (1000, LOW))

    play(OandaStage(tmp_path, positions), story)


def _tickets(stage: OandaStage) -> list[Any]:
    return stage.sim.account(stage.account_id).open_trades()
