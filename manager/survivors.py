"""Finds processes that nobody supervises any more: of a dead predecessor, or left behind by a dead child."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atrader.runtime.tags import OWNER_VARIABLE, TAG_VARIABLE


@dataclass(frozen=True, slots=True)
class Survivor:
    """A living process; pid and start time together name it for ever."""

    pid: int
    start_ticks: int
    command: str


def find_survivors(tag: str) -> list[Survivor]:
    """Return the processes that carry a tag and are neither ourselves, nor our ancestors, nor started by us."""
    me, family = os.getpid(), set(_lineage(os.getpid()))
    found = _carriers(f"{TAG_VARIABLE}={tag}", family)
    return [survivor for survivor in found if me not in _lineage(survivor.pid)]


def find_leftovers(pid: int) -> list[Survivor]:
    """Return what a process started before it died (itself excluded)."""
    return list(_carriers(f"{OWNER_VARIABLE}={pid}", {pid}))


def end_survivors(survivors: list[Survivor], within_s: float) -> list[Survivor]:
    """Kill processes and wait until they are gone; blocks.

    There is no grace: nobody supervises them, and what they were doing is recovered from journals and checkpoints.

    Returns
    -------
    list of Survivor
        Those that still live after `within_s` seconds.
    """
    pidfds: dict[int, Survivor] = {}
    for survivor in survivors:
        try:
            pidfd = os.pidfd_open(survivor.pid)
        except ProcessLookupError:
            continue
        if _start_ticks(survivor.pid) == survivor.start_ticks:  # else the number belongs to somebody else by now
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            pidfds[pidfd] = survivor
        else:
            os.close(pidfd)
    alive = {pidfd: survivor for pidfd, survivor in pidfds.items() if not _gone(pidfd, within_s)}
    for pidfd in pidfds:
        os.close(pidfd)
    return list(alive.values())


def _gone(pidfd: int, within_s: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(within_s * 1000))


def _carriers(entry: str, excluded: set[int]) -> Iterator[Survivor]:
    wanted = os.fsencode(entry)
    for path in Path("/proc").iterdir():
        if not path.name.isdigit() or int(path.name) in excluded:
            continue
        try:
            if wanted not in (path / "environ").read_bytes().split(b"\0"):
                continue
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            start_ticks = _start_ticks(int(path.name))
        except OSError:  # gone meanwhile, or another user's
            continue
        if start_ticks is not None:
            yield Survivor(int(path.name), start_ticks, command[:200])


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the command before may hold blanks and brackets


def _start_ticks(pid: int) -> int | None:
    """Return the start time of a living process; None for a zombie: it holds nothing and does nothing."""
    fields = _stat_fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def _lineage(pid: int) -> list[int]:
    """Return a process and its ancestors."""
    found: list[int] = []
    while pid > 0 and pid not in found:
        found.append(pid)
        fields = _stat_fields(pid)
        pid = int(fields[1]) if fields is not None else 0
    return found
