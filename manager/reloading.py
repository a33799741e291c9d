"""Brings a changed configuration into effect while the fleet runs, and hands instances over from worker to worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from atrader.configuration.fleet import Installation
from atrader.errors import Rejected
from manager.plan import Planned, plan
from manager.process import Supervised
from manager.reload import LIVE_FLEET_KEYS, Changes, compare
from manager.states import RESTING, ProcessState
from manager.supervisor import Supervisor

_SETTLED = (ProcessState.RUNNING, ProcessState.FAILED, ProcessState.PROBATION)


class Outcome(NamedTuple):
    """What a reload did to one process."""

    name: str
    text: str
    failed: bool = False  # it does not run with the configuration it should run with

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class Reloader:
    """Applies new configurations, one at a time.

    Parameters
    ----------
    supervisor : Supervisor
        Whose fleet it changes.
    load : callable
        Reads the configuration; raises `ConfigError`, and then nothing changes.
    """

    def __init__(self, supervisor: Supervisor, load: Callable[[], Installation]) -> None:
        self._fleet = supervisor
        self._load = load
        self._one_at_a_time = asyncio.Lock()
        self._hand_overs: dict[str, asyncio.Task[None]] = {}

    async def reload(self) -> list[Outcome]:
        """Read the configuration and touch only what changed.

        Returns
        -------
        list of Outcome
            What was done; empty when nothing changed.

        Raises
        ------
        ConfigError
            When it is wrong; the old one keeps running.
        Rejected
            While the fleet stops.
        """
        async with self._one_at_a_time:
            loaded = self._load()
            if self._fleet.stopping:
                raise Rejected("the fleet is being stopped")
            old = self._fleet.installation
            live = {key: getattr(loaded.fleet, key) for key in LIVE_FLEET_KEYS}
            new = loaded.model_copy(update={"fleet": old.fleet.model_copy(update=live)})
            changes = compare(old, loaded)
            return await self._apply(changes, new)

    async def _apply(self, changes: Changes, new: Installation) -> list[Outcome]:
        fleet, planned = self._fleet, plan(new)
        done = [await self._remove(name) for name in reversed(changes.stop)]
        fleet.installation = new
        for name, process in fleet.processes.items():
            process.change(planned[name].needs, planned[name].limits)
        # Gateways first: a new instance's orders are refused by a gateway that does not know it.
        done += await asyncio.gather(*(self._restart(name) for name in changes.restart))
        for name in changes.start:
            fleet.processes[name] = fleet.make(planned[name])
            fleet.processes[name].want("new in the configuration")
        done += await asyncio.gather(*(self._settled(name, "started") for name in changes.start))
        done += await asyncio.gather(*(self._replace(planned[name]) for name in changes.replace))
        if changes.full_restart:
            keys = ", ".join(changes.full_restart)
            done.append(Outcome("etc/atrader.toml", f"{keys}: in effect after a restart of the fleet"))
        return done

    async def _remove(self, name: str) -> Outcome:
        process = self._fleet.processes[name]
        process.unwant("gone from the configuration")
        await process.rested()
        process.close()
        del self._fleet.processes[name]
        return Outcome(name, "stopped, it is gone from the configuration")

    async def _restart(self, name: str) -> Outcome:
        self._fleet.processes[name].restart("its configuration changed")
        return await self._settled(name, "restarted with the new configuration")

    async def _settled(self, name: str, text: str) -> Outcome:
        process = self._fleet.processes[name]
        limits = process.limits
        await self._fleet.until(lambda: process.state in _SETTLED, limits.start_grace + limits.stop_grace)
        if process.state is ProcessState.RUNNING:
            return Outcome(name, text)
        return Outcome(name, f"{text}, but it is {process.state} ({process.reason})", failed=True)

    async def _replace(self, planned: Planned) -> Outcome:
        old = self._fleet.processes[planned.name]
        if old.state in RESTING:
            return await self._restart(planned.name)
        new = self._fleet.make(planned, standby=True)
        self._fleet.successors[planned.name] = new
        new.want("replaces the one with the old configuration")
        await self._fleet.until(
            lambda: self._in_office(new) or new.state is ProcessState.FAILED, planned.limits.start_grace
        )
        if self._in_office(new):
            return Outcome(planned.name, "replaced")
        reason = new.reason if new.state is ProcessState.FAILED else "it did not take over in time"
        new.unwant(reason)
        await new.rested()
        del self._fleet.successors[planned.name]
        new.close()
        text = f"the new worker failed ({reason}); the old one keeps running"
        self._fleet.alert(old, f"{planned.name}: {text}")
        return Outcome(planned.name, text, failed=True)

    def _in_office(self, process: Supervised) -> bool:
        return self._fleet.processes.get(process.name) is process

    async def activate(self, name: str, pid: int) -> None:
        """Let a standby worker take over; returns when its predecessor is gone. May be repeated.

        Raises
        ------
        Rejected
            When no such worker stands by.
        """
        current, successor = self._fleet.processes.get(name), self._fleet.successors.get(name)
        if current is not None and current.pid == pid:
            return
        if successor is None or successor.pid != pid or self._fleet.stopping:
            raise Rejected(f"{name}: process {pid} does not stand by")
        task = self._hand_overs.get(name)
        if task is None:
            task = self._hand_overs[name] = asyncio.ensure_future(self._hand_over(successor))
            task.add_done_callback(lambda _: self._hand_overs.pop(name, None))
        await asyncio.shield(task)

    async def _hand_over(self, successor: Supervised) -> None:
        fleet = self._fleet
        old = fleet.processes[successor.name]
        old.unwant("its successor takes over")
        await old.rested()
        old.close()
        del fleet.successors[successor.name]
        fleet.processes[successor.name] = successor
        successor.take_office(old.restarts)
        fleet.changed.set()
