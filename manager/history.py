"""What happened to processes, told to the data layer's history at least once; duplicates are dropped there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Final, Literal, TextIO

from structlog.typing import FilteringBoundLogger

from atrader.bus import CallClient
from atrader.clock import Clock
from atrader.errors import AtraderError
from atrader.messages.data import AppendHistory, LastSeq
from atrader.messages.gateway import OutboxRow

SOURCE: Final = "manager"
_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.2
_BATCH: Final = 500
_KEPT_IN_MEMORY: Final = 10_000


class Outbox:
    """Rows that the history does not have yet: a file of JSON lines, appended and synced, emptied when all is taken.

    The first line of the file tells the highest sequence number ever given away, so that numbers never repeat.

    Parameters
    ----------
    path : Path
        The file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loaded_seq, self.rows = _load(path)
        self.last_seq = self._loaded_seq
        self._unsynced = False
        self._file = self._rewritten()

    def append(self, table: Literal["events", "alerts"], time_ns: int, body: dict[str, object]) -> None:
        """Add a row; it is in the file when this returns, and survives a power failure after `sync`.

        Without room on the disk the row is kept in memory only, since what supervises must not fail for its diary.
        """
        self.last_seq += 1
        row = OutboxRow(seq=self.last_seq, table=table, time_ns=time_ns, body=body)
        self.rows.append(row)
        del self.rows[:-_KEPT_IN_MEMORY]
        with contextlib.suppress(OSError):
            self._file.write(row.model_dump_json() + "\n")
            self._file.flush()
            self._unsynced = True

    def sync(self) -> None:
        """Bring what was appended to the disk."""
        if self._unsynced:
            self._unsynced = False
            with contextlib.suppress(OSError):
                os.fdatasync(self._file.fileno())

    def reconcile(self, known_seq: int) -> None:
        """Compare with what the history has of us; once, before anything is handed over in this run.

        Rows of an earlier run with known numbers were taken. When the history knows more than our file gave away, the
        file was lost or is an old copy, and the rows of this run get numbers above.
        """
        if known_seq <= self._loaded_seq:
            self.taken(known_seq)
            return
        fresh = [row for row in self.rows if row.seq > self._loaded_seq]
        self.rows = [row.model_copy(update={"seq": known_seq + n}) for n, row in enumerate(fresh, 1)]
        self.last_seq = known_seq + len(fresh)
        self._rewrite()

    def taken(self, last_seq: int) -> None:
        """Forget rows that are in the history."""
        self.rows = [row for row in self.rows if row.seq > last_seq]
        if not self.rows:
            self._rewrite()

    def close(self) -> None:
        """Sync and close the file."""
        self.sync()
        self._file.close()

    def _rewrite(self) -> None:
        self._file.close()
        self._file = self._rewritten()

    def _rewritten(self) -> TextIO:
        draft = self.path.with_name(f".{self.path.name}")
        lines = [json.dumps({"last_seq": self.last_seq}), *(row.model_dump_json() for row in self.rows)]
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(draft, self.path)
        return open(self.path, "a", encoding="utf-8")


def _load(path: Path) -> tuple[int, list[OutboxRow]]:
    """Read the file as far as it is whole; the last line may be torn."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return 0, []
    last_seq, rows = 0, []
    for line in lines:
        try:
            fields = json.loads(line)
            if "last_seq" in fields:
                last_seq = max(last_seq, int(fields["last_seq"]))
            else:
                rows.append(OutboxRow.model_validate(fields))
        except (ValueError, TypeError):
            continue
    return max([last_seq, *(row.seq for row in rows)]), rows


class History:
    """Hands the outbox over to the data layer in the background, whenever that one is there.

    Parameters
    ----------
    outbox : Outbox
        What to hand over.
    client : CallClient
        Of ``data.call``.
    """

    def __init__(self, outbox: Outbox, client: CallClient, clock: Clock, log: FilteringBoundLogger) -> None:
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
        numbered = False
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
            except AtraderError as error:
                self._log.warning("history-not-taken", reason=str(error), waiting=len(self._outbox.rows))
                self._news.set()
                await asyncio.sleep(_RETRY_S)

    async def _hand_over(self) -> None:
        rows = tuple(row.model_dump(mode="json") for row in self._outbox.rows[:_BATCH])
        answer = await self._client.call(AppendHistory(source=SOURCE, rows=rows), _TIMEOUT_S)
        self._outbox.taken(answer.last_seq)
