"""A gateway's core on an OANDA account: what is booked is what the broker says, and sizes never keep a trade open."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import SystemClock
from atrader.errors import BrokerUnavailable
from atrader.instruments import KNOWN
from atrader.orders.model import Order
from atrader.orders.states import OrderState
from broker_api.gateway.account_view import AccountViews
from broker_api.oanda.adapter import OandaAdapter
from tests.support.gateways import account_config
from tests.support.oanda_stage import OandaStage, play

D = Decimal
POSITIONS = pytest.mark.parametrize("positions", ["hedging", "netting"])


async def close(stage: OandaStage, opened: Order, **values: Any) -> tuple[OrderState, str]:
    """Close a trade, or a part, and return what became of it."""
    order = await stage.bench.submit(action="close", trade_id=opened.client_id, **values)
    return await stage.decided(order), stage.reason_of(order)


async def with_sizes(stage: OandaStage, **sizes: Decimal) -> None:
    """Begin another life, in which people allow other sizes of an order."""
    await stage.end_life()
    stage.defined["EUR/USD"] = KNOWN["EUR/USD"].model_copy(update=sizes)
    await stage.connect()


def stops_at_the_venue(stage: OandaStage) -> list[Decimal]:
    """Return the units of the stops that wait."""
    return [-order.units for order in stage.sim.account(stage.account_id).pending() if order.type == "STOP"]


def test_the_profit_of_a_ticket_is_the_brokers_with_all_its_digits(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(7777))
        stage.quote("1.10123", "1.10135")
        assert await close(stage, opened, units=D(777)) == (OrderState.FILLED, "")
        assert await close(stage, opened) == (OrderState.FILLED, "")
        told = [D(str(item["pl"])) for item in stage.log() if item["type"] == "ORDER_FILL"]
        assert told == [D(0), D("0.8780"), D("7.9100")]
        await stage.bench.journal.settle()
        ended = next(trade for trade in stage.bench.recorder.trades if not trade.is_open)
        assert ended.profit == sum(told)

    play(OandaStage(tmp_path, account={"currency_digits": 2}), story)


def test_an_account_at_oanda_counts_with_its_four_digits_unless_its_file_says_otherwise(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(7777))
        stage.quote("1.10123", "1.10135")
        assert await close(stage, opened) == (OrderState.FILLED, "")
        await stage.bench.journal.settle()
        assert stage.bench.recorder.trades[-1].profit == D("8.7880")

    play(OandaStage(tmp_path, "netting"), story)
    assert account_config(broker="paper").currency_digits == 2


@POSITIONS
def test_a_trade_that_is_larger_than_an_order_may_be_now_can_be_closed(tmp_path: Path, positions: str) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(3000), stop_loss=D("1.09"))
        await with_sizes(stage, max_units=D(1000))
        refused = await stage.bench.submit(units=D(1001))
        assert refused.state is OrderState.DENIED
        assert await close(stage, opened) == (OrderState.FILLED, "")

    play(OandaStage(tmp_path, positions), story)


@POSITIONS
def test_a_rest_that_is_smaller_than_an_order_has_to_be_keeps_its_stop_and_can_be_closed(
    tmp_path: Path, positions: str
) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(1500), stop_loss=D("1.09"))
        await with_sizes(stage, min_units=D(1000))
        assert await close(stage, opened, units=D(1000)) == (OrderState.FILLED, "")
        if positions == "netting":
            await stage.bench.until(lambda: stops_at_the_venue(stage) == [D(500)], "a stop for the rest")
        assert await close(stage, opened) == (OrderState.FILLED, "")

    play(OandaStage(tmp_path, positions), story)


@POSITIONS
def test_margin_is_reckoned_as_the_broker_does_for_both_sides_of_an_instrument(tmp_path: Path, positions: str) -> None:
    async def story(stage: OandaStage) -> None:
        await stage.opened(units=D(3000))
        await stage.opened(magic=8, units=D(2000), side="sell")
        await stage.proven()
        view = AccountViews(stage.bench.gateway, lambda: 0, SystemClock()).current()
        assert view.broker_says is not None
        assert view.margin_used is not None
        assert view.margin_used > 0
        assert abs(view.margin_used - view.broker_says.margin_used) < D("0.001")

    play(OandaStage(tmp_path, positions), story)


def test_an_answer_without_an_account_is_no_answer_and_nothing_is_concluded_from_it(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.09"))
        gateway, adapter = stage.bench.gateway, stage.bench.adapter
        assert isinstance(adapter, OandaAdapter)
        await stage.bench.until(lambda: adapter.health().streams[0].heard_age_s is not None, "the stream")
        await stage.proven()
        balance = gateway.valuation.balance
        for ask in (adapter.connect, adapter.account, adapter.snapshot, adapter.instruments):
            stage.sim.faults.next("GET", stage.account_id, "empty-json")
            with pytest.raises(BrokerUnavailable):
                await ask()
        assert gateway.valuation.balance == balance
        assert stage.trade(opened) is not None

    play(OandaStage(tmp_path), story)


def test_a_stop_that_somebody_took_from_a_trade_at_the_broker_is_an_alert(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.09"), take_profit=D("1.12"))
        alerts = stage.bench.gateway.alerts.counters
        moved = await stage.bench.submit(action="modify", trade_id=opened.client_id, stop_loss=D("1.091"))
        assert await stage.decided(moved) is OrderState.DONE
        await stage.proven()
        path = f"/trades/{stage.ticket(opened)}/orders"
        await stage.person.act("PUT", path, {"stopLoss": {"price": "1.08", "timeInForce": "GTC"}}, "")
        await stage.proven()
        assert stage.trade(opened).stop_loss == D("1.08")
        assert not alerts["stop-gone"]
        await stage.person.act("PUT", path, {"stopLoss": None}, "")
        await stage.proven()
        await stage.proven()
        assert (stage.trade(opened).stop_loss, alerts["stop-gone"]) == (None, 1)

    play(OandaStage(tmp_path), story)


def test_a_strategy_that_takes_its_own_stop_away_is_no_alert(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.09"))
        stage.sim.faults.next("PUT", "/orders", "accept-then-drop")
        removed = await stage.bench.submit(action="modify", trade_id=opened.client_id, stop_loss=D(0))
        assert await stage.decided(removed) is OrderState.DONE
        await stage.proven()
        assert stage.trade(opened).stop_loss is None
        assert not stage.bench.gateway.alerts.counters["stop-gone"]

    play(OandaStage(tmp_path), story)
