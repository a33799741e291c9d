"""States of a supervised process and every transition there is. No imports of ours: this is data."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ProcessState(StrEnum):
    """Where a supervised process stands."""

    STOPPED = "STOPPED"  # not running, and not meant to run yet or any more
    STARTING = "STARTING"  # spawned, not READY
    RUNNING = "RUNNING"  # READY
    STOPPING = "STOPPING"  # told to end, or being killed
    BACKOFF = "BACKOFF"  # dead; starts again after a delay
    PROBATION = "PROBATION"  # its restart budget is spent; tried again slowly
    FAILED = "FAILED"  # needs a human


S = ProcessState

TRANSITIONS: Final = MappingProxyType(
    {
        (S.STOPPED, S.STARTING): "it is its turn in the start order, or somebody asked for it",
        (S.STARTING, S.RUNNING): "its first beat with phase ready arrived",
        (S.STARTING, S.STOPPING): "asked to stop, or not READY within start_grace",
        (S.STARTING, S.BACKOFF): "exited before READY",
        (S.STARTING, S.PROBATION): "exited before READY, budget spent",
        (S.STARTING, S.FAILED): "exited before READY with something a restart cannot mend",
        (S.RUNNING, S.STOPPING): "asked to stop, stalled, over its memory limit, or recycled",
        (S.RUNNING, S.BACKOFF): "exited though nobody asked",
        (S.RUNNING, S.PROBATION): "exited, budget spent",
        (S.RUNNING, S.FAILED): "exited with something a restart cannot mend, or budget spent with exposure open",
        (S.STOPPING, S.STOPPED): "its exit was reported, and nobody wants it back",
        (S.STOPPING, S.BACKOFF): "its exit was reported, and it shall run again",
        (S.STOPPING, S.PROBATION): "killed by a rule, budget spent",
        (S.STOPPING, S.FAILED): "killed by a rule, budget spent with exposure open",
        (S.BACKOFF, S.STARTING): "the delay is over and what it needs is RUNNING",
        (S.BACKOFF, S.STOPPED): "asked to stop",
        (S.PROBATION, S.STARTING): "time for another try",
        (S.PROBATION, S.STOPPED): "asked to stop, or asked for while what it needs is not RUNNING",
        (S.PROBATION, S.FAILED): "exposure is open now: it may not be tried unwatched",
        (S.FAILED, S.STARTING): "somebody asked for it, or its configuration changed",
        (S.FAILED, S.STOPPED): "asked to stop, or asked for while what it needs is not RUNNING",
    }
)
"""Every transition that may happen, and when it does."""

ALIVE: Final = frozenset({S.STARTING, S.RUNNING, S.STOPPING})
"""States with a living process."""

RESTING: Final = frozenset({S.STOPPED, S.BACKOFF, S.PROBATION, S.FAILED})
"""States without a process."""

SETTLED: Final = frozenset({S.RUNNING, S.FAILED, S.PROBATION})
"""States in which a start has come to its end, good or bad."""


def allowed(source: ProcessState, target: ProcessState) -> bool:
    """Tell whether a process may go from one state to another."""
    return (source, target) in TRANSITIONS
