"""The background work: one task for each source asks for page after page and puts them into the store."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, Clock, iso_from_ns
from atrader.errors import AtraderError, ConfigError, Rejected, Retryable, StoreError
from atrader.messages.series import Stored
from atrader.timeframes import Timeframe
from data_layer.backfill.jobs import Job, JobBook, Priority
from data_layer.backfill.planning import Plan, plan
from data_layer.sources import BarPage, BarSource, SourceBusy, SourceRefused, checked
from data_layer.sources.budget import RequestBudget, pause_after
from data_layer.store import BackfillRequest, MarketStore

_LOCKED_OUT_S: Final = 300.0
"""Pause after a source did not let us in: only a person can change that."""

T = TypeVar("T")


class StoreWork(Protocol):
    """How work gets to the thread that owns the store."""

    def __call__(self, work: Callable[[MarketStore], T], /, *, writes: str = "") -> Awaitable[T]:
        """Let the thread do something with the store; raises `StoreError`, also when there is no room to write."""
        ...


class Scheduler:
    """Fetches what `request` asked for. Everything is called from one asyncio loop.

    A page of bars, what the source answered and how far a request of a person is are one transaction, so it does not
    matter when the process dies.

    Parameters
    ----------
    sources : sequence of BarSource
        The first one that serves a series is asked.
    do : StoreWork
        The way to the store.
    calendar_of : callable
        Gives the calendar of an instrument.
    changed : callable
        Told of each page that was stored: instrument, timeframe, page, what it changed, where it began.
    built_until_ns : callable
        Up to where bars of an instrument that are built from quotes are stored: nothing later is asked for, or a bar of
        quotes would come over the one of the source.
    clock : Clock
        The host's.
    """

    def __init__(
        self,
        sources: Sequence[BarSource],
        do: StoreWork,
        calendar_of: Callable[[str], Calendar],
        changed: Callable[[str, Timeframe, BarPage, Stored, int], None],
        built_until_ns: Callable[[str], int],
        clock: Clock,
        log: FilteringBoundLogger,
        rng: random.Random | None = None,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._do = do
        self._calendar_of = calendar_of
        self._changed = changed
        self._built_until_ns = built_until_ns
        self._clock = clock
        self._log = log
        self.rng = rng or random.Random()
        self._book = JobBook()
        self._news = {name: asyncio.Event() for name in self._sources}
        self._budgets = {
            name: RequestBudget(source.limits, self.rng, clock.monotonic_s()) for name, source in self._sources.items()
        }

    def jobs(self) -> list[Job]:
        """Return the jobs that are open, the next one first, and the last ones that ended."""
        return self._book.all()

    def source_of(self, instrument: str, timeframe: Timeframe) -> BarSource | None:
        """Return who is asked for bars of exactly this timeframe."""
        return next((source for source in self._sources.values() if source.serves(instrument, timeframe)), None)

    def request(
        self,
        instrument: str,
        timeframe: Timeframe,
        start_ns: int,
        end_ns: int,
        priority: Priority,
        *,
        replace: bool = False,
        source: str | None = None,
        job_id: str | None = None,
    ) -> Job:
        """Ask for the bars that are missing in ``[start_ns, end_ns)``; returns at once.

        May be repeated: a range that is being fetched is not fetched twice. Nothing is on disk when this returns, see
        `keep`.

        Parameters
        ----------
        replace : bool
            Whether bars that are stored are fetched again; what changed is kept as a revision.
        source : str, optional
            Who is asked; default: the first source that serves the series.
        job_id : str, optional
            The same id is the same request.

        Raises
        ------
        Rejected
            When no source serves the series, or nothing of the range is past.
        """
        calendar = self._calendar_of(instrument)
        chosen = self._chosen(instrument, timeframe, source)
        settled_ns = self._clock.now_ns() - int(chosen.limits.settle_s * NS_PER_S)
        settled_ns = min(settled_ns, self._built_until_ns(instrument))
        start_ns = calendar.bar_open(start_ns, timeframe)
        end_ns = min(_aligned_up(end_ns, timeframe, calendar), calendar.bar_open(settled_ns, timeframe))
        if start_ns >= end_ns:
            raise Rejected("nothing of this range is past and complete", details={"reason": "range"})
        key = (instrument, timeframe, start_ns, end_ns, chosen.name)
        name = job_id or ":".join(map(str, (priority.name.lower(), *key, "again" if replace else "gaps")))
        job = Job(
            *(name, instrument, timeframe, start_ns, end_ns, priority, chosen.name, self._clock.now_ns(), replace)
        )
        taken = self._book.add(job)
        if taken is job:
            self._news[chosen.name].set()
        return taken

    async def keep(self, job: Job) -> None:
        """Write a job of a person to disk, so that it goes on after a restart.

        Raises
        ------
        StoreError
            When the store refuses.
        """
        saved = job.saved(job.left_ns)
        if saved is not None and job.is_open:
            await self._do(_saver(saved), writes="a request for history")

    def resume(self, requests: Sequence[BackfillRequest]) -> None:
        """Go on with what a predecessor was asked for."""
        for one in requests:
            timeframe = Timeframe.parse(one.timeframe)
            source = self.source_of(one.instrument, timeframe)
            if source is None:
                self._log.warning("backfill-without-source", id=one.id, instrument=one.instrument)
                continue
            job = Job(
                *(one.id, one.instrument, timeframe, one.start_ns, one.end_ns, Priority.REQUESTED, source.name),
                *(one.requested_ns, one.replace, one.left_ns),
            )
            self._book.add(job)

    async def run(self) -> None:
        """Fetch, for ever.

        Raises
        ------
        StoreError
            When the store fails for another reason than a full disk.
        """
        async with asyncio.TaskGroup() as group:
            for source in self._sources.values():
                group.create_task(self._serve(source))

    async def close(self) -> None:
        """Let go of the sources' connections; may be called twice."""
        for source in self._sources.values():
            await source.close()

    def _chosen(self, instrument: str, timeframe: Timeframe, name: str | None) -> BarSource:
        if name is not None and name not in self._sources:
            known = ", ".join(self._sources) or "none"
            raise Rejected(f"there is no source {name!r}; known: {known}", details={"reason": "source"})
        source = self.source_of(instrument, timeframe) if name is None else self._sources[name]
        if source is None or not source.serves(instrument, timeframe):
            raise Rejected(
                f"no source has {timeframe} bars of {instrument}: add one under [sources] in etc/atrader.toml, name the"
                " account that brings its prices in market.price_accounts, or import a file",
                details={"reason": "source"},
            )
        return source

    async def _serve(self, source: BarSource) -> None:
        news = self._news[source.name]
        while True:
            now_s = self._clock.monotonic_s()
            delay_s = self._budgets[source.name].delay_s(now_s)
            job = None if delay_s else self._book.next(source.name, now_s)
            if job is not None:
                await self._step(source, job)
                continue
            news.clear()
            wait_s = self._book.wait_s(source.name, now_s)
            try:
                async with asyncio.timeout(None if wait_s is None else max(wait_s, delay_s)):
                    await news.wait()
            except TimeoutError:
                pass

    async def _step(self, source: BarSource, job: Job) -> None:
        """Do the next page of a job, or find out that it is over."""
        try:
            await self._work(source, job)
        except SourceBusy as error:
            self._failed(source, job, str(error), error.details.get("retry_after_s"))
        except ConfigError as error:
            self._failed(source, job, str(error), _LOCKED_OUT_S)
        except StoreError as error:
            if not (error.details.get("read_only") or isinstance(error, Retryable)):
                raise  # else the disk is full, or a database server restarts
            self._failed(source, job, str(error), None)
        finally:
            if job.state == "fetching":
                job.state = "waiting"

    async def _work(self, source: BarSource, job: Job) -> None:
        try:
            page = await self._next_page(source, job)
            if page is not None:
                self._budgets[source.name].spend(self._clock.monotonic_s())
                if not job.pages and not job.failures:
                    self._log.info("backfill-begins", **_facts(job))
                job.state = "fetching"
                await self._fetch(source, job, *page)
                self._budgets[source.name].succeeded()
                job.failures, job.reason = 0, ""
            if job.left_ns <= job.start_ns:
                await self._finish(job, "done")
        except SourceRefused as error:
            await self._finish(job, "failed", str(error))

    async def _next_page(self, source: BarSource, job: Job) -> tuple[int, int] | None:
        if job.resume_ns:
            return job.resume_ns, job.left_ns
        calendar = self._calendar_of(job.instrument)

        def look(store: MarketStore) -> Plan:
            return plan(job, store, calendar, source.limits.page_bars)

        found = await self._do(look)
        job.left_ns = found.left_ns
        job.page_start_ns = found.page[0] if found.page else 0
        return found.page

    async def _fetch(self, source: BarSource, job: Job, start_ns: int, end_ns: int) -> None:
        calendar = self._calendar_of(job.instrument)
        answer = await self._answer(source, job, start_ns, end_ns)
        page = checked(answer, job.timeframe, calendar, start_ns, end_ns)
        if page.answered_until_ns == start_ns:
            raise SourceBusy("the source answers nothing of the page")
        whole = page.answered_until_ns == end_ns
        left_ns = job.page_start_ns if whole else job.left_ns
        saved = job.saved(left_ns)

        def put(store: MarketStore) -> Stored:
            return store.put_bars(
                job.instrument,
                job.timeframe.name,
                source.name,
                page.bars,
                keep=not job.replace,
                answered=(start_ns, page.answered_until_ns),
                progress=saved,
            )

        stored = await self._do(put, writes="history of a source")
        job.left_ns, job.resume_ns = left_ns, 0 if whole else page.answered_until_ns
        job.pages += 1
        job.bars += stored.new + stored.revised
        self._changed(job.instrument, job.timeframe, page, stored, start_ns)

    async def _answer(self, source: BarSource, job: Job, start_ns: int, end_ns: int) -> BarPage:
        try:
            return await source.page(job.instrument, job.timeframe, start_ns, end_ns)
        except AtraderError:
            raise
        except Exception as error:  # noqa: BLE001 - boundary: what a source gets wrong must not end who gives out prices
            where = traceback.extract_tb(error.__traceback__)[-1]  # no text: it may hold what was sent
            raise SourceBusy(
                f"source {source.name} failed: {type(error).__name__} in {where.filename}:{where.lineno}"
            ) from None

    async def _finish(self, job: Job, state: Literal["done", "failed"], reason: str = "") -> None:
        saved = job.saved(job.start_ns)
        if saved is not None:
            await self._do(_saver(saved))
        self._book.end(job, state, reason)
        if state == "done" and not job.pages:
            return  # nothing was missing
        log = self._log.info if state == "done" else self._log.warning
        log(f"backfill-{state}", **_facts(job), pages=job.pages, bars=job.bars, reason=reason)

    def _failed(self, source: BarSource, job: Job, reason: str, retry_after_s: object) -> None:
        """Leave the source alone for a while, and this job longer, so that others get their turn."""
        now_s = self._clock.monotonic_s()
        told_s = float(retry_after_s) if isinstance(retry_after_s, int | float) else None
        pause_s = self._budgets[source.name].failed(now_s, told_s)
        job.failures += 1
        job.due_s = now_s + pause_s + pause_after(job.failures, self.rng)
        job.reason = reason
        self._log.warning("backfill-waits", **_facts(job), reason=reason, pause_s=round(pause_s, 3))


def _saver(request: BackfillRequest) -> Callable[[MarketStore], None]:
    def save(store: MarketStore) -> None:
        store.save_backfill(request)

    return save


def _aligned_up(time_ns: int, timeframe: Timeframe, calendar: Calendar) -> int:
    open_ns = calendar.bar_open(time_ns, timeframe)
    return open_ns if open_ns == time_ns else calendar.next_bar_open(time_ns, timeframe)


def _facts(job: Job) -> dict[str, object]:
    return {
        "job": job.id,
        "instrument": job.instrument,
        "timeframe": job.timeframe.name,
        "start": iso_from_ns(job.start_ns),
        "end": iso_from_ns(job.end_ns),
        "priority": job.priority.name.lower(),
        "source": job.source,
    }
