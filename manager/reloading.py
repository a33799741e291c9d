"""Brings a changed configuration into effect while the fleet runs, and hands instances over from worker to worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from atrader.configuration.fleet import Installation
from atrader.errors import AtraderError, Rejected
from atrader.messages.gateway import Orphan, Reconfigure
from manager.gateways import Gateways
from manager.plan import Planned, account_held, holder_of, plan
from manager.process import KILLED_S, Supervised
from manager.reload import LIVE_FLEET_KEYS, Changes, compare
from manager.settling import settled
from manager.states import RESTING, SETTLED, ProcessState
from manager.supervisor import Supervisor
from manager.unheld import leaves, left_in_journal

_TRIES = 2
"""Of a call to a gateway that does not answer; then it gets its configuration by a restart."""


_GONE: Final = "gone from the configuration"
_MOVES: Final = "the session of its account moves to another process, or to it"


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
    gateways : Gateways
        Hands the configuration to gateways that run.
    load : callable
        Reads the configuration; raises `ConfigError`, and then nothing changes.
    on_taken : callable
        Told when the fleet has taken another one, before anything is started with it.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        gateways: Gateways,
        load: Callable[[], Installation],
        on_taken: Callable[[], None],
    ) -> None:
        self._fleet = supervisor
        self._gateways = gateways
        self._load = load
        self._on_taken = on_taken
        self._one_at_a_time = asyncio.Lock()
        self._hand_overs: dict[str, asyncio.Task[None]] = {}
        self._late: set[Supervised] = set()  # workers told to go for a successor, and still there after the deadline

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
            return await self._apply(compare(old, loaded, self._edited(loaded)), new)

    def _edited(self, loaded: Installation) -> list[str]:
        """Name the workers whose strategy file has another content than when they were started."""
        workers = (process for process in self._fleet.processes.values() if process.kind == "worker")
        return [
            process.name
            for process in workers
            if process.subject in loaded.instances
            and process.code not in (None, self._fleet.code_of(process.subject, loaded))
        ]

    async def restart_fleet(self) -> list[Outcome]:
        """Read the configuration, stop every process and start what it asks for; the manager stays.

        Raises
        ------
        ConfigError
            When it is wrong; nothing was stopped.
        Rejected
            While the fleet stops, or when it is told to stop meanwhile.
        """
        async with self._one_at_a_time:
            loaded, fleet = self._load(), self._fleet
            if fleet.stopping:
                raise Rejected("the fleet is being stopped")
            old = fleet.installation
            await fleet.stop_ranks("restart of the fleet")
            if fleet.stopping:
                raise Rejected("the fleet was told to stop while it was restarted")
            planned = plan(loaded)
            done = [await self._remove(name) for name in list(fleet.processes) if name not in planned]
            fleet.reconfigure(loaded)
            self._on_taken()
            for name in planned:
                fleet.processes[name].want("restart of the fleet")
            for name in planned:  # in start order: a deadline begins when what a process needs has settled
                done.append(await self._settled(name, "restarted"))
            if loaded.fleet.log != old.fleet.log:
                text = "log: in effect for the manager's own log after 'stop' and 'start'"
                done.append(Outcome("etc/atrader.toml", text))
            return done

    async def _apply(self, changes: Changes, new: Installation) -> list[Outcome]:
        fleet, planned = self._fleet, plan(new)
        done = [
            await self._remove(name, _MOVES if name in planned else _GONE)
            for name in reversed(changes.stop)
            if name in fleet.processes
        ]
        # From here on a gateway that starts again, for whatever reason, gets the new configuration.
        fleet.reconfigure(new)
        self._on_taken()
        # Gateways first: a new instance's orders are refused by a gateway that does not know it.
        done += await asyncio.gather(*(self._restart(name) for name in changes.restart))
        for outcomes in await asyncio.gather(*(self._configure(account) for account in changes.configure)):
            done += outcomes
        for name in changes.start:
            fleet.processes[name].want(_MOVES if name in changes.stop else "new in the configuration")
        done += await asyncio.gather(*(self._settled(name, "started") for name in changes.start))
        done += await asyncio.gather(*(self._replace(planned[name]) for name in changes.replace))
        if changes.full_restart:
            keys = ", ".join(changes.full_restart)
            done.append(Outcome("etc/atrader.toml", f"{keys}: in effect after a restart of the fleet"))
        return done

    async def _remove(self, name: str, why: str = _GONE) -> Outcome:
        process = self._fleet.processes[name]
        process.unwant(why)
        if not await process.rested():
            # It stays in the table: a process of its name must not start beside it.
            self._fleet.task(self._bury(process, self._fleet.processes))
            return Outcome(name, f"{why}, but {lives_on(process)}", failed=True)
        self._forget(process, self._fleet.processes)
        if why != _GONE:
            return Outcome(name, f"stopped: {why}")
        return Outcome(name, f"stopped, it is gone from the configuration{self._left_alone(process)}")

    def _left_alone(self, process: Supervised) -> str:
        """Tell, and alert, that nobody looks after what an account still holds whose session this process held."""
        account = account_held(self._fleet.installation, process.kind, process.subject)
        left = () if account is None else left_in_journal(self._fleet.home, account)
        if not left:
            return ""
        text = f"nobody runs account {account}: {leaves(left)}; put its file back to close them or hand them on"
        self._fleet.alert(process, text)
        return f"; {text}"

    async def _bury(self, process: Supervised, table: dict[str, Supervised]) -> None:
        """Wait for the end of a process that outlived its deadline, for as long as it takes."""
        while not await process.rested():
            pass
        if not process.wanted:  # it may have come back into the configuration
            self._forget(process, table)

    def _forget(self, process: Supervised, table: dict[str, Supervised]) -> None:
        process.close()
        if table.get(process.name) is process:
            del table[process.name]
            self._fleet.changed.set()

    async def _configure(self, account: str) -> list[Outcome]:
        """Hand its limits and instances to an account's session; one that cannot take them while it runs is restarted.

        That is a restart of its gateway, or of the worker that holds it.
        """
        fleet = self._fleet
        name = holder_of(fleet.installation, account)
        assert name is not None, "only sessions that somebody holds are configured"
        process = fleet.processes[name]
        if process.state is ProcessState.STOPPED and not process.wanted:
            return [Outcome(name, "stopped; it starts with the new configuration")]
        if process.state in RESTING:
            return [await self._restart(name)]
        await fleet.until(lambda: process.state in SETTLED, process.limits.start_grace)
        request, refusal = Reconfigure.of(fleet.installation, account), "it is not RUNNING"
        for _ in range(_TRIES if process.state is ProcessState.RUNNING else 0):
            try:
                answer = await self._gateways.call(account, request)
            except Rejected as error:
                refusal = error.message
                break
            except AtraderError as error:  # it may be repeated
                refusal = error.message
            else:
                orphans = [Outcome(name, _left_behind(account, orphan)) for orphan in answer.orphans]
                return [Outcome(name, "took the new configuration while running"), *orphans]
        fleet.note(f"{name} did not take its configuration while running ({refusal}): it is restarted")
        return [await self._restart(name)]

    async def _restart(self, name: str) -> Outcome:
        self._fleet.processes[name].restart("its configuration changed")
        return await self._settled(name, "restarted with the new configuration")

    async def _settled(self, name: str, text: str) -> Outcome:
        process = self._fleet.processes[name]
        if await settled(self._fleet, process):
            return Outcome(name, text)
        return Outcome(name, f"{text}, but it is {process.state} ({process.reason})", failed=True)

    async def _replace(self, planned: Planned) -> Outcome:
        old = self._fleet.processes[planned.name]
        if old.state in RESTING:
            return await self._restart(planned.name)
        if planned.name in self._fleet.successors:
            return Outcome(planned.name, "not replaced: the one that failed to replace it still lives", failed=True)
        code_changed = old.code not in (None, self._fleet.code_of(planned.subject))
        new = self._fleet.make(planned, standby=True)
        self._fleet.successors[planned.name] = new
        new.want("replaces the one with the old configuration")
        within_s = planned.limits.start_grace + old.limits.stop_grace + KILLED_S
        await self._fleet.until(
            lambda: self._in_office(new) or new.state is ProcessState.FAILED or self._was_late(old), within_s
        )
        if self._in_office(new):
            return Outcome(planned.name, "replaced" + (", its strategy file changed" if code_changed else ""))
        reason = new.reason if new.state is ProcessState.FAILED else "it did not take over in time"
        new.unwant(reason)
        if await new.rested():
            self._forget(new, self._fleet.successors)
        else:
            self._fleet.task(self._bury(new, self._fleet.successors))
        fate = "the old one keeps running"
        if self._was_late(old):
            fate = f"{lives_on(old)}; a new one starts then"
            self._late.discard(old)
        text = f"the new worker failed ({reason}); {fate}"
        self._fleet.alert(old, f"{planned.name}: {text}")
        return Outcome(planned.name, text, failed=True)

    def _was_late(self, old: Supervised) -> bool:
        return old in self._late

    def _in_office(self, process: Supervised) -> bool:
        return self._fleet.processes.get(process.name) is process

    async def activate(self, name: str, pid: int) -> None:
        """Let a standby worker take over; returns when its predecessor is gone. May be repeated.

        Raises
        ------
        Rejected
            When no such worker stands by, or its predecessor does not end within its ``stop_grace`` and 5 s more.
        """
        current, successor = self._fleet.processes.get(name), self._fleet.successors.get(name)
        if current is not None and current.pid == pid:
            return
        if successor is None or successor.pid != pid or self._fleet.stopping or current in self._late:
            raise Rejected(f"{name}: process {pid} does not stand by")
        task = self._hand_overs.get(name)
        if task is None:
            task = self._hand_overs[name] = asyncio.ensure_future(self._hand_over(successor))
            task.add_done_callback(lambda done: self._handed_over(name, done))
        await asyncio.shield(task)

    def _handed_over(self, name: str, done: asyncio.Task[None]) -> None:
        self._hand_overs.pop(name, None)
        if not done.cancelled() and (error := done.exception()) is not None:  # who asked may be gone by now
            self._fleet.note(f"{name} was not handed over: {error}")

    async def _hand_over(self, successor: Supervised) -> None:
        fleet = self._fleet
        old = fleet.processes[successor.name]
        old.unwant("its successor takes over")
        if not await old.rested():
            old.want("its successor could not wait for its end")  # it starts again when the end is reported
            self._late.add(old)
            fleet.changed.set()
            raise Rejected(f"{old.name}: {lives_on(old)}")
        old.close()
        del fleet.successors[successor.name]
        fleet.processes[successor.name] = successor
        successor.take_office(old.restarts)
        fleet.changed.set()


def lives_on(process: Supervised) -> str:
    """Say that a process outlived the deadline of its end."""
    return (
        f"process {process.pid} did not end within {process.limits.stop_grace + KILLED_S:g} s of being told to;"
        " it is watched until the kernel reports its end"
    )


def _left_behind(account: str, orphan: Orphan) -> str:
    return (
        f"{orphan.instance} (magic {orphan.magic}) is in no strategy file of the account any more;"
        f" it leaves open trades: {orphan.open_trades}, working orders: {orphan.live_orders}. The gateway goes on with"
        f" their stops; 'orphans close {account} {orphan.instance}' closes them,"
        f" 'orphans assign {account} {orphan.instance} INSTANCE' gives them to another"
    )
