"""The journal itself: one connection, one lock, and group commit."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from atrader.errors import Rejected, StoreError
from atrader.runtime.file_lock import FileLock
from broker_api.journal.batch import Batch
from broker_api.journal.reading import Reading
from broker_api.journal.reserve import Reserve
from broker_api.journal.schema import connect

RETRY_S: Final = 0.5
"""Pause between two attempts to write what could not be written; a full disk is rarely emptied faster."""

# Primary result codes that say "not now": BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN. The others are damage.
_CANNOT_WRITE: Final = frozenset({5, 6, 8, 10, 13, 14})


class JournalFull(Rejected):
    """Raised when a wish could not be written down and therefore was not sent; ``details["reason"]`` says so."""

    code = "rejected"

    def __init__(self, message: str) -> None:
        super().__init__(message, details={"reason": "journal-full"})


class _Waiting(NamedTuple):
    batch: Batch
    done: asyncio.Future[None] | None


class Journal:
    """The durable side of one gateway. For one thread; `commit` belongs to one asyncio loop.

    Everything handed over in one turn of the event loop is written in one transaction with one fsync (WAL,
    ``synchronous=FULL``), in the order it was handed over. The write happens in the loop's own thread: it takes 0.2 ms
    on a good disk, and handing it to another thread and back costs as much.

    When the disk cannot be written (full, read-only, limit reached), by kind of batch:

    - "open": refused with `JournalFull`; nothing was sent. Refused as well as long as `is_full`.
    - "exit": written into the space of a reserve file that is given up then, so that exits go on. When even that does
      not suffice they are refused too: what is not on disk is never sent, since after a crash nobody would know that
      it was, and on a netting account a second exit is an opposite position. Whoever wants the exit (worker, stop,
      flattening) asks again.
    - "fact" (something was sent, or the broker said something): stays in memory, in order, and is tried again until it
      is written; whoever waits for it waits.

    `is_full` ends when everything waiting is written and the reserve is allocated again.

    Parameters
    ----------
    path : Path
        The SQLite file; lock and reserve lie beside it.

    Attributes
    ----------
    on_commit : callable
        Called after each successful commit, before whoever waits for it goes on: publishing happens there.
    on_trouble : callable
        Told once when the journal becomes full and once when it is well again: ``on_trouble(error or None)``.
    on_damage : callable
        Told when the file is damaged; the process must end, its memory no longer matches the disk.
    counters : Counter of str
        ``commits batches failures``.

    Raises
    ------
    StoreError
        When another process owns the journal (exit code LOCKED) or the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path.with_suffix(".lock"), "a gateway of this account", path)
        try:
            self._connection = connect(path)
        except StoreError:
            self._lock.release()
            raise
        self.read = Reading(self._connection)
        self._reserve = Reserve(path.with_suffix(".reserve"))
        self._queue: list[_Waiting] = []
        self._quiet: list[_Waiting] = []
        self._turn: asyncio.Handle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self.is_full = not self._reserve.hold()
        self.counters: Counter[str] = Counter()
        self.on_commit: Callable[[], None] = _nothing
        self.on_trouble: Callable[[sqlite3.Error | None], None] = _ignore
        self.on_damage: Callable[[sqlite3.Error], None] = _raise

    def commit(self, batch: Batch) -> asyncio.Future[None]:
        """Hand a batch over and return what to await: it is on disk when that is done.

        It shares its fsync with whoever commits in the same loop turn. A "fact" that cannot be written is waited for as
        long as it takes. When whoever waits is cancelled the batch is still written.

        Raises
        ------
        JournalFull
            When a wish cannot be written; it is forgotten and may be handed over again.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(batch, done))
        self._plan_turn()
        return done

    def stage(self, batch: Batch) -> None:
        """Have a fact written with the next commit, which is planned; returns before that."""
        self._queue.append(_Waiting(batch, None))
        self._plan_turn()

    def stage_quietly(self, batch: Batch) -> None:
        """Have a fact written with whatever commit comes next, without causing one; for housekeeping."""
        self._quiet.append(_Waiting(batch, None))

    async def settle(self) -> None:
        """Wait until everything handed over so far is on disk."""
        if self._queue:
            await self.commit(_EMPTY)

    @property
    def waiting(self) -> int:
        """Batches not on disk yet."""
        return len(self._queue)

    def flush(self) -> None:
        """Write everything handed over, now; for start, stop and the end of a loop turn."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        queue, self._queue = self._queue, []
        if queue:
            queue += self._quiet
            self._quiet = []
            self._work(queue)

    def close(self) -> None:
        """Write what can be written, close the file and let the lock go. May be called twice."""
        self._queue += self._quiet
        self._quiet = []
        self.flush()
        for planned in (self._turn, self._retry):
            if planned is not None:
                planned.cancel()
        self._turn = self._retry = None
        with contextlib.suppress(sqlite3.Error):  # the WAL file is worked in at the next start as well
            self._connection.close()
        self._lock.release()

    def abandon(self) -> None:
        """Close the file without writing what waits, as the death of the process would; for tests of recovery."""
        self._queue.clear()
        self._quiet.clear()
        self.close()

    def _plan_turn(self) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self.flush)
        if self.is_full:
            self._plan_recovery()

    def _plan_recovery(self) -> None:
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._recover)

    def _work(self, queue: list[_Waiting]) -> None:
        failure = self._write(queue)
        if failure is not None:
            queue = self._in_trouble(queue, failure)
            failure = self._write(queue)
        if failure is not None:
            self._queue = _without(queue, "exit", failure) + self._queue
            return
        if self.is_full:
            self._restart_log()
        self.on_commit()
        for waiting in queue:
            if waiting.done is not None and not waiting.done.done():
                waiting.done.set_result(None)

    def _write(self, queue: list[_Waiting]) -> sqlite3.Error | None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            for waiting in queue:
                for sql, values in waiting.batch.statements:
                    connection.execute(sql, values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.counters["failures"] += 1
            if connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):  # some errors have rolled back by themselves
                    connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _CANNOT_WRITE:
                self.on_damage(error)
            return error
        self.counters["commits"] += 1
        self.counters["batches"] += len(queue)
        return None

    def _in_trouble(self, queue: list[_Waiting], failure: sqlite3.Error) -> list[_Waiting]:
        """Refuse the opens and make room for the rest."""
        if not self.is_full:
            self.is_full = True
            self.on_trouble(failure)
        self._reserve.give_back()
        self._restart_log()
        self._plan_recovery()
        return _without(queue, "open", failure)

    def _restart_log(self) -> None:
        """Work the log into the main file, so that it is written again from its beginning: room without growth."""
        with contextlib.suppress(sqlite3.Error):  # then the log grows, as far as it can
            self._connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def _recover(self) -> None:
        """Try what waits again; when nothing waits any more and the reserve can be held, all is well."""
        self._retry = None
        self.flush()
        if not self._queue and self._reserve.hold():
            self.is_full = False
            self.on_trouble(None)
        else:
            self._plan_recovery()


_EMPTY: Final = Batch("")


def _without(queue: list[_Waiting], kind: str, failure: sqlite3.Error) -> list[_Waiting]:
    """Refuse the wishes of one kind; return the rest."""
    for waiting in queue:
        if waiting.batch.kind == kind and waiting.done is not None and not waiting.done.done():
            waiting.done.set_exception(JournalFull(f"the journal cannot be written ({failure}): not sent"))
    return [waiting for waiting in queue if waiting.batch.kind != kind]


def _nothing() -> None:
    """Publish nothing: nobody listens yet."""


def _ignore(error: sqlite3.Error | None) -> None:
    """Tell nobody: nobody listens yet."""


def _raise(error: sqlite3.Error) -> None:
    raise StoreError(f"the journal is damaged: {error}") from error
