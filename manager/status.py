"""The map that ``atrader-manager status --json`` prints; its shape is a promise to other tools."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any, Final

import psutil

from atrader.clock import Clock, iso_from_ns
from atrader.selection.file import Selections
from atrader.trading_state import TradingState, strictest
from atrader.trading_state_file import TradingStates
from manager.plan import holder_of
from manager.process import Supervised
from manager.states import ProcessState
from manager.supervisor import Supervisor

_FRESH_S: Final = 2.0
"""Memory of its own is counted by the kernel page by page: 0.3 ms a process, so not oftener than this."""


class Usage:
    """Memory and CPU of processes, cached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read_s = float("-inf")
        self._known: dict[int, psutil.Process] = {}
        self._figures: dict[int, tuple[int, float]] = {}
        self._lock = asyncio.Lock()

    async def read(self, pids: set[int]) -> dict[int, tuple[int, float]]:
        """Return unique memory in bytes and percent of one core, by pid; reads in a helper thread."""
        async with self._lock:
            now_s = self._clock.monotonic_s()
            stale = now_s - self._read_s > _FRESH_S
            if wanted := pids if stale else pids - self._figures.keys():
                known = {} if stale else self._figures
                figures = await asyncio.get_running_loop().run_in_executor(None, self._measure, wanted)
                self._figures = {**known, **figures}
            if stale:
                self._read_s = now_s
                self._known = {pid: process for pid, process in self._known.items() if pid in pids}
            return self._figures

    def _measure(self, pids: set[int]) -> dict[int, tuple[int, float]]:
        found = {}
        for pid in pids:
            try:
                process = self._known.get(pid)
                if process is None:
                    process = self._known[pid] = psutil.Process(pid)
                found[pid] = (int(process.memory_full_info().uss), float(process.cpu_percent()))
            except psutil.Error:
                self._known.pop(pid, None)
        return found


async def fleet_status(
    supervisor: Supervisor,
    states: TradingStates,
    selections: Selections,
    usage: Usage,
    clock: Clock,
    started_s: float,
) -> dict[str, object]:
    """Build the status map."""
    processes = list(supervisor.all())
    figures = await usage.read({process.pid for process in processes if process.pid is not None})
    now_s = clock.monotonic_s()
    return {
        "manager": {
            "pid": os.getpid(),
            "state": manager_state(supervisor),
            "uptime_s": round(now_s - started_s, 3),
        },
        "processes": [_row(process, supervisor, states, selections, figures, now_s) for process in processes],
        "accounts": [row for process in processes if (row := _account_row(process)) is not None],
    }


def orphan_names(supervisor: Supervisor) -> set[str]:
    """Name the instances that are gone from the configuration and still have trades or orders."""
    beats = (process.last_beat for process in supervisor.processes.values())
    rows = (row for beat in beats if beat is not None for row in (beat.account or {}).get("orphans", ()))
    return {str(row["instance"]) for row in rows if str(row["instance"]) != str(row["magic"])}  # else it has no name


def manager_state(supervisor: Supervisor) -> str:
    """Tell how far the fleet as a whole is."""
    if supervisor.stopping:
        return ProcessState.STOPPING.value
    return (ProcessState.RUNNING if supervisor.came_up.is_set() else ProcessState.STARTING).value


def _row(
    process: Supervised,
    supervisor: Supervisor,
    states: TradingStates,
    selections: Selections,
    figures: dict[int, tuple[int, float]],
    now_s: float,
) -> dict[str, object]:
    vitals = process.vitals
    uss_bytes, cpu_percent = figures.get(process.pid or 0, (None, None))
    return {
        "name": process.name,
        "kind": process.kind,
        "state": process.state.value,
        "pid": process.pid,
        "restarts": process.restarts,
        "beat_age_s": None if vitals is None or vitals.beat_s is None else round(now_s - vitals.beat_s, 3),
        "progress_age_s": None if vitals is None or not vitals.progress_s else round(now_s - vitals.progress_s, 3),
        "uss_bytes": uss_bytes,
        "cpu_percent": cpu_percent,
        "trading_state": _trading_state(process, supervisor, states, selections),
        "selection": _selection(process, selections),
        "reason": process.trouble or process.reason,
        "trouble": bool(process.trouble),
        "warm_up_missing": process.last_beat.warm_up_missing if process.last_beat is not None else 0,
        "backfill": process.last_beat.backfill if process.last_beat is not None else (),
    }


def _selection(process: Supervised, selections: Selections) -> dict[str, object] | None:
    """Return what was selected for the instance of a worker, and why."""
    one = selections.instances.get(process.subject) if process.kind == "worker" else None
    if one is None:
        return None
    since = iso_from_ns(one.since_ns) if one.since_ns else None
    return {"state": one.state.value, "since": since, "reason": one.reason, "market": one.condition}


def _trading_state(
    process: Supervised, supervisor: Supervisor, states: TradingStates, selections: Selections
) -> str | None:
    """Return the strictest of what people set, what was selected, and what the gateway enforces by itself."""
    if process.kind == "data-layer":
        return None
    if process.kind == "gateway":
        return states.effective(process.subject).value
    config = supervisor.installation.instances.get(process.subject)
    if config is None:
        return None
    holder = supervisor.processes.get(holder_of(supervisor.installation, config.account) or "")
    told = holder.last_beat.trading_states.get(config.name) if holder is not None and holder.last_beat else None
    own = states.effective(config.account, config.name)
    selected = selections.state_of(config.name, selects=config.enabled and config.selection is not None)
    return strictest([own, selected, *_known_states([told])]).value


def _known_states(words: Iterable[Any]) -> list[TradingState]:
    return [TradingState(word) for word in words if word in TradingState.__members__]


def _account_row(process: Supervised) -> dict[str, object] | None:
    told = process.last_beat.account if process.last_beat is not None else None
    if not told:
        return None
    keys = ("name", "balance", "equity", "proof", "proof_age_s", "breaks", "orphans", "foreign", "health")
    return {key: told.get(key) for key in keys if key in told}
