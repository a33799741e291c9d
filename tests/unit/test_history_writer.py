"""The history's writer: it tidies up also when there is never a quiet moment."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import structlog

from atrader.configuration.fleet import DataConfig
from atrader.messages.gateway import OutboxRow
from data_layer import history_writer
from data_layer.disk_guard import DiskGuard
from data_layer.history_writer import HistoryWriter
from data_layer.store import HistoryStore


class Store:
    """Counts what the writer asks for."""

    def __init__(self) -> None:
        self.written = 0
        self.tidied = 0

    def append(self, batches: list[tuple[str, tuple[Any, ...]]]) -> list[int]:
        self.written += sum(len(rows) for _, rows in batches)
        return [0] * len(batches)

    def tidy(self) -> None:
        self.tidied += 1

    def close(self) -> None:
        """Close."""


def test_a_busy_history_is_tidied_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_writer, "_TIDY_S", 0.02)
    store = Store()

    async def work() -> None:
        writer = HistoryWriter(cast(HistoryStore, store), DiskGuard(None, DataConfig()), structlog.get_logger())
        running = asyncio.create_task(writer.run())
        async with asyncio.timeout(60):
            while store.tidied < 3:
                await writer.append("test", [OutboxRow(seq=1, table="events", time_ns=1, body={})])
                await asyncio.sleep(0.001)
        running.cancel()
        await writer.close()

    asyncio.run(work())
    assert store.written > 3
