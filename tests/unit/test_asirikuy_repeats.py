"""The C library runs a bar once, however often it is called, and again only for what was refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from atrader.orders.model import Intent, Order
from atrader.orders.states import OrderState
from tests.support.asirikuy_desk import MINUTE_NS
from tests.support.asirikuy_fixtures import MakeStage
from tests.support.asirikuy_stage import MAGIC, OPEN_BUY, PAIR, Stage, World, a_trade, an_order, preset

CLOSE_BUY, UPDATE_BUY = 0x2, 0x4
FIVE = [{"symbol": PAIR, "timeframe": f"{minutes}m", "bars": 10} for minutes in (5, 1)]
"""The library's own bar lasts five minutes, and it is called at each."""


def before_a_long_bar(stage: Stage) -> Stage:
    """Go to the last minute before a bar of five begins."""
    length_ns = 5 * MINUTE_NS
    stage.world.time_ns = (stage.world.time_ns // length_ns + 2) * length_ns - MINUTE_NS + 5 * 10**9
    return stage


@pytest.mark.parametrize("clock", ["ntp", "own"])
def test_a_life_that_begins_within_a_long_bar_does_not_run_it_again(
    make_stage: MakeStage, ntp_server: str, clock: str
) -> None:
    stage = before_a_long_bar(make_stage(preset(OPEN_BUY), ntp_server, rates=FIVE, clock_check=clock))
    assert len(stage.bar()) == 1
    assert stage.bar() == []
    stage.strategy.on_stop()
    stage.life()
    assert [stage.bar() for _ in range(3)] == [[], [], []]
    assert len(stage.bar()) == 1, "the next long bar"


def test_a_trade_that_lost_its_stop_has_a_long_bar_run_again_but_nothing_opened(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = before_a_long_bar(make_stage(preset(OPEN_BUY | UPDATE_BUY, 0, 0.2), ntp_server, rates=FIVE))
    assert len(stage.bar()) == 1
    stage.world.open_trades = [a_trade(1, initial_stop=Decimal("1.4"))]
    assert [wish["action"] for wish in stage.bar()] == ["modify"]


def test_an_open_that_was_refused_at_the_end_of_a_short_bar_is_made_in_the_next_one(
    make_stage: MakeStage, ntp_server: str
) -> None:
    stage = before_a_long_bar(make_stage(preset(OPEN_BUY), ntp_server, rates=FIVE))
    assert len(stage.bar()) == 1
    stage.strategy.on_order(an_order(1, OrderState.REJECTED))
    assert len(stage.bar()) == 1
    assert stage.bar() == []


def test_a_close_that_was_refused_is_wanted_again_as_often_as_an_open(make_stage: MakeStage, ntp_server: str) -> None:
    stage = make_stage(preset(CLOSE_BUY), ntp_server, order_retries=2)
    trade = a_trade(3)
    stage.world.open_trades = [trade]
    intent = Intent(
        magic=MAGIC, n=5, instance="bbs", instrument=PAIR, action="close", time_ns=1, trade_id=trade.trade_id
    )
    refused = Order(
        client_id=intent.client_id, intent=intent, state=OrderState.REJECTED, units=None, created_ns=5, updated_ns=5
    )
    assert [wish["action"] for wish in stage.bar()] == ["close"]
    for expected in (1, 1, 0):
        stage.strategy.on_order(refused)
        assert len(stage.tick(1)) == expected


@pytest.mark.parametrize(("reason", "opened"), [("price-age: price is 14.0 s old", 1), ("max-units: too many", 0)])
def test_an_open_that_was_denied_for_an_old_price_is_made_at_the_next_quote(
    make_stage: MakeStage, ntp_server: str, reason: str, opened: int
) -> None:
    stage = make_stage(preset(OPEN_BUY), ntp_server)
    assert len(stage.bar()) == 1
    stage.strategy.on_order(an_order(1, OrderState.DENIED).model_copy(update={"reason": reason}))
    assert len(stage.tick(1)) == opened


def test_a_bar_that_died_with_its_process_is_run_again_also_when_there_is_no_price_at_first(
    make_stage: MakeStage, ntp_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make_stage(preset(CLOSE_BUY), ntp_server)
    stage.world.open_trades = [a_trade(1)]
    before = dict(stage.world.state)
    assert len(stage.bar()) == 1
    stage.strategy.on_stop()
    stage.world.state = before
    stage.life()
    with monkeypatch.context() as patch:
        patch.setattr(World, "price", lambda world: None)
        assert stage.bar(minutes=0) == []
    assert len(stage.tick(1)) == 1


def test_a_code_at_every_quote_does_not_cost_memory_at_every_quote(make_stage: MakeStage, ntp_server: str) -> None:
    stage = make_stage(preset(OPEN_BUY, text="RUN_EVERY_TICK=1\nADDITIONAL_PARAM_35=10"), ntp_server, call_every="10s")
    for _ in range(20):
        stage.tick(0.2)
    assert stage.strategy._session.initialised == 1
    stage.tick(10)
    assert stage.strategy._session.initialised == 2


def test_what_trades_had_lost_when_they_were_taken_over_is_no_drawdown_of_the_instance(make_stage: MakeStage) -> None:
    stage = make_stage(preset(OPEN_BUY, text="MAX_DRAWDOWN_PERCENT=10"))
    stage.world.equity_now = Decimal(900)
    stage.world.open_trades = [
        a_trade(1).model_copy(update={"units": Decimal(1000), "open_price": Decimal("1.2")})  # 100 below
    ]
    assert len(stage.bar()) == 1
    assert stage.strategy._curve is not None
    assert stage.strategy._curve.worst_percent == 0.0
