"""Brings the history to the disk: everything that waits in one commit, each answered when it is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, TypeVar

from structlog.typing import FilteringBoundLogger

from atrader.errors import AtraderError, StoreError, WireError
from atrader.messages.gateway import OutboxRow
from data_layer.disk_guard import DiskGuard
from data_layer.store import HistoryStore
from data_layer.store.interface import StoreState, state_after

_TIDY_S: Final = 10.0

T = TypeVar("T")


class _Batch(NamedTuple):
    source: str
    rows: tuple[OutboxRow, ...]
    answer: asyncio.Future[int]


class HistoryWriter:
    """The only one who writes to the history store, in a thread of its own.

    Parameters
    ----------
    store : HistoryStore
        Used from here on by the thread only.
    guard : DiskGuard
        Asked before each write.

    Attributes
    ----------
    state : {"ok", "read-only", "away"}
        What the last attempt to write told of the store; while it is not ok, those who ask keep their rows.
    counters : Counter of str
        ``rows commits``.
    """

    def __init__(self, store: HistoryStore, guard: DiskGuard, log: FilteringBoundLogger) -> None:
        self._store = store
        self._guard = guard
        self._log = log
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="history-writer")
        self._batches: list[_Batch] = []
        self._news = asyncio.Event()
        self.state: StoreState = "ok"
        self.counters: Counter[str] = Counter()

    async def append(self, source: str, rows: Sequence[OutboxRow]) -> int:
        """Append rows of an outbox; return the last number of the source that is on disk.

        Blocks until they are on disk. May be repeated, with the same rows or others.

        Raises
        ------
        StoreError
            When they could not be written; nothing of them was.
        WireError
            When a row lacks what its table needs.
        """
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._batches.append(_Batch(source, tuple(rows), answer))
        self._news.set()
        return await answer

    async def run(self) -> None:
        """Write whatever waits, again and again; tidy up in between, also when there is never a quiet moment."""
        loop = asyncio.get_running_loop()
        tidy_s = loop.time() + _TIDY_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(tidy_s):
                    await self._news.wait()
            if self._news.is_set():
                await self.flush()
            if loop.time() >= tidy_s:
                await self._tidy()
                tidy_s = loop.time() + _TIDY_S

    async def flush(self) -> None:
        """Write what waits."""
        self._news.clear()
        batches, self._batches = self._batches, []
        if batches:
            await self._append(batches)

    async def do(self, work: Callable[[HistoryStore], T]) -> T:
        """Let the thread do something with the store, between its other work.

        Raises
        ------
        StoreError
            When the store refuses.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._store)

    async def close(self) -> None:
        """Write what waits and close the store."""
        await self.flush()
        await self._do(self._store.close)
        self._pool.shutdown()

    async def _append(self, batches: list[_Batch]) -> None:
        try:
            self._guard.check("history")
            last = await self._do(self._store.append, [(batch.source, batch.rows) for batch in batches])
        except WireError as error:
            if len(batches) == 1:
                self._answer(batches[0], error)
                return
            for batch in batches:  # only the bad one is refused
                await self._append([batch])
        except StoreError as error:
            self._trouble(error)
            for batch in batches:
                self._answer(batch, error)
        else:
            self._written(sum(len(batch.rows) for batch in batches))
            for batch, seq in zip(batches, last, strict=True):
                self._answer(batch, seq)

    async def _tidy(self) -> None:
        try:
            await self._do(self._store.tidy)
        except StoreError as error:
            self._trouble(error)

    async def _do(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _answer(self, batch: _Batch, result: int | AtraderError) -> None:
        if batch.answer.done():
            return  # who asked is gone
        if isinstance(result, AtraderError):
            batch.answer.set_exception(result)
        else:
            batch.answer.set_result(result)

    def _written(self, rows: int) -> None:
        if self.state != "ok":
            self._log.info("history-store-writable")
        self.state = "ok"
        self.counters["rows"] += rows
        self.counters["commits"] += 1

    def _trouble(self, error: StoreError) -> None:
        state = state_after(error)
        if state is None:
            raise error
        if self.state != state:
            self._log.error(f"history-store-{state}", reason=str(error))
        self.state = state
