"""Parts of the gateway by themselves: moves, request budget, outbox, forced exits, crash points."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog

from atrader.clock import SystemClock
from atrader.configuration.account import RequestBudget
from atrader.errors import Retryable
from atrader.messages.gateway import OutboxRow
from atrader.orders.states import IN_FLIGHT, OrderState, may_move
from broker_api.gateway.budget import Budget, Priority
from broker_api.gateway.crash_points import CRASH_POINTS, VARIABLE
from broker_api.gateway.outbox import Outbox
from broker_api.journal import Batch, Entry, Journal, digest_of
from tests.support.fault_broker import FaultAdapter, Venue
from tests.support.gateways import D, GatewayBench
from tests.support.orders import make_intent, make_order


@pytest.mark.parametrize("before", list(OrderState))
def test_an_order_moves_only_as_the_table_allows(tmp_path: Path, before: OrderState) -> None:
    async def story() -> None:
        bench = GatewayBench(tmp_path)
        bench.start()
        intent = make_intent(1)
        for after in OrderState:
            entry = Entry(make_order(intent, state=before, version=3), 0, digest_of(intent))
            batch = Batch("paper")
            moved = bench.gateway.moves.move(entry, after, batch, reason="why")
            assert moved == may_move(before, after)
            assert (entry.order.state, entry.order.version) == ((after, 4) if moved else (before, 3))
            assert bool(batch.statements) == moved
        bench.journal.abandon()

    asyncio.run(story())


def test_exits_go_before_everything_else_in_the_request_budget() -> None:
    async def story() -> None:
        budget = Budget(RequestBudget(per_second=D(200), burst=1), SystemClock())
        await budget.take(Priority.OPEN)
        served: list[Priority] = []

        async def ask(priority: Priority) -> None:
            await budget.take(priority)
            served.append(priority)

        asked = [Priority.HISTORY, Priority.OPEN, Priority.QUERY, Priority.CANCEL, Priority.EXIT, Priority.OPEN]
        began_s = SystemClock().monotonic_s()
        await asyncio.gather(*map(ask, asked))
        assert served == sorted(asked)
        assert SystemClock().monotonic_s() - began_s >= 0.9 * len(asked) / 200

    asyncio.run(story())


def test_whoever_gave_up_waiting_takes_no_request_from_the_others() -> None:
    async def story() -> None:
        budget = Budget(RequestBudget(per_second=D(100), burst=1), SystemClock())
        await budget.take(Priority.EXIT)
        impatient = asyncio.ensure_future(budget.take(Priority.EXIT))
        patient = asyncio.ensure_future(budget.take(Priority.OPEN))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait_for(patient, 60)

    asyncio.run(story())


class Shelf:
    """A history in memory that may be away."""

    def __init__(self, identity: str) -> None:
        self.rows: dict[int, OutboxRow] = {}
        self.stored = 0
        self.away = False
        self.forget_answer = False
        self.identity = identity

    async def append_history(self, source: str, rows: Sequence[OutboxRow]) -> int:
        if self.away:
            raise Retryable("away")
        assert source == f"gateway:paper:{self.identity}"
        self.rows.update({row.seq: row for row in rows if row.seq > self.stored})
        self.stored = max(self.stored, *(row.seq for row in rows))
        if self.forget_answer:
            self.forget_answer = False
            raise Retryable("stored, and then the line broke")
        return self.stored

    async def last_seq(self, source: str) -> int:
        if self.away:
            raise Retryable("away")
        return self.stored


async def write_orders(journal: Journal, numbers: range) -> None:
    for n in numbers:
        intent, batch = make_intent(n), Batch("paper")
        batch.order(Entry(make_order(intent), 0, digest_of(intent)))
        await journal.commit(batch)


def test_rows_reach_the_history_once_whatever_breaks_and_leave_the_journal(tmp_path: Path) -> None:
    async def story() -> None:
        journal = Journal(tmp_path / "paper.db")
        shelf = Shelf(journal.read.identity())
        outbox = Outbox("paper", journal, shelf, structlog.get_logger())
        shelf.away = True
        await write_orders(journal, range(1, 4))
        assert not await outbox.flush(1.0)
        assert outbox.lag == 3
        shelf.away, shelf.forget_answer = False, True
        assert not await outbox.flush(1.0)
        assert await outbox.flush(1.0)
        await write_orders(journal, range(4, 6))
        assert await outbox.flush(1.0)
        assert [row.body["intent"]["n"] for row in shelf.rows.values()] == [1, 2, 3, 4, 5]  # type: ignore[index]
        assert {row.body["account"] for row in shelf.rows.values()} == {"paper"}
        assert outbox.lag == 0
        await write_orders(journal, range(6, 7))
        assert [line.seq for line in journal.read.outbox_after(0, 99)] == [6]
        journal.close()

    asyncio.run(story())


def test_an_older_copy_of_a_journal_does_not_lose_rows_to_numbers_the_history_knows(tmp_path: Path) -> None:
    async def story() -> None:
        journal = Journal(tmp_path / "paper.db")
        shelf = Shelf(journal.read.identity())
        shelf.stored = 1000
        outbox = Outbox("paper", journal, shelf, structlog.get_logger())
        await write_orders(journal, range(1, 3))
        assert await outbox.flush(1.0)
        assert sorted(shelf.rows) == [1001, 1002]
        journal.close()

    asyncio.run(story())


def test_a_broken_limit_closes_everything_of_the_account(tmp_path: Path) -> None:
    bench = GatewayBench(tmp_path, limits={"max_drawdown_frac": D("0.00001"), "on_drawdown": "flatten"})

    async def story() -> None:
        await bench.connect()
        await bench.submit(7, units=D(100_000))
        await bench.submit(8, units=D(100_000))
        bench.quote(1.0990, 1.0991)
        await bench.gateway.turn()
        await bench.until(lambda: not bench.gateway.book.own_trades(), "flat")
        assert bench.gateway.alerts.counters["forced-exit"] == 1
        assert (await bench.submit()).state is OrderState.DENIED
        await bench.stop()

    asyncio.run(story())


def test_a_broker_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    venue = Venue()

    class Mute(FaultAdapter):
        is_mute = True
        asked = 0

        async def find(self, client_id: str, watermark: int) -> None:
            self.asked += 1
            if self.is_mute:
                raise Retryable("maintenance")

    adapter = Mute(venue)
    bench = GatewayBench(tmp_path, lambda _: adapter, order_timeout="5ms", lookup_delays=("1ms",), lost_after="5ms")

    async def story() -> None:
        await bench.connect()
        adapter.script.append("unknown-before")
        order = await bench.submit()
        await bench.until(lambda: adapter.asked >= 20, "look-ups far beyond lost_after")
        assert [item.state for item in bench.gateway.book.open_orders()] == [OrderState.UNKNOWN]
        adapter.is_mute = False
        await bench.until(lambda: bench.gateway.book.entry(order.client_id).order.state not in IN_FLIGHT, "proof")  # type: ignore[union-attr]
        await bench.stop()

    asyncio.run(story())


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_point_kills_once(tmp_path: Path, point: str) -> None:
    marker = tmp_path / "marker"
    script = f"from broker_api.gateway.crash_points import reached; reached('another'); reached({point!r}); print('on')"
    command = [sys.executable, "-c", script]
    environment = {**os.environ, VARIABLE: f"{point}@{marker}"}
    first = subprocess.run(command, env=environment, capture_output=True, check=False)
    second = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0)
    assert second.stdout == b"on\n"
