"""What happens after a process died: a table over the cause, when it happened and what is at stake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from atrader.exit_codes import ExitCode
from atrader.runtime.spec import ProcessKind


class Phase(StrEnum):
    """How far the process had come."""

    BEFORE_READY = "before READY"
    AFTER_READY = "after READY"


class Exposure(StrEnum):
    """What depends on the process: open trades or working orders of its instance or account."""

    FLAT = "flat"
    EXPOSED = "exposed"
    UNKNOWN = "unknown"  # counts as exposed


class Action(StrEnum):
    """What the manager does."""

    RESTART = "restart"  # within the budget; the first at once
    RESTART_DELAYED = "restart, never at once"  # within the budget; min_backoff at least
    RESTART_AT_ONCE = "restart at once"  # wanted by us; counts, but does not wait
    WAIT = "restart slowly"  # each time after max_backoff, for as long as it takes
    PROBATION = "retry slowly"
    FAIL = "fail and alert"


class Cause(StrEnum):
    """Why a process ended, from its exit status or from the rule by which we killed it."""

    OK = "OK"
    CONFIG = "CONFIG"
    AUTH = "AUTH"
    BROKER_MAINTENANCE = "BROKER_MAINTENANCE"
    INVARIANT = "INVARIANT"
    STALLED = "STALLED"
    MEMORY = "MEMORY"
    STRATEGY = "STRATEGY"
    STORE = "STORE"
    LOCKED = "LOCKED"
    PARENT_DIED = "PARENT_DIED"
    RECYCLE = "RECYCLE"
    LIBRARY = "LIBRARY"
    FAILURE = "FAILURE"
    SIGNAL = "SIGNAL"
    UNKNOWN = "UNKNOWN"  # a status nobody defined, or one that was lost with the fork server


@dataclass(frozen=True, slots=True)
class Rule:
    """One row; None matches everything."""

    cause: Cause | None
    phase: Phase | None
    exposure: Exposure | None
    action: Action
    why: str


RULES: Final = (
    Rule(
        Cause.CONFIG,
        None,
        None,
        Action.FAIL,
        "the same fails again; change it and reload, or mend what it names and start it",
    ),
    Rule(Cause.AUTH, None, None, Action.FAIL, "repeated wrong credentials lock the account at the broker"),
    Rule(Cause.INVARIANT, None, None, Action.FAIL, "something impossible happened; trading on could repeat it"),
    Rule(Cause.BROKER_MAINTENANCE, None, None, Action.WAIT, "the broker comes back; asking often does not help"),
    Rule(Cause.LOCKED, None, None, Action.WAIT, "the owner of the lock must go first"),
    Rule(
        Cause.STORE, None, None, Action.WAIT, "a full disk is emptied by somebody, a damaged one is not mended by haste"
    ),
    Rule(Cause.RECYCLE, None, None, Action.RESTART_AT_ONCE, "we asked for it at a flat moment"),
    Rule(Cause.PARENT_DIED, None, None, Action.RESTART, "the fork server died; the process did nothing wrong"),
    Rule(Cause.SIGNAL, None, None, Action.RESTART, "somebody killed it, or the system did"),
    Rule(Cause.LIBRARY, None, None, Action.RESTART, "a fresh process has a fresh library"),
    Rule(None, Phase.BEFORE_READY, None, Action.RESTART_DELAYED, "nothing works yet, so haste gains nothing"),
    Rule(Cause.STRATEGY, None, None, Action.RESTART_DELAYED, "it failed on many bars in a row; the next may be better"),
    Rule(Cause.OK, None, None, Action.RESTART, "nobody asked it to end"),
    Rule(Cause.STALLED, None, None, Action.RESTART, "a fresh process moves again"),
    Rule(Cause.MEMORY, None, None, Action.RESTART, "a fresh process is small again"),
    Rule(Cause.FAILURE, None, None, Action.RESTART, "most errors are single"),
    Rule(None, None, None, Action.RESTART, "nobody foresaw it"),
)
"""The first row that matches decides."""


@dataclass(frozen=True, slots=True)
class SpentRule:
    """What happens when the restart budget is spent."""

    kind: ProcessKind | None
    exposure: Exposure | None
    action: Action
    why: str


SPENT_RULES: Final = (
    SpentRule("data-layer", None, Action.PROBATION, "nobody can see or mend anything without it; it holds no position"),
    SpentRule("gateway", None, Action.PROBATION, "only it can close what is open; a restart adds nothing to it"),
    SpentRule("worker", Exposure.FLAT, Action.PROBATION, "trying again slowly can lose nothing"),
    SpentRule("worker", None, Action.FAIL, "trades are open, or nobody knows: a human decides; on_down applies"),
)


def decide(cause: Cause, phase: Phase, exposure: Exposure) -> Rule:
    """Return the row for a death within the budget."""
    return next(
        rule
        for rule in RULES
        if rule.cause in (None, cause) and rule.phase in (None, phase) and rule.exposure in (None, exposure)
    )


def decide_spent(kind: ProcessKind, exposure: Exposure) -> SpentRule:
    """Return the row for a death that the budget does not cover."""
    return next(rule for rule in SPENT_RULES if rule.kind in (None, kind) and rule.exposure in (None, exposure))


def cause_of(status: int | None) -> Cause:
    """Read an exit status: negative for death by a signal, None when it was lost."""
    if status is None:
        return Cause.UNKNOWN
    if status < 0:
        return Cause.SIGNAL
    try:
        return Cause(ExitCode(status).name)
    except ValueError:
        return Cause.UNKNOWN
