"""A gateway's core on an OANDA account: what the account does by itself, what people do to it, and its own rules."""

import asyncio
import json
import sqlite3
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.clock import parse_time
from atrader.errors import ConfigError
from atrader.orders.states import OrderState
from broker_api.oanda.adapter import OandaAdapter
from tests.oanda_simulator import Limits
from tests.oanda_simulator.control import Commands
from tests.oanda_simulator.instruments import SPECS
from tests.support.oanda_stage import OandaStage, play

D = Decimal


def answers_in(stage: OandaStage) -> dict[int, str]:
    """Return what the journal keeps of the broker's own words."""
    connection = sqlite3.connect(f"file:{stage.bench.home.journal('paper')}?mode=ro", uri=True)
    try:
        return dict(connection.execute("SELECT transaction_id, body FROM broker_answers"))
    finally:
        connection.close()


def test_everything_the_broker_said_is_in_the_journal_once_even_what_nobody_knows(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        stage.sim.faults.unknown_fields = True
        before = stage.sim.account(stage.account_id).log.last_id
        await stage.opened(stop_loss=D("1.09"))
        stage.sim.write_transaction(stage.account_id, "FROM_THE_FUTURE", wonder={"a": [1, None]})
        stage.sim.write_transaction(stage.account_id, "MARGIN_CALL_ENTER")
        last = stage.sim.account(stage.account_id).log.last_id
        gateway = stage.bench.gateway
        await stage.bench.until(lambda: gateway.alerts.counters["broker-notice"], "the margin call to be told")
        await stage.proven()
        await stage.bench.journal.settle()
        found = answers_in(stage)
        assert sorted(found) == list(range(before + 1, last + 1))
        assert json.loads(found[last - 1])["wonder"]["a"] == [1, None]
        assert "futureField" in found[before + 1]
        assert gateway.alerts.counters["broker-notice"] == 1

    play(OandaStage(tmp_path), story)


def test_what_was_on_the_account_before_us_is_shown_as_foreign_and_its_history_is_left_alone(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await stage.end_life()
        stage.bench.home.journal("paper").unlink()
        body = {"order": {"type": "MARKET", "instrument": "EUR_USD", "units": "-300"}}
        for _ in range(2):
            await stage.person.act("POST", "/orders", body, "")
        made = (await stage.person.get("/openTrades"))["trades"]
        await stage.person.act("PUT", f"/trades/{made[0]['id']}/close", {"units": "ALL"}, "")
        await stage.connect()
        (trade,) = stage.bench.gateway.book.ledger.open_trades()
        assert (trade.magic, trade.units, trade.side) == (0, D(300), "sell")
        assert not stage.bench.journal.read.has_fill(made[0]["id"])

    play(OandaStage(tmp_path), story)


def test_a_person_may_open_close_and_reduce_beside_us_and_every_unit_is_accounted_for(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        first, second = await stage.opened(), await stage.opened(units=D(500))
        await stage.person.act("PUT", f"/trades/{stage.ticket(first)}/close", {"units": "400"}, "")
        await stage.bench.until(lambda: stage.trade(first).units == 600, "the reduction")
        await stage.person.act("PUT", "/positions/EUR_USD/close", {"longUnits": "ALL"}, "")
        await stage.bench.until(lambda: not stage.bench.gateway.book.own_trades(), "the close-out")
        assert stage.state_of(second.client_id) is OrderState.FILLED
        await stage.bench.journal.settle()
        closed = {trade.trade_id: trade.close_reason for trade in stage.bench.recorder.trades if not trade.is_open}
        assert closed == {first.client_id: "manual-close", second.client_id: "manual-close"}

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_financing_at_five_in_new_york_is_booked_on_our_trade_once(tmp_path: Path, positions: str) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(units=D(100_000))
        before = stage.sim.account(stage.account_id).log.last_id
        stage.sim.clock.advance_to(parse_time("2024-06-04T21:00:01Z"))
        await stage.bench.until(lambda: stage.trade(opened).swap, "financing")
        booked = [item for item in stage.log() if item["type"] == "DAILY_FINANCING" and int(item["id"]) > before]
        assert stage.trade(opened).swap == D(str(booked[0]["financing"])) != 0
        await stage.proven()
        assert stage.bench.gateway.valuation.balance == stage.sim.account(stage.account_id).balance
        assert stage.trade(opened).swap == D(str(booked[0]["financing"]))

    play(OandaStage(tmp_path, positions), story)


def test_profit_and_balance_are_the_brokers_to_the_last_digit_also_in_another_currency(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        stage.sim.quote("USD_JPY", "149.001", "149.013")
        order = {"order": {"type": "MARKET", "instrument": "USD_JPY", "units": "3333"}}
        await stage.person.act("POST", "/orders", order, "")
        stage.sim.quote("USD_JPY", "149.777", "149.789")
        held = (await stage.person.get("/openTrades"))["trades"][0]["id"]
        await stage.person.act("PUT", f"/trades/{held}/close", {"units": "ALL"}, "")
        opened = await stage.opened(units=D(7777))
        stage.quote("1.10123", "1.10135")
        close = await stage.bench.submit(action="close", trade_id=opened.client_id)
        assert await stage.decided(close) is OrderState.FILLED
        fills = [item for item in stage.log() if item["type"] == "ORDER_FILL"]
        await stage.proven()
        assert stage.bench.gateway.valuation.balance == D(str(fills[-1]["accountBalance"]))
        await stage.bench.journal.settle()
        ours = next(trade for trade in stage.bench.recorder.trades if not trade.is_open and trade.magic == 7)
        assert ours.profit == D(str(fills[-1]["pl"])) == D("8.7880")

    play(OandaStage(tmp_path), story)


def test_an_account_that_requires_guaranteed_stops_gets_them_and_nothing_without(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        bare = await stage.bench.submit()
        assert (bare.state, bare.reason) == (OrderState.REJECTED, "guaranteed-stop-required")
        opened = await stage.opened(stop_loss=D("1.09"))
        kinds = {item["type"] for item in stage.log()}
        assert "GUARANTEED_STOP_LOSS_ORDER" in kinds
        assert "STOP_LOSS_ORDER" not in kinds
        moved = await stage.bench.submit(action="modify", trade_id=opened.client_id, stop_loss=D("1.092"))
        assert await stage.decided(moved) is OrderState.DONE
        await stage.proven()
        assert stage.trade(opened).stop_loss == D("1.092")

    specs = {**SPECS, "EUR_USD": replace(SPECS["EUR_USD"], guaranteed_mode="ALLOWED")}
    play(OandaStage(tmp_path, guaranteed_mode="REQUIRED", specs=specs), story)


def test_a_market_order_fills_no_farther_from_the_last_price_than_allowed_and_exits_always_go(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened()
        assert isinstance(stage.bench.adapter, OandaAdapter)
        newest = stage.bench.adapter.prices.newest
        newest["EUR/USD"] = newest_tick = stage.bench.last_tick
        stage.sim.quote("EUR_USD", "1.10100", "1.10110")  # ten pips away, and we have not heard of it
        late = await stage.bench.submit()
        assert (await stage.decided(late), stage.reason_of(late)) == (OrderState.REJECTED, "price-bound")
        close = await stage.bench.submit(action="close", trade_id=opened.client_id)
        assert await stage.decided(close) is OrderState.FILLED
        assert newest_tick.bid == 1.1

    play(OandaStage(tmp_path, account={"oanda": {"market_bound_pips": 2}}), story)


@pytest.mark.parametrize(
    ("account", "key"), [({"currency": "EUR"}, "currency"), ({"positions": "netting"}, "positions")]
)
def test_an_account_that_is_not_what_its_file_says_is_refused_with_file_and_key(
    tmp_path: Path, account: dict[str, Any], key: str
) -> None:
    async def story(stage: OandaStage) -> None:
        stage.bench.config = stage.bench.config.model_copy(update=account)
        adapter = stage.adapter_of(stage.bench)
        try:
            with pytest.raises(ConfigError, match=rf"etc/accounts/paper\.toml: {key}: .* write {key} = "):
                await adapter.connect()
        finally:
            await adapter.close()

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("kind", ["limit", "stop"])
def test_a_working_order_keeps_its_identity_and_terms_over_changes(tmp_path: Path, kind: Any) -> None:
    async def story(stage: OandaStage) -> None:
        price, changed = (D("1.09"), D("1.095")) if kind == "limit" else (D("1.11"), D("1.105"))
        expires_ns = parse_time("2024-06-05T10:00:00Z")
        more: dict[str, Any] = {"stop_loss": D("1.05"), "take_profit": D("1.13"), "trailing_distance": D("0.05")}
        order = await stage.bench.submit(order_type=kind, price=price, expires_ns=expires_ns, **more)
        for target in (changed, price, changed):
            change = await stage.bench.submit(action="modify", order_id=order.client_id, price=target, take_profit=D(0))
            assert (await stage.decided(change), stage.reason_of(change)) == (OrderState.DONE, "")
        (report,) = (await stage.bench.adapter.snapshot()).orders
        terms, entry = report.terms, stage.bench.gateway.book.entry(order.client_id)
        assert terms is not None
        assert entry is not None
        assert (report.client_id, entry.order.broker_id) == (order.client_id, report.broker_id)
        assert (terms.price, terms.expires_ns, terms.magic) == (changed, expires_ns, 7)
        assert (terms.stop_loss, terms.take_profit, terms.trailing_distance) == (D("1.05"), None, D("0.05"))

    play(OandaStage(tmp_path), story)


def test_a_journal_goes_on_with_the_account_that_it_began_with_and_no_other(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        await stage.opened()
        await stage.end_life()
        right = stage.bench.config
        assert right.oanda is not None
        other = right.oanda.model_copy(update={"account_id": "101-004-1234567-009"})
        stage.bench.config = right.model_copy(update={"oanda": other})
        asked = len(stage.sim.requests)
        with pytest.raises(ConfigError, match=r"etc/accounts/paper\.toml: the journal .* 101-004-1234567-002'"):
            await stage.bench.connect()
        assert len(stage.sim.requests) == asked
        await stage.bench.stop()
        stage.bench.config = right
        await stage.connect()

    play(OandaStage(tmp_path), story)


def test_while_the_stream_is_refused_the_log_is_asked_and_everything_goes_on(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened(stop_loss=D("1.095"))
        stage.quote("1.09400", "1.09410")
        await stage.bench.until(lambda: stage.trade(opened) is None, "the stop to be heard of")
        await stage.opened()
        assert stage.bench.gateway.online.is_set()
        assert not stage.sim.open_streams

    play(OandaStage(tmp_path, limits=Limits(10_000, 0, 10_000)), story)


def test_a_gateway_stays_within_the_limits_of_the_venue(tmp_path: Path) -> None:
    async def story(stage: OandaStage) -> None:
        adapter = stage.bench.adapter
        assert isinstance(adapter, OandaAdapter)
        prices = adapter.prices.prices(["EUR/USD"])
        first = asyncio.ensure_future(anext(prices))
        snapshots = [asyncio.ensure_future(adapter.snapshot()) for _ in range(8)]
        await asyncio.gather(first, *snapshots)  # both streams and four connections for requests: six, two a second
        # The simulator lets four in: on a busy machine two that were begun half a second apart arrive together.
        await stage.bench.until(lambda: sorted(stage.sim.open_streams) == ["pricing", "transactions"], "the streams")
        assert adapter.prices.counters["refused"] == 0
        assert adapter.health().streams[0].reconnects == 0
        await prices.aclose()

    quick = {"oanda": {"new_connections_per_s": 2, "connect_timeout": "5s", "stream_silence": "30s"}}
    play(OandaStage(tmp_path, limits=Limits(connections_per_s=4), account={**quick, "order_timeout": "10s"}), story)


def test_a_close_that_the_broker_delays_until_the_market_trades_is_told_and_booked_when_it_happens(
    tmp_path: Path,
) -> None:
    async def story(stage: OandaStage) -> None:
        opened = await stage.opened()
        stage.sim.halt("EUR_USD")
        Commands(stage.sim).delay_close(stage.account_id, stage.ticket(opened))
        alerts = stage.bench.gateway.alerts.counters
        await stage.bench.until(lambda: alerts["broker-notice"], "the delay to be told")
        await stage.proven()
        assert stage.trade(opened).units == 1000
        stage.sim.halt("EUR_USD", "none")
        stage.quote("1.10100", "1.10110")
        await stage.bench.until(lambda: stage.trade(opened) is None, "the close")

    play(OandaStage(tmp_path), story)


@pytest.mark.parametrize("positions", ["hedging", "netting"])
def test_a_dividend_is_booked_on_the_trades_that_it_is_for(tmp_path: Path, positions: str) -> None:
    async def story(stage: OandaStage) -> None:
        first, second = await stage.opened(), await stage.opened(units=D(3000))
        assert Commands(stage.sim).dividend(stage.account_id, "EUR_USD", "0.001") is not None
        await stage.bench.until(lambda: stage.trade(second).swap, "the dividend")
        assert (stage.trade(first).swap, stage.trade(second).swap) == (1, 3)
        await stage.proven()
        assert stage.bench.gateway.valuation.balance == stage.sim.account(stage.account_id).balance

    play(OandaStage(tmp_path, positions), story)
