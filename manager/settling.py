"""Whether a process that was asked for has come to its end, good or bad: what answers to commands wait for."""

from __future__ import annotations

from manager.process import Supervised
from manager.states import SETTLED, ProcessState
from manager.supervisor import Supervisor


async def settled(fleet: Supervisor, process: Supervised) -> bool:
    """Wait until a process that shall run does, or will not for now; tell whether it runs.

    What it needs may be on its way as well. Waits no longer than the process' ``start_grace`` and ``stop_grace``.
    """
    limits = process.limits
    await fleet.until(
        lambda: process.state in SETTLED or _in_vain(fleet, process), limits.start_grace + limits.stop_grace
    )
    return process.state is ProcessState.RUNNING


def _in_vain(fleet: Supervisor, process: Supervised) -> bool:
    """Tell whether something that a process needs, or what that needs, is not going to run."""
    return any(
        need is None or _stays_away(need) or _in_vain(fleet, need)
        for need in (fleet.processes.get(name) for name in process.needs)
    )


def _stays_away(process: Supervised) -> bool:
    if process.state is ProcessState.STOPPED:
        return not process.wanted
    return process.state in SETTLED and process.state is not ProcessState.RUNNING
