"""When a living process counts as stalled or too large. Pure rules over monotonic seconds: no wall clock in sight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from atrader.configuration.instance import ProcessLimits
from manager.restart_policy import Cause

FROZEN_S: Final = 1.0
"""A supervision loop this much late was not scheduled itself (SIGSTOP, suspended machine, no CPU)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule that fired: everything a person needs to know why, and what to change."""

    rule: str
    cause: Cause
    value: float
    limit: float
    setting: str
    text: str


@dataclass(slots=True)
class Vitals:
    """What is known of one living process; all times are monotonic seconds of the manager.

    Attributes
    ----------
    started_s : float
        When it was spawned, or a standby worker was activated.
    ready_s : float or None
        When it became READY.
    beat_s : float or None
        When its last beat arrived.
    progress, progress_s
        Its progress counter, and when that last changed.
    rss_bytes : int
        From its last beat.
    handled : mapping of series to int
        Last bar handled, open time in ns UTC.
    baseline : mapping of series to int
        The newest bar that was there when we first looked: older ones are history to this process.
    behind_s : mapping of series to float
        Since when a newer bar than the one handled is there.
    """

    started_s: float
    ready_s: float | None = None
    beat_s: float | None = None
    progress: int = 0
    progress_s: float = 0.0
    rss_bytes: int = 0
    handled: dict[str, int] = field(default_factory=dict)
    baseline: dict[str, int] = field(default_factory=dict)
    behind_s: dict[str, float] = field(default_factory=dict)

    def record_beat(self, now_s: float, progress: int, rss_bytes: int, handled: Mapping[str, int]) -> None:
        """Take in a beat."""
        self.beat_s = now_s
        self.rss_bytes = rss_bytes
        if progress != self.progress:
            self.progress, self.progress_s = progress, now_s
        for series, open_time_ns in handled.items():
            if self.handled.get(series) != open_time_ns:
                self.handled[series] = open_time_ns
                self.behind_s.pop(series, None)  # it moves: however far behind, it is not stalled

    def record_latest(self, now_s: float, series: str, latest_ns: int) -> None:
        """Take in the newest complete bar of a series that this process ought to handle."""
        known_ns = max(self.baseline.setdefault(series, latest_ns), self.handled.get(series, 0))
        if latest_ns <= known_ns:
            self.behind_s.pop(series, None)
        else:
            self.behind_s.setdefault(series, now_s)

    def excuse(self, seconds: float) -> None:
        """Move all times on: manager or process had no processor, so nothing can be said about that stretch."""
        self.started_s += seconds
        self.ready_s = None if self.ready_s is None else self.ready_s + seconds
        self.beat_s = None if self.beat_s is None else self.beat_s + seconds
        self.progress_s += seconds
        self.behind_s = {series: since + seconds for series, since in self.behind_s.items()}

    def excuse_progress(self) -> None:
        """Start the progress rule anew: what the process depends on was away."""
        self.behind_s.clear()


def judge(vitals: Vitals, limits: ProcessLimits, now_s: float) -> Verdict | None:
    """Return the rule by which a process has to be killed, or None when all is well."""
    if limits.memory_hard is not None and vitals.rss_bytes > limits.memory_hard:
        return Verdict(
            "memory-hard",
            Cause.MEMORY,
            vitals.rss_bytes,
            limits.memory_hard,
            "process.memory_hard",
            f"{vitals.rss_bytes / 1e6:.0f} MB resident, the limit is {limits.memory_hard / 1e6:.0f} MB",
        )
    if vitals.ready_s is None:
        return _overdue(
            "start-grace", now_s - vitals.started_s, limits.start_grace, "start_grace", "is not READY after"
        )
    # A process that never beat since it became READY is judged from there: unknown is bad after a deadline.
    silent_s = now_s - max(vitals.ready_s, vitals.beat_s or 0.0)
    if verdict := _overdue("beat-timeout", silent_s, limits.beat_timeout, "beat_timeout", "sent no beat for"):
        return verdict
    behind_s = now_s - min(vitals.behind_s.values(), default=now_s)
    return _overdue(
        "progress-timeout", behind_s, limits.progress_timeout, "progress_timeout", "bars arrive, it handled none for"
    )


def is_doubtful(vitals: Vitals, limits: ProcessLimits, now_s: float) -> bool:
    """Tell whether half of a time-out is over."""
    if vitals.ready_s is None:
        return 2 * (now_s - vitals.started_s) > limits.start_grace
    silent_s = now_s - max(vitals.ready_s, vitals.beat_s or 0.0)
    behind_s = now_s - min(vitals.behind_s.values(), default=now_s)
    return 2 * silent_s > limits.beat_timeout or 2 * behind_s > limits.progress_timeout


def wants_recycling(vitals: Vitals, limits: ProcessLimits) -> Verdict | None:
    """Return the rule by which a process is to be replaced at the next flat moment, or None."""
    if limits.memory_soft is None or vitals.ready_s is None or vitals.rss_bytes <= limits.memory_soft:
        return None
    return Verdict(
        "memory-soft",
        Cause.RECYCLE,
        vitals.rss_bytes,
        limits.memory_soft,
        "process.memory_soft",
        f"{vitals.rss_bytes / 1e6:.0f} MB resident, recycled above {limits.memory_soft / 1e6:.0f} MB",
    )


def absence_s(now_s: float, last_s: float, period_s: float) -> float:
    """Return for how long the supervision loop was not scheduled between two turns; 0.0 when it was just busy."""
    late_s = now_s - last_s - period_s
    return late_s if late_s > FROZEN_S else 0.0


def _overdue(rule: str, value: float, limit: float, setting: str, text: str) -> Verdict | None:
    if value <= limit:
        return None
    return Verdict(rule, Cause.STALLED, value, limit, f"process.{setting}", f"{text} {value:.1f} s")
