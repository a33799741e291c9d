"""What happens while an order waits to be sent again; trades of a ticket; ids remembered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.instruments import KNOWN
from atrader.messages.gateway import AccountSettings
from atrader.orders import translate
from atrader.orders.model import SIGN, Intent, Order
from atrader.orders.states import OrderState
from broker_api.adapter import BrokerOrder, FillReport
from broker_api.gateway import apply
from broker_api.journal import Entry
from tests.support.fault_broker import PRICE, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench


class Desk:
    """A gateway in front of a venue, of which a test holds both ends."""

    def __init__(self, root: Path, hedging: bool) -> None:
        self.venue = Venue(hedging=hedging, hide=0)
        self.script: deque[str] = deque()
        positions = "hedging" if hedging else "netting"
        self.bench = GatewayBench(root, lambda _: FaultAdapter(self.venue, self.script), positions=positions)

    def entry(self, client_id: str) -> Entry:
        entry = self.bench.gateway.book.entry(client_id)
        assert entry is not None
        return entry

    async def refused_connection(self, intent: Intent) -> asyncio.Task[tuple[Order, bool]]:
        """Have an order that is NEW again, and nothing sent until the gateway is online."""
        self.script.append("retryable")
        task = asyncio.ensure_future(self.bench.gateway.submitter.submit(intent))
        await self.bench.until(lambda: self.bench.gateway.alerts.counters["not-executed"], "the refused connection")
        self.bench.gateway.online.clear()
        await self.bench.journal.settle()
        assert self.entry(intent.client_id).order.state is OrderState.NEW
        return task

    async def next_life_with_a_new_order(self) -> Entry:
        """Have the gateway die with an order NEW; its next life has quotes and is not online yet."""
        await self.bench.connect()
        intent = self.bench.intent()
        task = await self.refused_connection(intent)
        await self.bench.crash()
        await asyncio.gather(task, return_exceptions=True)
        self.bench.start()
        gateway = self.bench.gateway
        gateway.valuation.instruments = dict(await gateway.adapter.instruments())
        self.bench.quote(1.1, 1.1001, after_s=0)
        return self.entry(intent.client_id)

    def broker_order(self, order: Order) -> BrokerOrder:
        return translate.open_order(order, KNOWN["EUR/USD"], self.bench.adapter.capabilities)

    def stop_out(self, units: Decimal) -> None:
        """Have the broker sell units by itself, from the only ticket it holds."""
        number, ticket = len(self.venue.reports) + 1, next(iter(self.venue.tickets), None)
        if ticket is not None:
            self.venue._reduce(ticket, units)
        self.venue.net["EUR/USD"] += units * SIGN["sell"]
        self.venue.reports.append(
            FillReport(
                transaction_id=number, time_ns=number, fill_id=f"f{number}", client_id=None, broker_id="stop",
                broker_trade_id=ticket, instrument="EUR/USD", side="sell", units=units, price=PRICE,
                reason="stop-loss",
            )
        )  # fmt: skip

    async def idle(self) -> None:
        await self.bench.until(lambda: not self.bench.gateway.submitter.busy, "everything carried out")

    async def end(self) -> None:
        """Check that both sides agree, and stop."""
        assert await self.bench.gateway.reconciler.run()
        assert self.bench.gateway.reconciler.breaks == {}
        assert not self.bench.failures
        await self.bench.stop()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture(params=[True, False], ids=["hedging", "netting"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, request.param)


def test_an_order_found_at_the_broker_while_it_waits_to_be_sent_again_is_not_sent(desk: Desk) -> None:
    async def story() -> None:
        entry = await desk.next_life_with_a_new_order()
        gateway = desk.bench.gateway
        assert await gateway.reconciler.run()
        await asyncio.sleep(0)  # the resumed order waits for the broker now
        assert entry.order.client_id in gateway.submitter.in_hand
        desk.venue.execute(desk.broker_order(entry.order))
        assert await gateway.reconciler.run()
        gateway.online.set()
        await desk.idle()
        assert desk.entry(entry.order.client_id).order.state is OrderState.FILLED
        assert desk.venue.accepted == {entry.order.client_id: 1}
        await desk.end()

    run(story())


def test_an_order_found_at_the_broker_before_it_was_resumed_is_not_sent(desk: Desk) -> None:
    async def story() -> None:
        entry = await desk.next_life_with_a_new_order()
        gateway = desk.bench.gateway
        gateway.bookkeeper.apply(desk.venue.execute(desk.broker_order(entry.order)))
        gateway.submitter.resume(entry)
        gateway.online.set()
        await desk.idle()
        assert desk.venue.accepted == {entry.order.client_id: 1}
        await desk.end()

    run(story())


def test_an_order_resumed_twice_is_sent_once(desk: Desk) -> None:
    async def story() -> None:
        entry = await desk.next_life_with_a_new_order()
        submitter = desk.bench.gateway.submitter
        desk.bench.gateway.online.set()
        submitter.resume(entry)
        assert submitter.in_hand == {entry.order.client_id}
        submitter.resume(entry)
        await desk.idle()
        assert desk.venue.accepted == {entry.order.client_id: 1}
        await desk.end()

    run(story())


@pytest.mark.parametrize("dies", [False, True], ids=["same life", "next life"])
def test_an_open_that_waits_for_the_broker_is_not_sent_for_an_instance_that_left_meanwhile(
    desk: Desk, dies: bool
) -> None:
    async def story() -> None:
        await desk.bench.connect()
        kept = desk.bench.installation.instances["beta"]
        intent = desk.bench.intent()
        task = await desk.refused_connection(intent)
        waiting = asyncio.ensure_future(desk.bench.gateway.submitter.submit(desk.bench.intent()))
        await asyncio.sleep(0)
        desk.bench.gateway.reconfigure(AccountSettings.of(desk.bench.config), [kept])
        if dies:
            await desk.bench.crash()
            await asyncio.gather(task, waiting, return_exceptions=True)
            desk.bench.installation = desk.bench.installation.model_copy(update={"instances": {"beta": kept}})
            await desk.bench.connect()
        else:
            desk.bench.gateway.online.set()
            assert (await waiting)[0].reason.startswith("unknown-instance")
        await desk.idle()
        order = desk.entry(intent.client_id).order
        assert (order.state, order.reason.partition(":")[2].split(":")[0]) == ("CANCELLED", " unknown-instance")
        assert not desk.venue.accepted
        await desk.end()

    run(story())


def test_a_resumed_order_that_waits_for_the_broker_does_not_keep_the_gateway_from_stopping(desk: Desk) -> None:
    async def story() -> None:
        entry = await desk.next_life_with_a_new_order()
        desk.bench.gateway.submitter.resume(entry)
        await desk.bench.gateway.stop(0.05)
        assert not desk.bench.gateway.submitter.busy
        assert desk.bench.journal.read.open_orders()[0].order.state is OrderState.NEW
        desk.bench.journal.close()

    run(story())


@pytest.mark.parametrize("fault", ["hang-before", "retryable"])
def test_an_order_that_hangs_at_the_broker_is_given_up_by_a_gateway_that_stops(desk: Desk, fault: str) -> None:
    """It must not go on while everything is closed around it; the next life looks it up."""

    async def story() -> None:
        await desk.bench.connect()
        gateway, intent = desk.bench.gateway, desk.bench.intent()
        desk.script.extend([fault] * 50)
        answer = asyncio.ensure_future(gateway.submitter.submit(intent))
        await desk.bench.until(lambda: len(desk.script) < 50, "it to be sent")
        await gateway.stop(0.02)
        assert not gateway.submitter.busy
        assert (await answer)[0].state in ("SENT", "NEW")
        desk.bench.journal.close()
        desk.script.clear()
        await desk.bench.connect()
        await desk.bench.until(lambda: not desk.bench.gateway.book.open_orders(), "its outcome")
        assert desk.entry(intent.client_id).order.state == ("LOST" if fault == "hang-before" else "FILLED")
        await desk.idle()
        await desk.end()

    run(story())


@pytest.mark.parametrize(("stopped", "state", "closed"), [(400, "FILLED", 600), (1000, "CANCELLED", 0)])
def test_a_close_that_is_sent_again_closes_only_what_is_left(desk: Desk, stopped: int, state: str, closed: int) -> None:
    async def story() -> None:
        await desk.bench.connect()
        opened = await desk.bench.submit()
        task = await desk.refused_connection(desk.bench.intent(action="close", trade_id=opened.client_id))
        desk.stop_out(D(stopped))
        assert await desk.bench.gateway.reconciler.run()
        desk.bench.gateway.online.set()
        order, _ = await task
        await desk.idle()
        assert (order.state, order.filled_units) == (state, D(closed))
        assert desk.venue.accepted[order.client_id] == (closed > 0)
        assert desk.venue.net["EUR/USD"] == 0
        assert desk.bench.gateway.book.own_trades() == ()
        await desk.end()

    run(story())


def test_later_fills_of_an_order_whose_trade_was_closed_make_one_trade_per_ticket(tmp_path: Path) -> None:
    async def story() -> None:
        desk = Desk(tmp_path, hedging=True)
        await desk.bench.connect()
        order = await desk.bench.submit(order_type="limit", price=D("1.09"))
        gateway, working = desk.bench.gateway, desk.venue.working.pop(order.client_id)
        gateway.bookkeeper.apply([desk.venue.fill(working, D(300))])
        assert (await desk.bench.submit(action="close", trade_id=order.client_id)).state is OrderState.FILLED
        for units in (200, 500):
            gateway.bookkeeper.apply([desk.venue.fill(working, D(units))])
        (trade,) = gateway.book.own_trades()
        assert (trade.units, trade.broker_trade_id) == (D(700), next(iter(desk.venue.tickets)))
        assert desk.entry(order.client_id).order.state is OrderState.FILLED
        await desk.end()

    run(story())


def test_ids_that_are_on_disk_leave_memory_and_are_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(apply, "_REMEMBERED", 1)
        desk = Desk(tmp_path, hedging=True)
        await desk.bench.connect()
        bookkeeper = desk.bench.gateway.bookkeeper
        order = await desk.bench.submit()
        working = desk.broker_order(order)
        await desk.bench.journal.settle()
        bookkeeper.apply([desk.venue.fill(working, D(100))])
        bookkeeper.advance(1)  # the second fill is not on disk yet
        assert bookkeeper._seen == {"f1", "f2"}
        assert bookkeeper.apply(desk.venue.reports) == 0
        await desk.bench.journal.settle()
        bookkeeper.advance(2)
        assert bookkeeper._seen == set()
        assert bookkeeper.apply(desk.venue.reports) == 0
        await desk.end()

    run(story())
