"""What happened to processes, told to the data layer's history at least once; duplicates are dropped there."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from structlog.typing import FilteringBoundLogger

from atrader.bus import CallClient
from atrader.clock import Clock
from atrader.errors import AtraderError
from atrader.messages.history import AppendHistory, LastSeq
from atrader.runtime.outbox_file import OutboxFile

SOURCE: Final = "manager"
_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.2
_BATCH: Final = 500


class History:
    """Hands the outbox over to the data layer in the background, whenever that one is there.

    Parameters
    ----------
    outbox : OutboxFile
        What to hand over.
    client : CallClient
        Of ``data.call``.
    """

    def __init__(self, outbox: OutboxFile, client: CallClient, clock: Clock, log: FilteringBoundLogger) -> None:
        self._outbox = outbox
        self._client = client
        self._clock = clock
        self._log = log
        self._news = asyncio.Event()
        self._reachable = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to hand over."""
        self._task = asyncio.get_running_loop().create_task(self._work())

    def event(self, body: dict[str, object]) -> None:
        """Record a process event."""
        self._append("events", body)

    def alert(self, body: dict[str, object]) -> None:
        """Record an alert."""
        self._append("alerts", body)

    def data_layer_is(self, running: bool) -> None:
        """Learn whether it makes sense to call."""
        if running:
            self._reachable.set()
        else:
            self._reachable.clear()

    async def flush(self, within_s: float) -> None:
        """Wait until everything is handed over, or the time is over (then it stays in the outbox)."""
        end_s = self._clock.monotonic_s() + within_s
        while self._outbox.rows and self._reachable.is_set() and self._clock.monotonic_s() < end_s:
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Stop handing over; what is left waits in the file."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._outbox.close()

    def _append(self, table: Literal["events", "alerts"], body: dict[str, object]) -> None:
        self._outbox.append(table, self._clock.now_ns(), body)
        self._news.set()

    async def _work(self) -> None:
        numbered = complained = False
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(0.02)  # what happens together travels and is synced together
            self._outbox.sync()
            await self._reachable.wait()
            try:
                if not numbered:
                    known = await self._client.call(LastSeq(source=SOURCE), _TIMEOUT_S)
                    self._outbox.reconcile(known.last_seq)
                    numbered = True
                while self._outbox.rows:
                    await self._hand_over()
                    complained = False
            except AtraderError as error:
                if not complained:  # a disk that is full must not fill with lines that say so
                    self._log.warning("history-not-taken", reason=str(error), waiting=len(self._outbox.rows))
                complained = True
                self._news.set()
                await asyncio.sleep(_RETRY_S)

    async def _hand_over(self) -> None:
        rows = tuple(row.model_dump(mode="json") for row in self._outbox.rows[:_BATCH])
        answer = await self._client.call(AppendHistory(source=SOURCE, rows=rows), _TIMEOUT_S)
        self._outbox.taken(answer.last_seq)
        self._outbox.tell_dropped(self._log)
