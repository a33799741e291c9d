"""What looks after the stores beside the work of the data layer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from atrader.clock import SystemClock
from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.errors import Rejected
from atrader.messages.history import QueryHistory
from atrader.messages.operations import GetOperation, OperationAnswer, StartOperation
from atrader.runtime.outbox_file import OutboxFile
from data_layer.backfill.scheduler import Scheduler
from data_layer.disk_guard import DiskGuard
from data_layer.history_writer import HistoryWriter
from data_layer.market_writer import MarketWriter
from data_layer.open_stores import OpenStores
from data_layer.operations.runner import RunningAccess
from data_layer.store import MarketStore
from data_layer.store.places import place_at
from data_layer.upkeep import Upkeep
from tests.support.history_rows import rows


class HeldUp(RunningAccess):
    """Lets an operation go on when it is told to."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.go_on = threading.Event()
        self.waits = threading.Event()

    def with_market(self, work: Callable[[MarketStore], Any]) -> Any:
        """Wait in the middle of an operation."""
        self.waits.set()
        assert self.go_on.wait(60)


async def until(condition: Callable[[], Any], what: str) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)
    assert condition(), what


def test_a_scheduled_archive_waits_for_another_operation_and_alerts_nobody(tmp_path: Path) -> None:
    config = DataConfig.model_validate({"keep_events": "60s"})
    home, log, clock = Home(tmp_path), structlog.get_logger(), SystemClock()
    home.data.mkdir()

    async def work(stores: OpenStores) -> None:
        history = HistoryWriter(stores.history, DiskGuard(None, config), log)
        loop = asyncio.get_running_loop()
        access = HeldUp(home, config, stores.place, cast(MarketWriter, None), history, loop)
        outbox = OutboxFile(home.data / "outbox" / "data-layer.jsonl")
        upkeep = Upkeep(access, stores, history, outbox, cast(Scheduler, object()), clock, log)
        start = upkeep.handlers()[StartOperation]
        tasks = [asyncio.create_task(history.run())]

        def archived() -> bool:
            if stores.query_history.query(QueryHistory(table="events")):
                return False
            answer: OperationAnswer = cast(Any, upkeep.handlers()[GetOperation](GetOperation(id=2), cast(Any, None)))
            return answer.is_done and answer.result == {"moved": {"alerts": 0, "events": 1}}

        await history.append("manager", rows(("events", {"process": "a", "kind": "b", "text": "old"})))
        start(StartOperation(name="compact"), cast(Any, None))
        await until(access.waits.is_set, "the compaction to wait")
        tasks.append(asyncio.create_task(upkeep.run()))
        await asyncio.sleep(0)  # its first turn: it would like to archive
        with pytest.raises(Rejected, match="a compact is under way"):
            start(StartOperation(name="check"), cast(Any, None))
        access.go_on.set()
        await until(archived, "the archive")
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await upkeep.close()
        await history.close()
        assert stores.query_history.archives()
        assert outbox.rows == []

    with OpenStores(place_at(home, "embedded")) as stores:
        asyncio.run(work(stores))
        assert stores.query_history.query(QueryHistory(table="alerts")) == []
