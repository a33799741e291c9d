"""The file of a paper account: locks, damage, full disks, power loss, pruning."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from atrader.errors import BrokerUnavailable, StoreError
from atrader.orders.model import Side
from atrader.orders.states import OrderState
from broker_api.adapter import BrokerOrder, FillReport, OrderReport
from broker_api.paper.book import JUMP, SCHEMA_VERSION, Book
from tests.support.paper import PaperBench

D = Decimal


def order(number: int, side: Side = "buy", units: int = 1000, **more: Any) -> BrokerOrder:
    values = {"instrument": "EUR/USD", "order_type": "market", "magic": 7, "instance": "test", **more}
    return BrokerOrder(client_id=f"a000007w{number}", side=side, units=D(units), **values)


def book_of(bench: PaperBench) -> Book:
    book = bench.adapter._book
    assert book is not None
    return book


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def open_book(path: Path, **more: Any) -> Book:
    return Book(path, "USD", "hedging", D(10_000), **more)


def test_two_sessions_of_one_account_cannot_exist(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        twin = PaperBench(tmp_path)
        with pytest.raises(BrokerUnavailable, match=r"is in use by a gateway \(pid \d+"):
            await twin.start()
        await bench.stop()
        await twin.start()
        await twin.stop()

    run(scene())


def test_calls_before_connect_and_after_close_say_so(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await bench.adapter.snapshot()
        await bench.start()
        stream = [batch async for batch in _ended(bench)]
        assert stream == []
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await bench.adapter.submit(order(1))

    async def _ended(bench: PaperBench) -> Any:
        await bench.stop()
        async for batch in bench.adapter.reports():
            yield batch

    run(scene())


def test_a_full_disk_refuses_without_a_trace_and_the_account_goes_on_when_there_is_room(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        bench.quote("EUR/USD", "1.10000", "1.10010")
        await bench.adapter.submit(order(1, stop_loss=D("1.09000")))
        before = await bench.adapter.snapshot()
        db = book_of(bench)._connection  # a real full disk needs root; SQLite's own limit fails at the same place
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")
        number, refused = 1, ""
        while not refused:
            number += 1
            before = await bench.adapter.snapshot()
            try:
                await bench.adapter.submit(order(number, stop_loss=D("1.09000")))
            except BrokerUnavailable as error:
                refused = str(error)
        assert "full" in refused
        assert await bench.adapter.snapshot() == before
        assert await bench.adapter.find(f"a000007w{number}", before.watermark) is None
        db.execute("PRAGMA max_page_count=1000000")
        assert await bench.adapter.submit(order(number))
        assert all(isinstance(report, FillReport) for report in bench.quote("EUR/USD", "1.08000", "1.08010"))
        await bench.stop()

    run(scene())


def test_a_quote_that_cannot_be_written_down_causes_nothing_and_its_stop_fires_with_the_next(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        bench.quote("EUR/USD", "1.10000", "1.10010")
        await bench.adapter.submit(order(1, stop_loss=D("1.09000")))
        before = await bench.adapter.snapshot()
        book_of(bench)._connection.execute("PRAGMA query_only=1")
        with pytest.raises(BrokerUnavailable):
            bench.quote("EUR/USD", "1.08000", "1.08010")
        assert (await bench.adapter.snapshot()).trades == before.trades
        book_of(bench)._connection.execute("PRAGMA query_only=0")
        (closed,) = bench.quote("EUR/USD", "1.08000", "1.08010")
        assert isinstance(closed, FillReport)
        await bench.stop()

    run(scene())


def test_quotes_that_cause_nothing_write_nothing(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        bench.quote("EUR/USD", "1.10000", "1.10010")
        await bench.adapter.submit(order(1, stop_loss=D("1.09000"), take_profit=D("1.2")))
        wal = bench.home.paper("paper").with_name("paper.db-wal")
        before = (wal.stat().st_size, wal.stat().st_mtime_ns)
        for step in range(200):
            bench.quote("EUR/USD", f"1.10{step:03}", f"1.10{step + 10:03}")
        assert (wal.stat().st_size, wal.stat().st_mtime_ns) == before
        await bench.stop()

    run(scene())


def test_transaction_ids_jump_after_a_power_loss_and_never_otherwise(tmp_path):
    path = tmp_path / "book.db"
    book = open_book(path, boot_id="first")
    book.close()
    book = open_book(path, boot_id="second")
    assert book.load().transaction_id == 0  # closed in order
    book.close(clean=False)
    book = open_book(path, boot_id="second")
    assert book.load().transaction_id == 0  # killed, but the machine ran on
    book.close(clean=False)
    book = open_book(path, boot_id="third")
    assert book.load().transaction_id == JUMP
    book.close()


def test_a_book_of_another_currency_or_kind_of_account_is_refused(tmp_path):
    open_book(tmp_path / "book.db").close()
    with pytest.raises(StoreError, match="hedging account in USD"):
        Book(tmp_path / "book.db", "EUR", "hedging", D(10_000))
    with pytest.raises(StoreError, match="the configuration says netting"):
        Book(tmp_path / "book.db", "USD", "netting", D(10_000))


def test_a_book_of_a_newer_program_and_a_file_that_is_no_book_are_refused(tmp_path):
    newer = tmp_path / "newer.db"
    open_book(newer).close()
    db = sqlite3.connect(newer)
    db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    db.close()
    with pytest.raises(StoreError, match="newer atrader"):
        open_book(newer)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database, " * 500)
    with pytest.raises(StoreError, match="not a database"):
        open_book(damaged)


def test_pruning_keeps_the_newest_what_is_open_and_the_outcome_of_every_client_id(tmp_path):
    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        bench.quote("EUR/USD", "1.10000", "1.10010")
        await bench.adapter.submit(order(1))  # stays open
        await bench.adapter.submit(order(2, order_type="limit", price=D("1.05000")))  # stays working
        await bench.adapter.submit(order(3, order_type="limit", price=D("1.06000")))
        await bench.adapter.cancel("a000007w4", "a000007w3")
        (opened,) = await bench.adapter.submit(order(5))
        assert isinstance(opened, FillReport)
        await bench.adapter.submit(order(6, "sell", close_broker_trade_id=opened.broker_trade_id))
        await bench.adapter.submit(order(7))
        newest = (await bench.adapter.snapshot()).watermark
        book = book_of(bench)
        before = {number: book.reports_of(f"a000007w{number}", 0) for number in range(1, 8)}
        assert book.prune(keep=1) == 5
        for number in (1, 2, 7):
            assert book.reports_of(f"a000007w{number}", 0) == before[number]
        outcomes = {3: OrderState.CANCELLED, 4: OrderState.DONE, 5: OrderState.FILLED, 6: OrderState.FILLED}
        for number, state in outcomes.items():
            (condensed,) = book.reports_of(f"a000007w{number}", 0)
            assert isinstance(condensed, OrderReport)
            assert (condensed.state, condensed.reason) == (state, "pruned")
            assert condensed.transaction_id == before[number][-1].transaction_id
            assert book.seen(f"a000007w{number}") == 1
        with pytest.raises(StoreError, match="pruned"):
            book.reports_since(0)
        assert [report.transaction_id for report in book.reports_since(newest - 1)] == [newest]
        assert book.prune(keep=1) == 0
        await bench.stop()

    run(scene())


VICTIM = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
from broker_api.adapter import BrokerOrder
from tests.support.paper import PaperBench

async def main():
    bench = PaperBench(Path(sys.argv[1]))
    await bench.start()
    number = 0
    while True:
        number += 1
        bench.quote("EUR/USD", "1.10000", "1.10010")
        side = "buy" if number % 3 else "sell"
        values = dict(magic=7, instance="t", instrument="EUR/USD", order_type="market", units=Decimal(10))
        await bench.adapter.submit(BrokerOrder(client_id=f"a000007w{number}", side=side, **values))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("orders", [1, 40, 150])
def test_kill_9_never_loses_an_order_that_was_answered(tmp_path, orders):
    """A real process is killed while orders flow; everything it said was accepted is in the book, and only once."""
    root = Path(__file__).resolve().parents[2]
    victim = subprocess.Popen(
        [sys.executable, "-P", "-c", VICTIM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert victim.stdout is not None
    with victim:
        for _ in range(orders):
            victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
        answered = orders + len([line for line in victim.stdout.read().split("\n") if line])
    assert victim.returncode == -signal.SIGKILL

    async def scene() -> None:
        bench = PaperBench(tmp_path)
        await bench.start()
        reports = await bench.adapter.reports_since(0)
        fills = [report for report in reports if isinstance(report, FillReport)]
        ids = {fill.client_id for fill in fills}
        assert {f"a000007w{number}" for number in range(1, answered + 1)} <= ids
        assert len(fills) == len(ids) <= answered + 1
        snapshot = await bench.adapter.snapshot()
        assert len(snapshot.trades) == len(fills)
        assert snapshot.watermark == reports[-1].transaction_id
        await bench.stop()

    run(scene())
