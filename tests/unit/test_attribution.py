"""Where news are booked: one story for each row of the table, on the accounts it speaks of."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.orders.model import Trade
from atrader.orders.states import OrderState
from broker_api.adapter import FillReport, SwapReport
from broker_api.reconcile import policy
from tests.support.fault_broker import PRICE, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench

Story = Callable[["Desk"], Coroutine[Any, Any, None]]


class Desk:
    """A gateway before a venue, and what came of it."""

    def __init__(self, root: Path, hedging: bool) -> None:
        self.venue = Venue(hedging=hedging, stops=not hedging)
        kind = "hedging" if hedging else "netting"
        self.bench = GatewayBench(root, lambda _: FaultAdapter(self.venue, deque()), positions=kind)

    async def open(self, magic: int = 7, **values: Any) -> Trade:
        order = await self.bench.submit(magic, **values)
        trade = self.bench.gateway.book.ledger.trade(order.client_id)
        assert trade is not None
        return trade

    def tell(self, *reports: Any) -> None:
        assert self.bench.gateway.bookkeeper.apply(reports) == len(reports)
        assert self.bench.gateway.bookkeeper.apply(reports) == 0  # whatever is told twice is booked once

    def by_broker(self, side: str, units: str, reason: str, **values: Any) -> FillReport:
        """Have the broker, or a person, fill something without an order of ours."""
        number = len(self.venue.reports) + 1
        report = FillReport(
            **{
                "transaction_id": number, "time_ns": number, "fill_id": f"f{number}", "client_id": None,
                "broker_id": None, "broker_trade_id": None, "instrument": "EUR/USD", "side": side, "units": D(units),
                "price": PRICE, "reason": reason, **values,
            }
        )  # fmt: skip
        self.venue.reports.append(report)
        self.venue.net["EUR/USD"] = self.venue.net.get("EUR/USD", D(0)) + report.units * (1 if side == "buy" else -1)
        if self.venue.hedging and report.broker_trade_id in self.venue.tickets:
            del self.venue.tickets[report.broker_trade_id]
        return report

    def held(self) -> list[tuple[int, Decimal]]:
        """Return magic numbers and signed units of what is open."""
        trades = self.bench.gateway.book.ledger.open_trades()
        return [(trade.magic, trade.units if trade.side == "buy" else -trade.units) for trade in trades]

    async def closed(self, trade: Trade) -> Trade:
        await self.bench.journal.settle()
        (found,) = [item for item in self.bench.recorder.trades if item.trade_id == trade.trade_id and not item.is_open]
        return found

    @property
    def alerts(self) -> Any:
        return self.bench.gateway.alerts.counters


async def own_order(desk: Desk) -> None:
    trade = await desk.open()
    assert (trade.magic, trade.trade_id) == (7, "a000007w1")


async def after_the_end(desk: Desk) -> None:
    order = await desk.bench.submit(order_type="limit", price=D("1.05"))
    working = desk.venue.working[order.client_id]
    await desk.bench.submit(action="cancel", order_id=order.client_id)
    desk.tell(desk.venue.fill(working, D(1000)))
    entry = desk.bench.gateway.book.entry(order.client_id)
    assert entry is not None
    assert (entry.order.state, entry.order.filled_units) == (OrderState.CANCELLED, D(1000))
    assert desk.held() == [(7, D(1000))]


async def unknown_order(desk: Desk) -> None:
    await desk.open()
    await desk.bench.crash()
    journal = desk.bench.home.journal(desk.bench.config.name)
    for path in journal.parent.glob(f"{journal.name}*"):
        path.unlink()
    await desk.bench.connect()
    assert desk.held() == [(7, D(1000))]
    assert desk.alerts["adopted-order"] == 1


async def net_stop(desk: Desk) -> None:
    first, second = await desk.open(stop_loss=D("1.09")), await desk.open(stop_loss=D("1.09"))
    await desk.bench.until(lambda: len(desk.venue.working) == 2, "stops")
    (stop,) = desk.bench.gateway.book.net_stops(second.trade_id)
    desk.tell(*desk.venue.trigger(stop.client_id))
    assert (await desk.closed(second)).close_reason == "stop-loss"
    assert desk.bench.gateway.book.ledger.trade(first.trade_id) is not None


async def excess(desk: Desk) -> None:
    trade = await desk.open()
    order = await desk.bench.submit(action="close", trade_id=trade.trade_id)
    desk.tell(desk.by_broker("sell", "200", "order", client_id=order.client_id))
    assert desk.held() == [(0, D(-200))]
    assert desk.alerts["excess-close"] == 1
    desk.tell(desk.by_broker("buy", "200", "foreign"))  # a person clears it up


async def ticket(desk: Desk) -> None:
    for reason in ("stop-loss", "take-profit", "margin-closeout", "manual-close"):
        trade = await desk.open()
        desk.tell(desk.by_broker("sell", "1000", reason, broker_trade_id=trade.broker_trade_id))
        assert (await desk.closed(trade)).close_reason == reason


async def closed_out(desk: Desk) -> None:
    first, second = await desk.open(7), await desk.open(8)
    desk.tell(desk.by_broker("sell", "600", "manual-close", magic=8))
    assert desk.held() == [(7, D(1000)), (8, D(400))]
    desk.tell(desk.by_broker("sell", "1500", "margin-closeout"))
    assert desk.held() == [(0, D(-100))]
    assert [(await desk.closed(trade)).close_reason for trade in (first, second)] == ["margin-closeout"] * 2


async def by_hand(desk: Desk) -> None:
    await desk.open()
    ticket = "t99" if desk.venue.hedging else None
    desk.tell(desk.by_broker("sell", "300", "foreign", broker_trade_id=ticket))
    assert sorted(desk.held()) == [(0, D(-300)), (7, D(1000))]
    if desk.venue.hedging:
        desk.tell(desk.by_broker("buy", "300", "foreign", broker_trade_id=ticket))


async def financing(desk: Desk) -> None:
    trades = [await desk.open(7), await desk.open(8, units=D(3000))]
    number = len(desk.venue.reports) + 1
    desk.tell(
        SwapReport(
            transaction_id=number, time_ns=1, instrument="EUR/USD", broker_trade_id=trades[1].broker_trade_id,
            amount=D("-4.00"),
        )
    )  # fmt: skip
    booked = [trade.swap for trade in desk.bench.gateway.book.own_trades()]
    assert booked == ([D(0), D(-4)] if desk.venue.hedging else [D(-1), D(-3)])


STORIES: dict[str, Story] = {
    "own-order": own_order,
    "after-the-end": after_the_end,
    "unknown-order": unknown_order,
    "net-stop": net_stop,
    "excess": excess,
    "ticket": ticket,
    "closed-out": closed_out,
    "by-hand": by_hand,
    "financing": financing,
}
ACCOUNTS = {"any": (True, False), "hedging": (True,), "netting": (False,)}


def test_every_row_has_its_story() -> None:
    assert STORIES.keys() == policy.NEWS.keys()


@pytest.mark.parametrize(
    ("code", "hedging"), [(code, hedging) for code, item in policy.NEWS.items() for hedging in ACCOUNTS[item.account]]
)
def test_news_are_booked_where_the_table_says_and_the_proof_holds(code: str, hedging: bool, tmp_path: Path) -> None:
    async def run() -> None:
        desk = Desk(tmp_path, hedging)
        await desk.bench.connect()
        await STORIES[code](desk)
        gateway = desk.bench.gateway
        await gateway.submitter.idle(1.0)
        if code != "financing":  # the venue does not keep it
            assert await gateway.reconciler.run()
            assert {name: why for name, why in gateway.reconciler.breaks.items() if code != "by-hand"} == {}
        assert not desk.bench.failures
        await desk.bench.stop()

    asyncio.run(run())
