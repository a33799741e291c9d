"""Open trades of an old program at a real netting account: taken over when they add up, once, and nothing is sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import ConfigError
from atrader.orders.model import Trade
from atrader.orders.states import OrderState
from atrader.take_over import TakeOver, read_take_over
from tests.support.oanda_stage import OandaStage, play

D = Decimal


def old_trade(number: int, magic: int, side: str, units: int, price: str, **values: Any) -> Trade:
    return Trade.model_validate(
        {
            "trade_id": f"old-{number}-1466000000", "account": "paper", "magic": magic, "instance": f"old-{magic}",
            "instrument": "EUR/USD", "side": side, "units_opened": units, "units": units,
            "open_time_ns": 1_466_000_000 * 10**9, "open_price": price, **values,
        }
    )  # fmt: skip


ALPHA = old_trade(1, 7, "buy", 1000, "1.05000", stop_loss="1.04")
BETA = old_trade(2, 8, "sell", 400, "1.20000", stop_loss="1.30")


def write(stage: OandaStage, *trades: Trade) -> Path:
    path = stage.bench.home.take_over("paper")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TakeOver(source="a test", trades=trades).text())
    return path


async def trade_by_hand(stage: OandaStage, *units: int, instrument: str = "EUR_USD") -> None:
    for one in units:
        body = {"order": {"type": "MARKET", "instrument": instrument, "units": str(one)}}
        await stage.person.act("POST", "/orders", body, "")


async def begin_anew(stage: OandaStage, *units: int) -> None:
    """End the gateway, forget its journal, and let the old program trade its net orders."""
    await stage.end_life()
    stage.bench.home.journal("paper").unlink()
    await trade_by_hand(stage, *units)


def orders(stage: OandaStage) -> list[str]:
    return [item["type"] for item in stage.log() if item["type"].endswith("_ORDER")]


def own(stage: OandaStage) -> list[str]:
    return sorted(trade.trade_id for trade in stage.bench.gateway.book.own_trades())


def play_netting(root: Path, story: Callable[[OandaStage], Coroutine[Any, Any, None]]) -> None:
    play(OandaStage(root, "netting"), story)


def test_trades_that_add_up_become_ours_with_their_owners_and_only_their_stops_are_sent(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 1000, -400)
        write(stage, ALPHA, BETA)
        await stage.connect()
        gateway = stage.bench.gateway
        assert {(trade.instance, trade.magic, trade.side, trade.units) for trade in gateway.book.own_trades()} == {
            ("alpha", 7, "buy", D(1000)),
            ("beta", 8, "sell", D(400)),
        }
        assert not gateway.book.ledger.open_trades(0)
        assert {trade.trade_id for trade in stage.bench.recorder.trades} >= {ALPHA.trade_id, BETA.trade_id}
        await stage.bench.until(lambda: gateway.book.net_stops(ALPHA.trade_id), "its stop at the broker")
        await gateway.submitter.idle(2.0)
        assert orders(stage) == ["MARKET_ORDER", "MARKET_ORDER", "STOP_ORDER"]

    play_netting(tmp_path, story)


def test_the_equity_of_what_was_taken_over_is_the_brokers_though_it_realised_otherwise(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 1000, -400)
        write(stage, ALPHA, BETA)
        await stage.connect()
        gateway = stage.bench.gateway
        assert gateway.reconciler.breaks.keys() <= {"*"}
        await stage.proven()
        worth = gateway.valuation.worth(gateway.book.ledger.open_trades())
        account = await gateway.adapter.account()
        assert abs(worth.equity - account.equity) <= D("0.01")
        stage.quote("1.10000", "1.10010")
        order = await stage.bench.submit(8, action="close", trade_id=BETA.trade_id)
        assert await stage.decided(order) is OrderState.FILLED
        await stage.proven()
        worth = gateway.valuation.worth(gateway.book.ledger.open_trades())
        account = await gateway.adapter.account()
        assert abs(worth.equity - account.equity) <= D("0.1")

    play_netting(tmp_path, story)


def test_a_trade_is_taken_over_once_in_the_life_of_a_journal_whatever_becomes_of_it(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 1000)
        write(stage, ALPHA)
        await stage.connect()
        await stage.proven()
        await stage.end_life()
        await stage.connect()
        assert own(stage) == [ALPHA.trade_id]
        order = await stage.bench.submit(7, action="close", trade_id=ALPHA.trade_id)
        assert await stage.decided(order) is OrderState.FILLED
        await stage.bench.journal.settle()
        await stage.end_life()
        await stage.connect()
        assert own(stage) == []
        assert stage.bench.gateway.alerts.counters["taken-over"] == 0

    play_netting(tmp_path, story)


def test_a_gateway_that_dies_before_the_take_over_is_on_disk_makes_it_again_and_whole(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 1000, -400)
        write(stage, ALPHA, BETA)
        stage.bench.start()
        gateway = stage.bench.gateway
        await gateway.adapter.connect()
        gateway.valuation.instruments = dict(await gateway.adapter.instruments())
        written, gateway.journal.flush = gateway.journal.flush, lambda: None  # type: ignore[method-assign]
        assert await gateway.reconciler.run()
        assert own(stage) == [ALPHA.trade_id, BETA.trade_id]
        gateway.journal.flush = written  # type: ignore[method-assign]
        await stage.end_life()
        await stage.connect()
        assert own(stage) == [ALPHA.trade_id, BETA.trade_id]
        assert stage.bench.gateway.alerts.counters["taken-over"] == 2

    play_netting(tmp_path, story)


def test_trades_that_do_not_add_up_lock_their_instrument_until_the_broker_is_put_right(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 900)
        write(stage, ALPHA)
        await stage.connect()
        gateway = stage.bench.gateway
        assert own(stage) == []
        assert "add up to 1000, the broker holds 900" in gateway.reconciler.breaks["EUR/USD"]
        order = await stage.bench.submit(8)
        assert await stage.decided(order) is OrderState.DENIED
        assert stage.reason_of(order).startswith("instrument-locked")
        await trade_by_hand(stage, 100)
        await stage.proven()
        assert own(stage) == [ALPHA.trade_id]

    play_netting(tmp_path, story)


def test_what_else_the_account_holds_stays_foreign(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage, 1000)
        stage.sim.quote("USD_JPY", "150.000", "150.010")
        await trade_by_hand(stage, 70, instrument="USD_JPY")
        write(stage, ALPHA)
        await stage.connect()
        ledger = stage.bench.gateway.book.ledger
        assert own(stage) == [ALPHA.trade_id]
        assert [(trade.instrument, trade.units) for trade in ledger.open_trades(0)] == [("USD/JPY", D(70))]
        assert stage.bench.gateway.reconciler.breaks.keys() <= {"*"}

    play_netting(tmp_path, story)


def test_a_hedging_account_takes_no_shares_of_net_positions_over(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await begin_anew(stage)
        path = write(stage, ALPHA)
        with pytest.raises(ConfigError, match="positions = 'netting'"):
            stage.bench.start()
        stage.bench.journal.close()
        path.unlink()
        await stage.connect()

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "remove the trade, or import again"),
        (lambda text: text.replace('"units": "1000"', '"units": "0"'), "expected open trades of paper"),
        (lambda text: text.replace('"account": "paper"', '"account": "other"'), "expected open trades of paper"),
        (lambda text: text.replace('"magic": 7', '"magic": "x"'), r"trades\.0\.magic"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, change: Callable[[str], str], message: str) -> None:
    path = tmp_path / "paper.json"
    path.write_text(change(TakeOver(source="a test", trades=(ALPHA,)).text()))
    with pytest.raises(ConfigError, match=message) as caught:
        read_take_over(path, "paper")
    assert str(path) in str(caught.value)
