"""Looks after the stores: operations of people, archiving by schedule, damaged bars fetched again, alerts about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.bus import Caller, Handler
from atrader.clock import Clock
from atrader.configuration.fleet import DataConfig
from atrader.errors import AtraderError, Rejected
from atrader.messages.operations import GetOperation, OperationAnswer, StartOperation
from atrader.runtime.outbox_file import OutboxFile
from atrader.timeframes import Timeframe
from atrader.wire import Request
from data_layer.archive import limits_of
from data_layer.backfill.jobs import Job, Priority
from data_layer.backfill.scheduler import Scheduler
from data_layer.history_writer import HistoryWriter
from data_layer.open_stores import OpenStores
from data_layer.operations import Options
from data_layer.operations.runner import Runner, RunningAccess
from data_layer.store import Damage
from data_layer.store.damage import sentence_of

SOURCE: Final = "data-layer"
_RETRY_S: Final = 1.0
_BATCH: Final = 500


class Upkeep:
    """A part of the data layer; for the loop's thread.

    Parameters
    ----------
    access : RunningAccess
        The stores.
    outbox : OutboxFile
        Alerts that the history does not have yet; closed here.
    scheduler : Scheduler, optional
        Fetches what is damaged again; None in a replay.
    """

    def __init__(
        self,
        access: RunningAccess,
        stores: OpenStores,
        history: HistoryWriter,
        outbox: OutboxFile,
        scheduler: Scheduler | None,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._config: DataConfig = access.config
        self._runner = Runner(access)
        self._history = history
        self._outbox = outbox
        self._scheduler = scheduler
        self._clock = clock
        self._log = log
        self._news = asyncio.Event()
        self._damaged: dict[Damage, Job | None] = {}  # what was told, and who fetches it again
        loop = asyncio.get_running_loop()

        def found(damage: Damage) -> None:
            loop.call_soon_threadsafe(self._found, damage)

        stores.on_damage = found

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return what answers which request."""
        return {StartOperation: self._start, GetOperation: self._look}

    async def run(self) -> None:
        """Archive when it is time, and hand alerts to the history, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hand_over())
            if self._scheduler is not None and limits_of(self._config, 0):
                group.create_task(self._archive())

    async def close(self) -> None:
        """Stop what works; alerts that are left wait in the outbox's file."""
        await self._runner.close()
        self._outbox.close()

    def alert(self, kind: str, text: str) -> None:
        """Tell people: log and history."""
        self._log.error(kind, text=text)
        body: dict[str, object] = {"level": "error", "kind": kind, "process": SOURCE, "text": text}
        self._outbox.append("alerts", self._clock.now_ns(), body)
        self._news.set()

    def _start(self, request: StartOperation, caller: Caller) -> OperationAnswer:
        return self._runner.start(request.name, Options(request.directory, request.repair, request.full))

    def _look(self, request: GetOperation, caller: Caller) -> OperationAnswer:
        return self._runner.look(request.id)

    def _found(self, damage: Damage) -> None:
        """Report damaged rows, and fetch bars again where somebody serves them: they take the place of the damage."""
        key = damage._replace(reason="")
        job = self._damaged.get(key)
        if key in self._damaged and (job is None or job.is_open):
            return  # another reader came across it as well
        self._damaged[key] = None
        text = sentence_of(damage)
        if self._scheduler is not None and damage.timeframe != "ticks":
            timeframe = Timeframe.parse(damage.timeframe)
            try:
                self._damaged[key] = self._scheduler.request(
                    damage.instrument,
                    timeframe,
                    damage.first_ns,
                    damage.last_ns + 1,
                    Priority.REQUESTED,
                    replace=True,
                )
                text = f"{text}; they are fetched again"
            except Rejected as error:
                text = f"{text}; they cannot be fetched again: {error.message}"
        self.alert("chunk-damaged", text)

    async def _archive(self) -> None:
        failed = ""
        while True:
            try:
                moved = (await self._runner.do("archive", Options()))["moved"]
                if any(moved.values()):
                    self._log.info("archived", **moved)
                failed = ""
            except AtraderError as error:  # no room, no pyarrow: tried again next time
                if error.message != failed:
                    self.alert("archive-failed", error.message)
                failed = error.message
            await asyncio.sleep(self._config.archive_every)

    async def _hand_over(self) -> None:
        numbered = False
        while True:
            if not self._outbox.rows:
                await self._news.wait()
                self._news.clear()
            try:
                if not numbered:
                    self._outbox.reconcile(await self._history.do(lambda store: store.last_seq(SOURCE)))
                    numbered = True
                self._outbox.taken(await self._history.append(SOURCE, self._outbox.rows[:_BATCH]))
                self._outbox.tell_dropped(self._log)
            except AtraderError:  # the writer has logged it; the rows wait
                await asyncio.sleep(_RETRY_S)
