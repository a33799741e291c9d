"""Jobs as calls and commands show them."""

from __future__ import annotations

from typing import Final

from atrader.messages.data import BackfillJob, BackfillPriority
from data_layer.backfill.jobs import Job, Priority

PRIORITIES: Final[dict[BackfillPriority, Priority]] = {
    "live": Priority.LIVE,
    "warm-up": Priority.WARM_UP,
    "requested": Priority.REQUESTED,
    "history": Priority.HISTORY,
}
"""Priorities by their names."""

WORDS: Final[dict[Priority, BackfillPriority]] = {priority: word for word, priority in PRIORITIES.items()}
"""The names."""


def shown(job: Job) -> BackfillJob:
    """Return a job as a message."""
    return BackfillJob(
        id=job.id,
        instrument=job.instrument,
        timeframe=job.timeframe.name,
        start_ns=job.start_ns,
        end_ns=job.end_ns,
        source=job.source,
        priority=WORDS[job.priority],
        replace=job.replace,
        state=job.state,
        done_frac=round(job.done_frac, 4),
        pages=job.pages,
        bars=job.bars,
        reason=job.reason,
    )
