"""Calls that read the stores: a long one holds no short one up."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

from atrader.messages.data import ListSeries
from atrader.messages.history import GetStatistics, LastSeq, QueryHistory
from data_layer.service import Service

NOBODY = cast(Any, None)


class SlowView:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def query(self, query: QueryHistory) -> list[dict[str, Any]]:
        assert self.go_on.wait(60)
        return []

    def statistics(self, request: GetStatistics, now_ns: int) -> list[dict[str, Any]]:
        return self.query(NOBODY)


class Quick:
    """Both readers of short answers."""

    def series(self) -> list[Any]:
        return []

    def last_seq(self, source: str) -> int:
        return 7

    def query(self, query: QueryHistory) -> list[dict[str, Any]]:
        return [{"instrument": "EUR/USD"}]


def test_long_queries_of_the_history_hold_up_neither_outboxes_nor_lists() -> None:
    view, quick = SlowView(), cast(Any, Quick())

    nobody: tuple[Any, Any, Any, Any] = (None, None, None, None)

    async def ask() -> None:
        service = Service(*nobody, quick, quick, cast(Any, view), lambda: 0, is_replay=False, epoch=1)
        handlers = cast(Any, service.handlers())
        try:
            slow = [
                asyncio.ensure_future(handlers[QueryHistory](QueryHistory(table="trades"), NOBODY)),
                asyncio.ensure_future(handlers[GetStatistics](GetStatistics(), NOBODY)),
            ]
            async with asyncio.timeout(60):
                assert (await handlers[LastSeq](LastSeq(source="a"), NOBODY)).last_seq == 7
                assert (await handlers[ListSeries](ListSeries(), NOBODY)).series == ()
                assert await service.open_trades() == {"EUR/USD"}
            assert not any(task.done() for task in slow)
        finally:
            view.go_on.set()
        await asyncio.gather(*slow)
        service.close()

    asyncio.run(ask())
