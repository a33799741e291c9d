"""A disk that is full while gateway or worker write: opens are refused, exits and what was sent are not lost.

The kernel refuses the writes for real: the process's limit on file sizes is lowered while it runs, and raised again.
"""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

from tests.support.books import check_books, orders_so_far, rows
from tests.support.fleet import Fleet, wait_for

OPENER = """
from decimal import Decimal

from atrader.strategy import EventStrategy


class Opener(EventStrategy):
    '''Opens up to five trades, then closes them all, again and again.'''

    def on_tick(self, tick):
        if self.context.orders():
            return
        trades = self.context.trades()
        self.closing = getattr(self, "closing", False) and bool(trades)
        if len(trades) >= 5 or self.closing:
            self.closing = True
            self.context.close(trades[0].trade_id)
        else:
            self.context.order("buy", units=Decimal(1000))

    def on_order(self, order):
        self.context.state["last"] = [order.state.value, order.reason]
        if order.reason in ("journal-full", "not-noted"):
            self.closing = True
"""


def test_a_full_disk_refuses_opens_lets_exits_through_and_loses_nothing(fleet: Fleet) -> None:
    fleet.write_fleet()
    fleet.write_account()
    (fleet.home.root / "strategies" / "opener.py").write_text(OPENER)
    fleet.write_instance("opener", 1, strategy="strategies/opener.py:Opener", text=fleet.unlimited())
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 5, "orders to flow")
    gateway = psutil.Process(fleet.pid("gateway-paper"))
    smallest = min(path.stat().st_size for path in fleet.home.journal("paper").parent.glob("paper.db-wal"))
    gateway.rlimit(resource.RLIMIT_FSIZE, (smallest, resource.RLIM_INFINITY))
    try:
        wait_for(lambda: "journal-full" in (fleet.home.log / "gateway-paper.log").read_text(), "refused opens")
        assert fleet.process("gateway-paper")["pid"] == gateway.pid
    finally:
        gateway.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    assert fleet.stop() == 0
    check_books(fleet)


MARK = """
        if order.reason == "not-noted":
            pathlib.Path({folder!r}, str(order.intent.n)).touch()  # an empty file needs no room
"""


def test_a_worker_without_room_for_its_notes_opens_nothing_closes_everything_and_lives(
    fleet: Fleet, tmp_path: Path
) -> None:
    refused = tmp_path / "refused"
    refused.mkdir()
    fleet.write_fleet()
    fleet.write_account()
    code = "import pathlib\n" + OPENER + MARK.format(folder=str(refused))
    (fleet.home.root / "strategies" / "opener.py").write_text(code)
    fleet.write_instance("opener", 1, strategy="strategies/opener.py:Opener", text=fleet.unlimited())
    fleet.start()
    wait_for(lambda: orders_so_far(fleet) > 5, "orders to flow")
    worker = psutil.Process(fleet.pid("worker-opener"))
    worker.rlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        wait_for(lambda: len(list(refused.iterdir())) > 20, "opens to be refused")
        wait_for(lambda: not trades_open(fleet), "all trades to be closed")
        assert not {path.name for path in refused.iterdir()} & journaled(fleet)
    finally:
        worker.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 5, "orders to flow again")
    assert fleet.process("worker-opener")["pid"] == worker.pid
    assert fleet.stop() == 0
    check_books(fleet)


def trades_open(fleet: Fleet) -> int:
    return int(rows(fleet.home.journal("paper"), "SELECT count(*) FROM trades WHERE is_open = 1")[0][0])


def journaled(fleet: Fleet) -> set[str]:
    return {str(n) for (n,) in rows(fleet.home.journal("paper"), "SELECT n FROM orders")}
