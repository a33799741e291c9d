"""Which engine runs a plan, and why."""

from __future__ import annotations

from typing import NamedTuple

from atrader.errors import ConfigError
from manager.backtests.request import Engine, Request
from research.events.findings import Findings
from research.events.plan import Plan, Progress
from research.vector import Rules
from research.vectorised import NotVector, run_vector, why_not_plan, why_not_same


class Ran(NamedTuple):
    """A run that is over.

    Attributes
    ----------
    engine : Engine
        Which one ran it.
    not_vector : str or None
        Why it was not the vector engine, where the request left that open.
    """

    findings: Findings
    engine: Engine
    not_vector: str | None


def run_plan(plan: Plan, request: Request, progress: Progress | None = None) -> Ran:
    """Run a plan with the engine that is asked for, or the fastest one that does the same to the digit.

    Raises
    ------
    ConfigError
        When the engine cannot run it; says which key or option keeps it from that, and what to do.
    StrategyError
        When the strategy fails, and its policy is to stop.
    """
    is_ours = request.rules == Rules()
    if request.engine == "events" and not is_ours:
        raise ConfigError("--engine event fills as the paper account does: other conventions need --engine vector")
    if request.engine == "events":
        return Ran(_by_events(plan, progress), "events", None)
    must = "--engine vector" if is_ours else "what is not the paper account's way (--convention, --targets and so on)"
    is_wanted = request.engine == "vector" or not is_ours
    reason = why_not_plan(plan) or (None if is_wanted else why_not_same(plan))
    if reason is None:
        try:
            findings = run_vector(plan, request.rules)
        except NotVector as error:
            reason = error.message
        else:
            if progress is not None:
                progress(len(findings.curve.time_ns), len(findings.curve.time_ns))
            return Ran(findings, "vector", None)
    if is_wanted:
        instead = "; or --engine event" if is_ours else ""
        raise ConfigError(f"{must} takes the vector engine, which cannot run {request.name}: {reason}{instead}")
    return Ran(_by_events(plan, progress), "events", reason)


def _by_events(plan: Plan, progress: Progress | None) -> Findings:
    # Account, paper broker and risk gate come with it: a third of what a run of the vector engine takes to begin.
    from research.events.engine import EventEngine

    return EventEngine(plan).run(progress)
