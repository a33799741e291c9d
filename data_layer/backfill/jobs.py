"""What is to be fetched, and which of it first. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from atrader.timeframes import Timeframe
from data_layer.store import BackfillRequest

JobState = Literal["waiting", "fetching", "done", "failed"]

_SEEN: Final = 50
"""Jobs that ended and are still shown."""


class Priority(IntEnum):
    """What is fetched first; a page of a more urgent job goes before the next page of any other."""

    LIVE = 0  # bars that strategies should have got just now
    WARM_UP = 1  # what a worker that starts looks back on
    REQUESTED = 2  # what a person asked for
    HISTORY = 3  # what the configuration wants to have some day


@dataclass(slots=True)
class Job:
    """A range of bars that is being fetched, the newest first.

    Attributes
    ----------
    replace : bool
        Whether bars that are stored are fetched again; else only gaps are.
    left_ns : int
        Everything from there to `end_ns` is done.
    resume_ns : int
        Of a page that the source did not answer whole: where it stopped. 0 = begin a new page.
    page_start_ns : int
        Where that page began: reaching `left_ns` from `resume_ns` means that all down to here is done.
    due_s : float
        Not before this (monotonic): waits after a failure.
    """

    id: str
    instrument: str
    timeframe: Timeframe
    start_ns: int
    end_ns: int
    priority: Priority
    source: str
    requested_ns: int
    replace: bool = False
    left_ns: int = 0
    resume_ns: int = 0
    page_start_ns: int = 0
    state: JobState = "waiting"
    reason: str = ""
    failures: int = 0
    due_s: float = 0.0
    pages: int = 0
    bars: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        self.left_ns = self.left_ns or self.end_ns

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.state in ("waiting", "fetching")

    @property
    def done_frac(self) -> float:
        """How much of the range is done."""
        if self.state == "done" or self.end_ns <= self.start_ns:
            return 1.0
        return (self.end_ns - self.left_ns) / (self.end_ns - self.start_ns)

    def saved(self, left_ns: int) -> BackfillRequest | None:
        """Return what has to be kept of it on disk; None for what is found again by itself after a restart."""
        if self.priority is not Priority.REQUESTED:
            return None
        return BackfillRequest(
            *(self.id, self.instrument, self.timeframe.name, self.start_ns, self.end_ns, left_ns),
            *(self.replace, self.requested_ns),
        )


class JobBook:
    """All jobs, and which is next."""

    def __init__(self) -> None:
        self._open: dict[str, Job] = {}
        self._ended: deque[Job] = deque(maxlen=_SEEN)
        self._count = 0

    def all(self) -> list[Job]:
        """Return the jobs that are open, the next one first, and the last ones that ended."""
        return [*sorted(self._open.values(), key=_order), *self._ended]

    def add(self, job: Job) -> Job:
        """Take a job, unless one that is open does the same at least as soon; return the one that will do it.

        What a person asked for is a job of its own beside those that are found again after a restart, since only it is
        kept on disk: what another one has fetched by its turn is not fetched again.
        """
        for other in self._open.values():
            same = (other.instrument, other.timeframe, other.source) == (job.instrument, job.timeframe, job.source)
            covers = other.start_ns <= job.start_ns and job.end_ns <= other.left_ns
            if other.id == job.id or (
                same
                and covers
                and other.priority <= job.priority
                and (other.replace or not job.replace)
                and (other.priority is Priority.REQUESTED or job.priority is not Priority.REQUESTED)
            ):
                return other
        self._count += 1
        job.number = self._count
        self._open[job.id] = job
        return job

    def next(self, source: str, now_s: float) -> Job | None:
        """Return the most urgent job of a source that is due; of equal ones the one that waited longest."""
        due = [job for job in self._open.values() if job.source == source and job.due_s <= now_s]
        return min(due, key=_order, default=None)

    def wait_s(self, source: str, now_s: float) -> float | None:
        """Return how long until a job of a source is due; None when there is none."""
        return min((max(0.0, job.due_s - now_s) for job in self._open.values() if job.source == source), default=None)

    def end(self, job: Job, state: JobState, reason: str = "") -> None:
        """Note that a job is over."""
        job.state, job.reason = state, reason
        self._open.pop(job.id, None)
        if job.pages or job.priority is Priority.REQUESTED or state == "failed":  # else nothing was missing
            self._ended.appendleft(job)


def _order(job: Job) -> tuple[int, int]:
    return job.priority, job.number
