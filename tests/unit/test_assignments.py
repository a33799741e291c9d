"""Trades without a configured owner: adopted or handed on, journaled, refused when it makes no sense."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import Rejected, UnknownOutcome
from atrader.instruments import KNOWN, Instrument
from atrader.messages.gateway import AccountSettings
from atrader.orders.model import Trade
from broker_api.adapter import BrokerTrade
from tests.support.fault_broker import PRICE, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench, instance_config

INSTANCES = (
    instance_config("alpha", 7),
    instance_config("beta", 8),
    instance_config("gold", 9, instrument="XAU/USD"),
)


class MarkingAdapter(FaultAdapter):
    """A broker that carries magic numbers on tickets."""

    fails = False

    async def instruments(self) -> Mapping[str, Instrument]:
        """Trade gold as well."""
        return {symbol: KNOWN[symbol] for symbol in ("EUR/USD", "XAU/USD")}

    async def mark_trade(self, broker_trade_id: str, magic: int) -> None:
        """Write the magic number on the ticket."""
        if self.fails:
            raise UnknownOutcome("502")
        ticket = self.venue.tickets[broker_trade_id]
        self.venue.tickets[broker_trade_id] = ticket.model_copy(update={"magic": magic})


class Stage:
    """A gateway before a venue on which a person trades as well."""

    def __init__(self, root: Path, hedging: bool) -> None:
        self.venue = Venue(hedging=hedging, stops=not hedging)
        self.script: deque[str] = deque()
        self.bench = GatewayBench(
            root,
            lambda _: MarkingAdapter(self.venue, self.script),
            INSTANCES,
            positions="hedging" if hedging else "netting",
        )

    async def foreign(self) -> Trade:
        """Have a person buy 300 units."""
        if self.venue.hedging:
            self.venue.tickets["t99"] = BrokerTrade(
                broker_trade_id="t99", client_id="human-1", magic=None, instrument="EUR/USD", side="buy", units=D(300),
                open_price=PRICE, open_time_ns=1,
            )  # fmt: skip
            self.venue.net["EUR/USD"] = self.venue.net.get("EUR/USD", D(0)) + 300
        else:
            self.bench.gateway.bookkeeper.apply([self.venue.trade_by_hand("buy", D(300), "foreign")])
        assert await self.bench.gateway.reconciler.run()
        (trade,) = self.bench.gateway.book.ledger.open_trades(0)
        return trade

    def without(self, *magics: int) -> None:
        """Take instances out of the configuration."""
        left = [item for item in INSTANCES if item.magic not in magics]
        self.bench.gateway.reconfigure(AccountSettings.of(self.bench.config), left)

    async def refused(self, work: Coroutine[Any, Any, Any]) -> str:
        before = self.bench.gateway.book.ledger.open_trades()
        with pytest.raises(Rejected) as caught:
            await work
        assert self.bench.gateway.book.ledger.open_trades() == before
        return str(caught.value.details["reason"])


@pytest.fixture(params=[True, False], ids=["hedging", "netting"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)


def play(stage: Stage, story: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        await stage.bench.connect()
        await story
        gateway = stage.bench.gateway
        await gateway.submitter.idle(1.0)
        assert await gateway.reconciler.run()
        assert gateway.reconciler.breaks == {}
        assert not stage.bench.failures
        await stage.bench.stop()

    asyncio.run(run())


def test_an_adopted_trade_belongs_to_its_instance_in_this_life_and_the_next(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        trade = await stage.foreign()
        (given,) = await bench.gateway.assignments.adopt(trade.trade_id, "alpha")
        assert (given.magic, given.instance, given.units) == (7, "alpha", D(300))
        assert bench.recorder.trades[-1] == given
        await bench.crash()
        await bench.connect()
        (kept,) = bench.gateway.book.own_trades(7)
        assert kept == given
        assert bench.gateway.reconciler.breaks == {}
        order = await bench.submit(action="close", trade_id=trade.trade_id)
        assert order.state == "FILLED"
        assert bench.gateway.book.ledger.open_trades() == ()

    play(stage, story())


def test_the_brokers_number_names_a_ticket_and_the_ticket_gets_the_magic_number(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hedging=True)

    async def story() -> None:
        await stage.foreign()
        await stage.bench.gateway.assignments.adopt("t99", "beta")
        assert stage.venue.tickets["t99"].magic == 8

    play(stage, story())


def test_a_ticket_that_cannot_be_marked_is_adopted_all_the_same(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hedging=True)

    async def story() -> None:
        await stage.foreign()
        stage.bench.adapter.fails = True  # type: ignore[attr-defined]
        (given,) = await stage.bench.gateway.assignments.adopt("t99", "beta")
        assert given.instance == "beta"
        assert stage.bench.gateway.alerts.counters["mark-failed"] == 1

    play(stage, story())


def test_what_makes_no_sense_is_refused_and_changes_nothing(stage: Stage) -> None:
    async def story() -> None:
        bench, adopt = stage.bench, stage.bench.gateway.assignments.adopt
        trade = await stage.foreign()
        own = await bench.submit(stop_loss=D("1.09"))
        assert await stage.refused(adopt("t12345", "alpha")) == "unknown-trade"
        assert await stage.refused(adopt(trade.trade_id, "gamma")) == "unknown-instance"
        assert await stage.refused(adopt(trade.trade_id, "gold")) == "wrong-instrument"
        assert await stage.refused(adopt(own.client_id, "beta")) == "already-ours"
        assert await stage.refused(adopt(own.client_id, "alpha")) == "already-ours"
        hand_on = bench.gateway.assignments.hand_on
        assert await stage.refused(hand_on(7, "beta")) == "already-ours"
        assert await stage.refused(hand_on(77, "beta")) == "unknown-trade"

    play(stage, story())


def test_all_trades_of_an_orphan_go_to_another_instance_and_its_entries_are_cancelled(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        trades = {(await bench.submit(8, stop_loss=D("1.09"))).client_id for _ in range(2)}
        entry = await bench.submit(8, order_type="limit", price=D("1.05"))
        stage.without(8)
        gateway = bench.gateway
        assert [orphan.magic for orphan in gateway.orphans.found()] == [8]
        given = await gateway.assignments.hand_on(8, "alpha")
        assert {trade.trade_id for trade in given} == trades
        assert {trade.magic for trade in gateway.book.own_trades()} == {7}
        await bench.until(lambda: not gateway.book.live_opens(8), "entries cancelled")
        assert bench.journal.read.order(entry.client_id).order.state == "CANCELLED"  # type: ignore[union-attr]
        await bench.until(lambda: gateway.orphans.found() == (), "no orphan is left")
        if not stage.venue.hedging:
            await bench.until(lambda: _stops(stage) == [(7, "alpha")] * 2, "stops in the new name")

    play(stage, story())


def _stops(stage: Stage) -> list[tuple[int, str]]:
    return [(order.magic, order.instance) for order in stage.venue.working.values() if order.reduce_only]


def test_an_orphan_goes_whole_or_not_at_all(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        await bench.submit(8)
        order = await bench.submit(8)
        stage.without(8)
        stage.script.append("hang-before")
        closing = asyncio.ensure_future(
            bench.submit(8, action="close", trade_id=order.client_id, n=50, instance="beta")
        )
        await bench.until(lambda: bench.gateway.book.closing_units(order.client_id), "being closed")
        assert await stage.refused(bench.gateway.assignments.hand_on(8, "alpha")) == "in-flight"
        assert await stage.refused(bench.gateway.assignments.hand_on(8, "gold")) == "wrong-instrument"
        closing.cancel()
        await asyncio.wait((closing,))
        await bench.until(lambda: not bench.gateway.book.closing_units(order.client_id), "given up")

    play(stage, story())


def test_a_late_fill_of_a_handed_on_trade_goes_to_its_new_owner(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        entry = await bench.submit(8, order_type="limit", price=D("1.05"))
        working = stage.venue.working[entry.client_id]
        bench.gateway.bookkeeper.apply([stage.venue.fill(working, D(400))])
        stage.without(8)
        await bench.gateway.assignments.hand_on(8, "alpha")
        bench.gateway.bookkeeper.apply([stage.venue.fill(working, D(600))])  # it crossed the cancellation
        (trade,) = bench.gateway.book.own_trades()
        assert (trade.magic, trade.units) == (7, D(1000))
        await bench.until(lambda: entry.client_id not in stage.venue.working, "cancelled")

    play(stage, story())
