"""OANDA's log lags behind its account; a fill is smaller than its order: nothing is lost, and the proof holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from atrader.clock import parse_time
from atrader.orders.states import OrderState
from tests.support.oanda_world import TOKEN_NAME, OandaWorld
from tests.support.skipping_loop import SkippingLoop

D = Decimal
_START_NS = parse_time("2024-06-04T10:00:00Z")
_SELL = {"type": "MARKET", "instrument": "EUR_USD", "timeInForce": "FOK", "positionFill": "DEFAULT"}


def play(
    root: Path, monkeypatch: pytest.MonkeyPatch, story: Callable[[OandaWorld], Awaitable[None]], kind: str
) -> None:
    monkeypatch.setenv(TOKEN_NAME, "practice-0123456789abcdef-fedcba9876543210")
    loop = SkippingLoop()
    world = OandaWorld(loop, root, hedging=kind == "hedging", start_ns=_START_NS)
    try:
        loop.run_until_complete(world.begin())
        loop.run_until_complete(story(world))
        assert not world.failures
    finally:
        loop.run_until_complete(world.end())
        loop.close()


def test_what_a_person_closed_while_the_log_was_behind_is_in_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: OandaWorld) -> None:
        await world.by_hand("POST", "/orders", {"order": {**_SELL, "units": "-3000"}})
        await world.until(lambda: world.gateway.book.ledger.open_trades(), "a foreign trade")
        (ticket,) = world.sim.account(world.account_id).open_trades()
        world.sim.faults.hide_log_s = 0.5
        world.sim.drop_connections(True)
        await world.by_hand("PUT", f"/trades/{ticket.id}/close", {"units": "ALL"})
        world.sim.drop_connections(True)
        await world.kill_gateway()
        await world.until(lambda: len(world.history.rows("fills")) == 2, "both fills in the history")
        await world.until(lambda: not world.gateway.book.ledger.open_trades(), "no trade")

    play(tmp_path, monkeypatch, story, "hedging")


def test_a_stop_of_which_the_broker_fills_less_since_a_person_sold_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: OandaWorld) -> None:
        intent = world.intent(7, action="open", side="buy", units=D(3000), stop_loss=D("1.0980"))
        world.hand_over(intent)
        book = world.gateway.book
        await world.until(
            lambda: [o for o in book.net_stops(intent.client_id) if o.state is OrderState.WORKING], "a stop"
        )
        (stop,) = book.net_stops(intent.client_id)
        await world.by_hand("POST", "/orders", {"order": {**_SELL, "units": "-2000"}})
        world.quote(-30)
        await world.until(lambda: book.ledger.net_units() == {}, "the net position to be closed")
        await world.until(lambda: not world.gateway.reconciler.breaks, "a proof that holds")
        await world.pass_time(10.0)
        assert not world.gateway.reconciler.breaks
        ended = world.journal.read.order(stop.client_id)
        assert ended is not None
        assert (ended.order.state, ended.order.filled_units) == (OrderState.CANCELLED, D(1000))
        assert [(trade.magic, trade.units) for trade in book.ledger.open_trades()] == [(7, D(2000)), (0, D(2000))]

    play(tmp_path, monkeypatch, story, "netting")
