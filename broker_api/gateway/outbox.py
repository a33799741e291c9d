"""The outbox: rows of the journal on their way to the data layer's history, in the background."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

from atrader.errors import AtraderError
from atrader.messages.gateway import OutboxRow
from broker_api.gateway.alerts import Log
from broker_api.journal import Batch, Journal
from broker_api.journal.reading import OutboxLine

_BATCH_ROWS: Final = 500
_GATHER_S: Final = 0.1  # rows of one burst travel together, and not while an order of the same moment is on its way
_PAUSE_S: Final = 0.5  # after a failure: the data layer restarts faster than this


class History(Protocol):
    """What the outbox needs of the data layer's client."""

    async def append_history(self, source: str, rows: Sequence[OutboxRow]) -> int:
        """Store rows; return the highest sequence number on disk."""

    async def last_seq(self, source: str) -> int:
        """Return the highest sequence number on disk."""


class Outbox:
    """Pushes the outbox to the data layer: at least once, and the data layer passes over what it has.

    Never waited for by trading. Rows are pruned when the data layer says that it has them on disk.

    Attributes
    ----------
    lag : int
        Rows that the data layer does not have yet.
    """

    def __init__(self, account: str, journal: Journal, history: History, log: Log) -> None:
        self._account = account
        self._source = ":".join(part for part in ("gateway", account, journal.read.identity()) if part)
        self._journal = journal
        self._history = history
        self._log = log
        self._news = asyncio.Event()
        self._gathering: asyncio.TimerHandle | None = None
        self._acknowledged: int | None = None
        self._complained = False

    @property
    def lag(self) -> int:
        """Rows not at the data layer yet; all of them while it was not reached."""
        return max(0, self._journal.read.outbox_last() - (self._acknowledged or 0))

    def on_commit(self) -> None:
        """Note that there may be new rows; the journal calls this. Nothing is woken while an order is on its way."""
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._news.set()

    async def run(self) -> None:
        """Push rows for ever; while the data layer is away, try again."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                while await self._push():
                    pass
                self._complained = False
            except AtraderError as error:
                if not self._complained:
                    self._log.info("history-away", reason=error.message)
                    self._complained = True
                self._news.set()
                await asyncio.sleep(_PAUSE_S)

    async def flush(self, timeout_s: float) -> bool:
        """Push what is there, for a time; False when rows are left (they are in the journal)."""
        try:
            async with asyncio.timeout(timeout_s):
                while await self._push():
                    pass
        except (AtraderError, TimeoutError) as error:
            self._log.info("outbox-not-flushed", reason=str(error), rows=self.lag)
            return False
        return True

    async def _push(self) -> bool:
        """Push one batch; False when nothing is left."""
        if self._acknowledged is None:
            self._acknowledged = await self._begin()
        lines = self._journal.read.outbox_after(self._acknowledged, _BATCH_ROWS)
        if not lines:
            return False
        rows = [_row(line) for line in lines]
        try:
            stored = await self._history.append_history(self._source, rows)
        except AtraderError:
            self._acknowledged = None  # another data layer may answer next: ask it how far it is
            raise
        self._acknowledged = max(self._acknowledged, stored)
        self._prune(stored)
        return True

    async def _begin(self) -> int:
        """Ask how far the history is; rows numbered lower (of an older copy that was put back) are raised above it."""
        stored = await self._history.last_seq(self._source)
        newest = self._journal.read.outbox_last()
        if stored > newest:
            batch = Batch(self._account)
            batch.raise_outbox(stored)
            self._log.warning("outbox-raised", history=stored, journal=newest)
            await self._journal.commit(batch)
        return stored

    def _prune(self, upto_seq: int) -> None:
        batch = Batch(self._account)
        batch.prune_outbox(upto_seq)
        self._journal.stage_quietly(batch)


def _row(line: OutboxLine) -> OutboxRow:
    values: dict[str, Any] = {
        "seq": line.seq,
        "table": line.destination,
        "time_ns": line.time_ns,
        "body": json.loads(line.body),
    }
    return OutboxRow.model_construct(**values)  # our own rows, checked when they were made
