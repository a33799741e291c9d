"""Cases of the policy carried out by a gateway: a lost journal, orders moved by hand, breaks that heal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from atrader.orders.states import OrderState
from broker_api.adapter import BrokerTrade
from tests.support.fault_broker import PRICE, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench


class Stage:
    """A gateway before a venue."""

    def __init__(self, root: Path, hedging: bool) -> None:
        self.venue = Venue(hedging=hedging, stops=not hedging)
        kind = "hedging" if hedging else "netting"
        self.bench = GatewayBench(root, lambda _: FaultAdapter(self.venue, deque()), positions=kind)

    async def lose_the_journal(self) -> None:
        """Have the gateway die and its journal vanish; the next life begins with an empty one."""
        await self.bench.crash()
        journal = self.bench.home.journal(self.bench.config.name)
        for path in journal.parent.glob(f"{journal.name}*"):
            path.unlink()
        await self.bench.connect()

    async def breaks(self) -> dict[str, str]:
        assert await self.bench.gateway.reconciler.run()
        return self.bench.gateway.reconciler.breaks

    @property
    def alerts(self) -> Any:
        return self.bench.gateway.alerts.counters


@pytest.fixture(params=[True, False], ids=["hedging", "netting"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)


def play(stage: Stage, story: Coroutine[Any, Any, None]) -> None:
    async def run() -> None:
        await stage.bench.connect()
        await story
        await stage.bench.gateway.submitter.idle(1.0)
        assert await stage.breaks() == {}
        assert not stage.bench.failures
        await stage.bench.stop()

    asyncio.run(run())


def test_orders_that_work_are_adopted_by_an_empty_journal_and_stops_find_their_trades_again(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        trade = await bench.submit(stop_loss=D("1.09"))
        entry = await bench.submit(8, order_type="limit", price=D("1.08"), stop_loss=D("1.07"))
        if not stage.venue.hedging:
            await bench.until(lambda: len(stage.venue.working) == 2, "a stop")
        before = dict(stage.venue.working)
        await stage.lose_the_journal()
        gateway = bench.gateway
        adopted = gateway.book.entry(entry.client_id)
        assert adopted is not None
        assert (adopted.order.state, adopted.order.intent.instance) == (OrderState.WORKING, "beta")
        assert adopted.order.intent.price == D("1.08")
        (kept,) = gateway.book.own_trades()
        assert (kept.trade_id, kept.stop_loss) == (trade.client_id, D("1.09"))
        gateway.net_stops.turn()
        await gateway.submitter.idle(1.0)
        assert stage.venue.working == before
        order = await bench.submit(8, action="cancel", order_id=entry.client_id, n=50)
        assert order.state is OrderState.DONE

    play(stage, story())


def test_an_order_of_ours_that_the_broker_does_not_explain_locks_the_account_until_it_is_gone(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        entry = await bench.submit(order_type="limit", price=D("1.05"))
        snapshot = bench.adapter.snapshot

        async def blind() -> Any:
            shown = await snapshot()
            orders = tuple(report.model_copy(update={"terms": None}) for report in shown.orders)
            return shown.model_copy(update={"orders": orders})

        await bench.crash()
        journal = bench.home.journal(bench.config.name)
        for path in journal.parent.glob(f"{journal.name}*"):
            path.unlink()
        bench.start()
        bench.adapter.snapshot = blind  # type: ignore[method-assign]
        await bench.gateway.connect()
        assert list(bench.gateway.reconciler.breaks) == ["*"]
        stage.venue.cancel("human-1", entry.client_id)
        assert await stage.breaks() == {}
        assert stage.alerts["break-over"] == 1

    play(stage, story())


def test_an_order_moved_by_hand_is_believed_once(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        entry = await bench.submit(order_type="limit", price=D("1.05"))
        moved = stage.venue.working[entry.client_id].model_copy(update={"price": D("1.04"), "units": D(700)})
        stage.venue.working[entry.client_id] = moved
        for _ in range(2):
            assert await stage.breaks() == {}
        assert stage.alerts["order-moved"] == 1
        await bench.journal.settle()
        (order,) = bench.gateway.book.open_orders()
        assert (order.intent.price, order.units) == (D("1.04"), D(700))
        assert bench.recorder.orders[-1] == order

    play(stage, story())


def test_a_stop_moved_by_hand_is_moved_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hedging=False)

    async def story() -> None:
        bench = stage.bench
        await bench.submit(stop_loss=D("1.09"))
        await bench.until(lambda: stage.venue.working, "a stop")
        await bench.gateway.submitter.idle(1.0)
        (name,) = stage.venue.working
        stage.venue.working[name] = stage.venue.working[name].model_copy(update={"price": D("1.01")})
        await stage.breaks()
        bench.gateway.net_stops.turn()
        await bench.until(lambda: stage.venue.working[name].price == D("1.09"), "the stop of the trade")

    play(stage, story())


def test_an_order_that_is_over_here_and_works_there_locks_its_instrument_and_heals(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        entry = await bench.submit(order_type="limit", price=D("1.05"))
        working = stage.venue.working[entry.client_id]
        await bench.submit(action="cancel", order_id=entry.client_id)
        stage.venue.working[entry.client_id] = working
        assert list(await stage.breaks()) == ["EUR/USD"]
        assert (await bench.submit()).reason.startswith("instrument-locked")
        del stage.venue.working[entry.client_id]
        assert await stage.breaks() == {}
        assert (await bench.submit()).state is OrderState.FILLED

    play(stage, story())


def test_a_persons_ticket_is_shown_as_it_is_whatever_becomes_of_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hedging=True)

    async def story() -> None:
        ledger = stage.bench.gateway.book.ledger
        for units in ("300", "200"):
            stage.venue.tickets["t99"] = BrokerTrade(
                broker_trade_id="t99", client_id="human-1", magic=None, instrument="EUR/USD", side="sell",
                units=D(units), open_price=PRICE, open_time_ns=1,
            )  # fmt: skip
            stage.venue.net["EUR/USD"] = -D(units)
            assert await stage.breaks() == {}
            (shown,) = ledger.open_trades()
            assert (shown.magic, shown.units, shown.trade_id) == (0, D(units), "foreign-t99")
        assert stage.alerts["foreign-trade"] == 1
        del stage.venue.tickets["t99"], stage.venue.net["EUR/USD"]
        assert await stage.breaks() == {}
        assert ledger.open_trades() == ()

    play(stage, story())


def test_a_broker_that_forgot_what_it_said_is_one_alert_and_nothing_is_concluded_from_it(stage: Stage) -> None:
    async def story() -> None:
        await stage.bench.submit()
        venue, reconciler = stage.venue, stage.bench.gateway.reconciler
        known = venue.reports, venue.tickets, venue.net
        venue.reports, venue.tickets, venue.net = [], type(venue.tickets)(), type(venue.net)()
        assert not await reconciler.run()
        assert stage.alerts["broker-behind"] == 0  # it may be so for a moment
        for _ in range(2):
            stage.bench.quote(1.1, 1.1001, after_s=10.0)
            assert not await reconciler.run()
        assert stage.alerts["broker-behind"] == 1
        assert stage.alerts["reports-missing"] == 0
        assert len(stage.bench.gateway.book.own_trades()) == 1
        venue.reports, venue.tickets, venue.net = known

    play(stage, story())


def test_exits_go_through_a_break_and_nothing_opens(stage: Stage) -> None:
    async def story() -> None:
        bench = stage.bench
        trade = await bench.submit(stop_loss=D("1.09"))
        stage.venue.net["EUR/USD"] += 1
        assert list(await stage.breaks()) == ["EUR/USD"]
        assert (await bench.submit()).state is OrderState.DENIED
        closed = await bench.submit(action="close", trade_id=trade.client_id)
        assert closed.state is OrderState.FILLED
        stage.venue.net["EUR/USD"] -= 1
        assert await stage.breaks() == {}

    play(stage, story())


def test_a_stop_of_a_trade_that_nobody_knows_stays_while_the_sums_differ_and_is_then_taken_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hedging=False)

    async def story() -> None:
        bench = stage.bench
        await bench.submit(stop_loss=D("1.09"))
        await bench.until(lambda: stage.venue.working, "a stop")
        await bench.gateway.submitter.idle(1.0)
        stage.venue.reports.clear()  # too old to be told again
        await stage.lose_the_journal()
        assert list(await stage.breaks()) == ["EUR/USD"]
        bench.gateway.net_stops.turn()
        await bench.gateway.submitter.idle(1.0)
        assert len(stage.venue.working) == 1
        stage.venue.net.clear()  # a person closed it
        assert await stage.breaks() == {}
        bench.gateway.net_stops.turn()
        await bench.until(lambda: not stage.venue.working, "taken back")

    play(stage, story())
