"""Every fault a broker can have, one by one: one outcome per intent, never two orders."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import Retryable
from atrader.orders.states import IN_FLIGHT, OrderState
from broker_api.adapter import BrokerTrade, FillReport
from tests.support.fault_broker import FAULTS, PRICE, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench, instance_config

EXECUTED = {"ok", "hang-after", "unknown-after", "retryable", "silent", "crash"}
OUTCOME = {"reject": OrderState.REJECTED, "hang-before": OrderState.LOST, "unknown-before": OrderState.LOST}

FOREIGN_TICKET = BrokerTrade(
    broker_trade_id="t99", client_id="human-1", magic=None, instrument="EUR/USD", side="sell", units=D(300),
    open_price=PRICE, open_time_ns=1,
)  # fmt: skip


class Stage:
    """A gateway in front of a venue with faults."""

    def __init__(self, root: Path, hedging: bool = True, proves_absence: bool = False, instances: Any = None) -> None:
        self.venue = Venue(hedging=hedging)
        self.script: deque[str] = deque()
        self.bench = GatewayBench(
            root,
            lambda _: FaultAdapter(self.venue, self.script, proves_absence=proves_absence),
            instances,
            order_timeout="30ms",
            positions="hedging" if hedging else "netting",
        )

    async def connect(self) -> None:
        await self.bench.connect()
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())

    def state_of(self, client_id: str) -> OrderState:
        entry = self.bench.gateway.book.entry(client_id)
        assert entry is not None
        return entry.order.state

    async def decided(self, client_id: str) -> OrderState:
        await self.bench.until(lambda: self.state_of(client_id) not in IN_FLIGHT, "an outcome")
        await self.bench.journal.settle()
        return self.state_of(client_id)

    async def settled(self) -> None:
        """Nothing is in doubt and the proof holds."""
        assert await self.bench.gateway.reconciler.run()
        assert self.bench.gateway.reconciler.breaks == {}
        assert all(count == 1 for count in self.venue.accepted.values())
        real = {symbol: units for symbol, units in self.venue.net.items() if units}
        assert self.bench.gateway.book.ledger.net_units() == real
        assert not self.bench.failures


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


@pytest.fixture(params=[True, False], ids=["hedging", "netting"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)


@pytest.mark.parametrize("fault", FAULTS)
def test_an_open_has_one_outcome_and_at_most_one_order(stage: Stage, fault: str) -> None:
    async def story() -> None:
        await stage.connect()
        stage.script.append(fault)
        order = await stage.bench.submit()
        state = await stage.decided(order.client_id)
        assert state is OUTCOME.get(fault, OrderState.FILLED)
        assert stage.venue.accepted[order.client_id] == (fault in EXECUTED)
        await stage.settled()
        await stage.bench.stop()

    run(story())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_close_has_one_outcome_and_at_most_one_order(stage: Stage, fault: str) -> None:
    async def story() -> None:
        await stage.connect()
        opened = await stage.bench.submit()
        stage.script.append(fault)
        close = await stage.bench.submit(action="close", trade_id=opened.client_id)
        state = await stage.decided(close.client_id)
        assert state is OUTCOME.get(fault, OrderState.FILLED)
        await stage.settled()
        assert len(stage.bench.gateway.book.own_trades()) == (fault not in EXECUTED)
        await stage.bench.stop()

    run(story())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_gateway_that_dies_with_the_order_in_doubt_finds_it_again(stage: Stage, fault: str) -> None:
    async def story() -> None:
        await stage.connect()
        stage.script.append(fault)
        intent = stage.bench.intent()
        task = asyncio.ensure_future(stage.bench.gateway.submitter.submit(intent))
        await stage.bench.until(lambda: not stage.script, "the order to be sent")
        await asyncio.sleep(0)
        await stage.bench.crash()
        await asyncio.gather(task, return_exceptions=True)
        await stage.connect()
        await stage.bench.gateway.submitter.submit(intent)
        await stage.decided(intent.client_id)
        await stage.settled()
        assert (stage.state_of(intent.client_id) is OrderState.FILLED) == bool(stage.venue.accepted[intent.client_id])
        await stage.bench.stop()

    run(story())


def test_an_order_certainly_not_executed_is_sent_again_with_the_same_id(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        stage.script.extend(["retryable"] * 3)
        order = await stage.bench.submit()
        assert order.state is OrderState.FILLED
        assert stage.venue.accepted == {order.client_id: 1}
        assert stage.bench.gateway.alerts.counters["not-executed"] == 3
        await stage.bench.stop()

    run(story())


def test_an_entry_that_waited_too_long_is_given_up_but_an_exit_is_not(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        opened = await stage.bench.submit()
        cases: list[tuple[dict[str, Any], OrderState]] = [
            ({}, OrderState.CANCELLED),
            ({"action": "close", "trade_id": opened.client_id}, OrderState.FILLED),
        ]
        for values, outcome in cases:
            stage.script.append("retryable")
            intent = stage.bench.intent(**values)
            task = asyncio.ensure_future(stage.bench.gateway.submitter.submit(intent))
            await stage.bench.until(lambda: not stage.script, "the first attempt")
            stage.bench.clock.advance(stage.bench.clock.now_ns() + 60 * 10**9)
            order, _ = await task
            assert order.state is outcome
        assert stage.venue.net["EUR/USD"] == 0
        await stage.settled()
        await stage.bench.stop()

    run(story())


def test_an_unknown_order_fences_its_instrument_for_new_entries_of_the_instance(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        stage.script.append("hang-before")
        unknown = await stage.bench.submit()
        assert unknown.state is OrderState.UNKNOWN
        denied = await stage.bench.submit()
        assert denied.state is OrderState.DENIED
        assert "instrument-locked" in denied.reason
        assert (await stage.bench.submit(8)).state is OrderState.FILLED
        assert await stage.decided(unknown.client_id) is OrderState.LOST
        assert (await stage.bench.submit()).state is OrderState.FILLED
        await stage.bench.stop()

    run(story())


@pytest.mark.parametrize("fault", ["hang-before", "unknown-before"])
@pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])
def test_an_order_proved_absent_goes_on_under_its_old_id(tmp_path: Path, hedging: bool, fault: str) -> None:
    stage = Stage(tmp_path, hedging, proves_absence=True)

    async def story() -> None:
        await stage.connect()
        stage.script.append(fault)
        order = await stage.bench.submit()
        assert order.state is OrderState.UNKNOWN
        assert await stage.decided(order.client_id) is OrderState.FILLED
        await stage.settled()
        assert stage.venue.accepted == {order.client_id: 1}
        await stage.bench.stop()

    run(story())


def test_an_order_proved_absent_while_the_journal_cannot_be_written_goes_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, proves_absence=True)

    async def story() -> None:
        await stage.connect()
        room, journal = asyncio.Event(), stage.bench.journal
        settle = journal.settle

        async def slowly() -> None:
            await room.wait()
            await settle()

        stage.script.append("unknown-before")
        intent = stage.bench.intent()
        monkeypatch.setattr(journal, "settle", slowly)
        answer = asyncio.ensure_future(stage.bench.gateway.submitter.submit(intent))
        await stage.bench.until(
            lambda: (found := stage.bench.gateway.book.entry(intent.client_id)) and found.order.state == "NEW",
            "the proof",
        )
        room.set()
        assert await stage.decided(intent.client_id) is OrderState.FILLED
        await answer
        await stage.settled()
        await stage.bench.stop()

    run(story())


@pytest.mark.parametrize("dies", [False, True], ids=["at once", "by the next life"])
def test_an_order_judged_again_does_not_count_against_its_own_limit_per_minute(tmp_path: Path, dies: bool) -> None:
    limits = {"max_orders_per_minute": 1, "max_open_trades": 1}
    stage = Stage(tmp_path, proves_absence=True, instances=(instance_config("alpha", 7, limits=limits),))

    async def story() -> None:
        await stage.connect()
        stage.script.append("unknown-before")
        order = await stage.bench.submit()
        assert order.state is OrderState.UNKNOWN
        if dies:
            await stage.bench.crash()
            await stage.connect()
        assert await stage.decided(order.client_id) is OrderState.FILLED
        denied = await stage.bench.submit()
        assert "orders-per-minute" in denied.reason
        await stage.bench.stop()

    run(story())


def test_an_order_that_turns_up_after_it_was_given_up_is_adopted_with_an_alert(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        stage.script.append("unknown-after")
        stage.venue.hide = 10**6
        order = await stage.bench.submit()
        assert await stage.decided(order.client_id) is OrderState.LOST
        await stage.settled()
        assert stage.state_of(order.client_id) is OrderState.FILLED
        assert stage.bench.gateway.alerts.counters["late-order"] == 1
        await stage.bench.stop()

    run(story())


def test_a_missing_fill_is_a_break_that_locks_opens_and_goes_away_by_itself(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        opened = await stage.bench.submit()
        stage.venue.net["EUR/USD"] += 500
        if stage.venue.hedging:
            ticket, held = next(iter(stage.venue.tickets.items()))
            stage.venue.tickets[ticket] = held.model_copy(update={"units": D(1500)})
        await stage.bench.gateway.turn()
        assert set(stage.bench.gateway.reconciler.breaks) == {"EUR/USD"}
        assert (await stage.bench.submit()).state is OrderState.DENIED
        close = await stage.bench.submit(action="close", trade_id=opened.client_id, units=D(100))
        assert close.state is OrderState.FILLED
        stage.venue.net["EUR/USD"] -= 500
        if stage.venue.hedging:
            ticket, held = next(iter(stage.venue.tickets.items()))
            stage.venue.tickets[ticket] = held.model_copy(update={"units": held.units - 500})
        await stage.bench.gateway.turn()
        assert stage.bench.gateway.reconciler.breaks == {}
        assert (await stage.bench.submit()).state is OrderState.FILLED
        await stage.bench.stop()

    run(story())


def test_a_trade_of_somebody_else_is_shown_and_never_touched(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        number = len(stage.venue.reports) + 1
        stage.venue.reports.append(
            FillReport(
                transaction_id=number, time_ns=1, fill_id="foreign", client_id="human-1", broker_id="h", side="sell",
                broker_trade_id="t99" if stage.venue.hedging else None, instrument="EUR/USD", units=D(300),
                price=PRICE, reason="order",
            )
        )  # fmt: skip
        stage.venue.net["EUR/USD"] = D(-300)
        if stage.venue.hedging:
            stage.venue.tickets["t99"] = FOREIGN_TICKET
        await stage.bench.gateway.turn()
        (foreign,) = stage.bench.gateway.book.ledger.open_trades()
        assert (foreign.magic, foreign.side, foreign.units) == (0, "sell", D(300))
        assert stage.bench.gateway.alerts.counters["foreign-trade"] == 1
        assert stage.bench.gateway.reconciler.breaks == {}
        assert await stage.bench.gateway.flattener.close_all(None, "everything") == 0
        await stage.bench.stop()
        await stage.connect()
        assert [trade.magic for trade in stage.bench.gateway.book.ledger.open_trades()] == [0]
        assert stage.bench.gateway.alerts.counters["foreign-trade"] == 0  # told once, not at every start
        await stage.bench.stop()

    run(story())


def test_a_cancel_whose_answer_is_lost_is_looked_up(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        working = await stage.bench.submit(order_type="limit", price=D("1.09"))
        stage.script.append("unknown-after")
        cancel = await stage.bench.submit(action="cancel", order_id=working.client_id)
        assert await stage.decided(cancel.client_id) is OrderState.DONE
        await stage.settled()
        assert stage.state_of(working.client_id) is OrderState.CANCELLED
        await stage.bench.stop()

    run(story())


def test_a_broken_connection_is_reconciled_before_anything_is_sent(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        working = await stage.bench.submit(order_type="limit", price=D("1.09"))
        order = stage.venue.working.pop(working.client_id)
        stage.venue.fill(order, order.units)
        stage.bench.adapter.disconnect()  # type: ignore[attr-defined]
        await stage.bench.until(lambda: stage.state_of(working.client_id) is OrderState.FILLED, "the missed fill")
        await stage.settled()
        await stage.bench.stop()

    run(story())


def test_partial_fills_make_one_trade(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        stage.venue.partial = True
        order = await stage.bench.submit(units=D(1001))
        assert (order.state, order.filled_units) == (OrderState.FILLED, D(1001))
        (trade,) = stage.bench.gateway.book.own_trades()
        assert trade.units == D(1001)
        await stage.settled()
        await stage.bench.stop()

    run(story())


def test_an_answer_never_tells_more_than_the_journal_has(stage: Stage) -> None:
    async def story() -> None:
        await stage.connect()
        intent = stage.bench.intent()
        submit = stage.bench.gateway.submitter.submit
        first = asyncio.ensure_future(submit(intent))
        answered = False
        while not answered:  # somebody asks again in each turn of the loop, and has no time to wait
            await asyncio.sleep(0)
            try:
                order, _ = await submit(intent, 0.0)
            except Retryable:
                continue
            stored = stage.bench.journal.read.order(intent.client_id)
            assert stored is not None
            assert stored.order.state is order.state
            answered = order.state is OrderState.FILLED
        await first
        await stage.bench.stop()

    run(story())
