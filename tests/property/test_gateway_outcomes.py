"""Random faults, deaths and reconnects: every intent ends once, no intent has two broker orders, the proof holds."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
from collections import deque
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrader.clock import NS_PER_S
from atrader.errors import AtraderError
from atrader.orders.model import Intent, Trade
from atrader.orders.states import IN_FLIGHT, OrderState
from broker_api.net_stops import wanted_stops
from tests.support.fault_broker import FAULTS, FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench

_FAULT = st.sampled_from([*FAULTS, "ok", "ok"])
_STEP = st.one_of(
    st.tuples(st.sampled_from(["open", "open-other", "limit", "close", "part", "cancel", "modify", "repeat"]), _FAULT),
    st.tuples(st.sampled_from(["crash", "disconnect", "proof", "fill-working"]), st.just("")),
)


class Scenario:
    """One account through a list of steps."""

    def __init__(self, root: Path, kind: str, partial: bool, proves: bool, seed: int) -> None:
        hedging = kind == "hedging"
        self.venue = Venue(hedging=hedging, partial=partial, hide=0 if proves else None, stops=kind == "stops")
        self.script: deque[str] = deque()
        self.chance = random.Random(seed)
        self.sent: list[Intent] = []
        self.waiting: list[asyncio.Task[object]] = []
        self.bench = GatewayBench(
            root,
            lambda _: FaultAdapter(self.venue, self.script, self.chance, proves_absence=proves),
            order_timeout="10ms",
            lookup_delays=("2ms",),
            lost_after="20ms",
            positions="hedging" if hedging else "netting",
        )

    async def live(self) -> None:
        await self.bench.connect()
        self.bench.gateway.tasks.spawn(self.bench.gateway.stay_connected())

    async def step(self, action: str, fault: str) -> None:
        bench = self.bench
        if action == "crash":
            await bench.crash()
            self.script.clear()
            await self.live()
        elif action == "disconnect":
            bench.adapter.disconnect()  # type: ignore[attr-defined]
        elif action == "proof":
            await bench.gateway.turn()
        elif action == "fill-working":
            for client_id in self.chance.sample(sorted(self.venue.working), k=min(1, len(self.venue.working))):
                self.venue.trigger(client_id)
        else:
            self.order(action, fault)
        for _ in range(self.chance.randint(0, 12)):
            await asyncio.sleep(0)

    def order(self, action: str, fault: str) -> None:
        intent = self.intent(action)
        if intent is not None:
            if fault != "ok":
                self.script.append(fault)
            self.sent.append(intent)
            self.waiting.append(asyncio.ensure_future(self.submit(intent)))

    def intent(self, action: str) -> Intent | None:
        bench = self.bench
        if action == "repeat":
            return self.chance.choice(self.sent) if self.sent else None
        if action == "open-other":
            return bench.intent(8, side="sell", units=D(600), stop_loss=D("1.12"))
        if action == "limit":
            return bench.intent(order_type="limit", price=D("1.09"))
        if action in ("close", "part", "modify"):
            trades = bench.gateway.book.own_trades()
            return self.on_trade(action, self.chance.choice(trades)) if trades else None
        if action == "cancel":
            orders = bench.gateway.book.live_opens()
            order = self.chance.choice(orders) if orders else None
            return (
                None if order is None else bench.intent(order.intent.magic, action="cancel", order_id=order.client_id)
            )
        return bench.intent(stop_loss=self.chance.choice([D("1.095"), D("1.09"), None]))

    def on_trade(self, action: str, trade: Trade) -> Intent:
        if action == "modify":
            stop = trade.open_price + D("0.004") * (1 if trade.side == "sell" else -1)
            return self.bench.intent(trade.magic, action="modify", trade_id=trade.trade_id, stop_loss=stop)
        units = D(300) if action == "part" else None
        return self.bench.intent(trade.magic, action="close", trade_id=trade.trade_id, units=units)

    async def submit(self, intent: Intent) -> None:
        try:
            await self.bench.gateway.submitter.submit(intent)
        except AtraderError:
            return

    async def end(self) -> None:
        self.script.clear()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        gateway = self.bench.gateway
        await self.bench.until(gateway.online.is_set, "a connection")
        for intent in self.sent:  # the worker asks until it is answered
            await self.submit(intent)
        await self.bench.until(
            lambda: not [order for order in gateway.book.open_orders() if order.state in IN_FLIGHT], "outcomes"
        )
        assert await gateway.reconciler.run()
        await self.bench.until(self.is_covered, "stops at the broker in step with the trades")
        assert await gateway.reconciler.run()
        await self.bench.journal.settle()
        before, alerts = rows_of(self.bench), dict(gateway.alerts.counters)
        assert await gateway.reconciler.run()  # a second time nothing changes
        await self.bench.journal.settle()
        assert (rows_of(self.bench), dict(gateway.alerts.counters)) == (before, alerts)

    def is_covered(self) -> bool:
        """Let market time pass, so that what was refused is tried again, and compare the venue's stops with ours."""
        bench, gateway = self.bench, self.bench.gateway
        bench.clock.advance(bench.clock.now_ns() + 60 * NS_PER_S)
        gateway.net_stops.turn()
        trades = gateway.book.ledger.open_trades() if self.venue.stops else ()
        wanted = wanted_stops(trades, gateway.book.closing_units, gateway.valuation.instruments)
        held = [(order.units, order.price) for order in self.venue.working.values() if order.reduce_only]
        return sorted(held) == sorted(wanted.values()) and not gateway.submitter.busy

    def check(self) -> None:
        gateway, read = self.bench.gateway, self.bench.journal.read
        assert not self.bench.failures, self.bench.failures
        assert gateway.reconciler.breaks == {}
        assert not {name: count for name, count in self.venue.accepted.items() if count > 1}
        real = {symbol: units for symbol, units in self.venue.net.items() if units}
        assert gateway.book.ledger.net_units() == real
        for intent in self.sent:
            entry = read.order(intent.client_id)
            assert entry is not None
            assert entry.order.state not in IN_FLIGHT
            if self.venue.accepted[intent.client_id]:
                assert entry.order.state not in (OrderState.LOST, OrderState.DENIED)
            else:
                assert entry.order.filled_units == 0
        assert not gateway.alerts.counters["excess-close"]
        assert len(read.open_trades()) == len(gateway.book.ledger.open_trades())


def rows_of(bench: GatewayBench) -> list[list[tuple[object, ...]]]:
    """Return everything the journal holds."""
    with closing(sqlite3.connect(bench.home.journal(bench.config.name))) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(_STEP, min_size=1, max_size=14),
    kind=st.sampled_from(["hedging", "netting", "stops", "stops"]),
    partial=st.booleans(),
    proves=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_every_intent_has_one_outcome_and_at_most_one_broker_order(
    steps: list[tuple[str, str]], kind: str, partial: bool, proves: bool, seed: int
) -> None:
    async def story(root: Path) -> None:
        scenario = Scenario(root, kind, partial, proves, seed)
        await scenario.live()
        for action, fault in steps:
            await scenario.step(action, fault)
        await scenario.end()
        scenario.check()
        await scenario.bench.stop()

    with tempfile.TemporaryDirectory() as root:
        asyncio.run(story(Path(root)))
