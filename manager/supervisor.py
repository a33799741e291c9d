"""The fleet: all supervised processes, what they need of each other, what is known of them. Events and timers only."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from structlog.typing import FilteringBoundLogger

from atrader.bus import Beat
from atrader.clock import Clock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.runtime.spec import ProcessSpec
from manager.beats import BeatBody
from manager.exposure import Exposures
from manager.fork_server import tag_of
from manager.gateways import Gateways
from manager.history import History
from manager.liveness import absence_s, wants_recycling
from manager.on_down import DownWatch
from manager.on_down_calls import OnDownCalls
from manager.plan import STOP_RANKS, Planned, account_held, holder_of, plan
from manager.process import KILLED_S, Supervised
from manager.restart_policy import Exposure
from manager.states import ProcessState
from manager.strategy_files import fingerprint
from manager.surroundings import AlertLevel, Launcher
from manager.survivors import end_survivors, find_leftovers

_SWEEP_S = 0.2
"""Between two looks at all processes: 50 of them cost 0.3 ms."""

_LEFTOVER_S = 2.0


class Supervisor:
    """Supervises the processes of one installation.

    Parameters
    ----------
    installation : Installation
        What to run.
    launcher : Launcher
        Starts processes (the fork server).
    preload : str or None
        What children insist on, see `ProcessSpec`.
    history : History
        Takes process events and alerts.
    entries : mapping of kind to entry point, optional
        Run something else than the fleet's own processes (tests).
    """

    def __init__(
        self,
        installation: Installation,
        launcher: Launcher,
        preload: str | None,
        history: History,
        gateways: Gateways,
        clock: Clock,
        log: FilteringBoundLogger,
        rng: random.Random,
        entries: dict[str, str] | None = None,
    ) -> None:
        self.installation = installation
        self.processes: dict[str, Supervised] = {}
        self.successors: dict[str, Supervised] = {}
        self.exposures = Exposures(max_age_s=installation.fleet.process.beat_timeout)
        self.counters: Counter[str] = Counter()
        self.stopping = False
        self.came_up = asyncio.Event()
        self.changed = asyncio.Event()  # some process went to another state
        self._launcher = launcher
        self._preload = preload
        self._history = history
        self._clock = clock
        self._log = log
        self._rng = rng
        self._entries = entries or {}
        self._down = DownWatch()
        self._on_down_calls = OnDownCalls(self, gateways, self._down, log)
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._swept_s = clock.monotonic_s()
        self._tasks: set[asyncio.Future[Any]] = set()
        for planned in plan(installation).values():
            self.processes[planned.name] = self.make(planned)

    # -- processes

    def make(self, planned: Planned, *, standby: bool = False) -> Supervised:
        """Make a supervised process; it does not start yet."""
        return Supervised(
            planned.name,
            planned.kind,
            planned.subject,
            planned.needs,
            planned.limits,
            self._spec,
            self,
            self._launcher,
            self._clock,
            self._rng,
            standby=standby,
        )

    def _spec(self, process: Supervised) -> ProcessSpec:
        process.code = self.code_of(process.subject) if process.kind == "worker" else None
        return ProcessSpec(
            process.name,
            process.kind,
            process.subject,
            self.installation,
            process.limits,
            tag_of(self.home.root),
            restarts=process.restarts,
            standby=process.standby,
            entry=self._entries.get(process.kind),
            preload=self._preload,
        )

    def reconfigure(self, installation: Installation) -> None:
        """Take another configuration for the next life of each process; new processes are made, none is started."""
        self.installation = installation
        self.exposures.max_age_s = installation.fleet.process.beat_timeout
        for name, planned in plan(installation).items():
            if name in self.processes:
                self.processes[name].change(planned.needs, planned.limits)
            else:
                self.processes[name] = self.make(planned)

    def code_of(self, instance: str, installation: Installation | None = None) -> str:
        """Return the fingerprint of an instance's strategy file as it is now."""
        config = (installation or self.installation).instances.get(instance)
        return "" if config is None else fingerprint(self.home.root, config.strategy)

    @property
    def home(self) -> Home:
        """Paths of the installation."""
        return Home(Path(self.installation.home))

    def all(self) -> Iterable[Supervised]:
        """Give every process, standby workers too."""
        yield from self.processes.values()
        yield from self.successors.values()

    def is_running(self, name: str) -> bool:
        """Tell whether a process of that name is RUNNING."""
        process = self.processes.get(name)
        return process is not None and process.state is ProcessState.RUNNING

    def account_held(self, process: Supervised) -> str | None:
        """Name the account whose session a process holds: every gateway does, and some workers."""
        return account_held(self.installation, process.kind, process.subject)

    def holder_runs(self, account: str) -> bool:
        """Tell whether the process that holds an account's session is RUNNING."""
        holder = holder_of(self.installation, account)
        return holder is not None and self.is_running(holder)

    # -- life of the fleet

    def start(self) -> None:
        """Start everything, each as soon as what it needs is RUNNING."""
        for process in list(self.processes.values()):
            process.want("the fleet starts")
        self._sweep()

    async def stop(self) -> None:
        """Stop everything in order, within the fleet's ``stop_grace``; 5 s more for each rank that had to be killed."""
        self.stopping = True
        for successor in self.successors.values():
            successor.unwant("the fleet stops")
        await self.stop_ranks("the fleet stops")
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()

    async def stop_ranks(self, reason: str) -> None:
        """End workers, gateways and data layer, in this order, within the fleet's ``stop_grace``."""
        grace_s = self.installation.fleet.stop_grace
        begin_s = self._clock.monotonic_s()
        for kind, share in STOP_RANKS:
            if kind == "data-layer":
                await self._history.flush(0.1 * grace_s)
            rank = [process for process in self.all() if process.kind == kind]
            for process in rank:
                process.unwant(reason)
            await self._until_rested(rank, begin_s + grace_s * share)

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until a condition on the states of processes holds; tell whether it does."""
        end_s = self._clock.monotonic_s() + within_s
        while not condition():
            self.changed.clear()
            left_s = end_s - self._clock.monotonic_s()
            try:
                await asyncio.wait_for(self.changed.wait(), left_s)
            except TimeoutError:
                return condition()
        return True

    def note(self, text: str) -> None:
        """Record what a person did to the fleet."""
        self._log.warning("fleet", text=text)
        self._history.event({"process": "manager", "kind": "manager", "text": text})

    def warn(self, text: str) -> None:
        """Tell a human of something that is no process' doing."""
        self._log.warning("alert", text=text)
        self._history.alert({"level": "warning", "kind": "manager", "process": "manager", "text": text})

    async def _until_rested(self, processes: list[Supervised], end_s: float) -> None:
        for process in await self._late(processes, end_s - self._clock.monotonic_s()):
            self.alert(process, "did not stop in time, killed")
            process.kill_now()
        for process in await self._late(processes, KILLED_S):
            self.alert(process, f"its end was not reported within {KILLED_S:g} s of SIGKILL; going on without it")

    async def _late(self, processes: list[Supervised], within_s: float) -> list[Supervised]:
        """Wait for the end of some processes; return those that still live."""
        ended = await asyncio.gather(*(process.rested(within_s) for process in processes))
        return [process for process, has_ended in zip(processes, ended, strict=True) if not has_ended]

    async def close(self) -> None:
        """Drop what is left of timers and tasks."""
        for process in self.all():
            process.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # -- beats

    def on_beat(self, beat: Beat) -> None:
        """Take in a beat from the bus.

        Raises
        ------
        ValidationError
            When it is none; the bus counts and logs that.
        """
        checked = BeatBody.model_validate(beat.body)
        for table in (self.processes, self.successors):
            if (process := table.get(checked.name)) is not None:
                process.beat(checked)
        process = self.processes.get(checked.name)
        if process is None or process.pid != checked.pid:
            return
        now_s = self._clock.monotonic_s()
        if (account := self.account_held(process)) is not None:
            self.exposures.record(now_s, account, checked.exposure)
        elif process.kind == "data-layer":
            self._compare_progress(now_s, checked.latest)

    def _compare_progress(self, now_s: float, latest: dict[str, int]) -> None:
        """Hold what bars there are against what each worker handled."""
        for process in self.processes.values():
            config = self.installation.instances.get(process.subject) if process.kind == "worker" else None
            if config is None or process.vitals is None or process.vitals.ready_s is None:
                continue
            if self.missing_needs(process):
                process.vitals.excuse_progress()  # it may be waiting for its gateway
                continue
            series = f"{config.instrument}|{config.timeframe}"
            if series in latest:
                process.vitals.record_latest(now_s, series, latest[series])

    # -- looking at everything, by a timer

    def _sweep(self) -> None:
        now_s = self._clock.monotonic_s()
        absent_s = absence_s(now_s, self._swept_s, _SWEEP_S)
        self._swept_s = now_s
        self._sweep_timer = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)
        if absent_s:
            self._log.warning("manager-was-not-scheduled", seconds=round(absent_s, 3), reason="nobody is judged by it")
            self._down.excuse(absent_s)
            for process in self.all():
                if process.vitals is not None:
                    process.vitals.excuse(absent_s + _SWEEP_S)
            return  # beats that waited in the socket come first
        for process in list(self.all()):
            process.check(now_s)
            self._recycle_if_flat(process)
        self._on_down_calls.look(now_s)

    def _recycle_if_flat(self, process: Supervised) -> None:
        if process.kind != "worker" or process.state is not ProcessState.RUNNING or process.vitals is None:
            return
        verdict = wants_recycling(process.vitals, process.limits)
        if verdict is not None and self.exposure_of(process) is Exposure.FLAT:
            process.kill_by(verdict)

    # -- what processes ask and tell (Surroundings)

    def missing_needs(self, process: Supervised) -> list[str]:
        """Name what a process needs and is not RUNNING."""
        return [name for name in process.needs if not self.is_running(name)]

    def exposure_of(self, process: Supervised) -> Exposure:
        """Tell what depends on a process; nothing of its own depends on the data layer."""
        now_s = self._clock.monotonic_s()
        if process.kind == "gateway":
            return self.exposures.of_account(now_s, process.subject)
        config = self.installation.instances.get(process.subject)
        if process.kind == "data-layer" or config is None:
            return Exposure.FLAT
        if self.account_held(process) is not None:
            return self.exposures.last_of_instance(config.account, config.name)
        return self.exposures.of_instance(now_s, config.account, config.name)

    def transitioned(self, process: Supervised, source: ProcessState, target: ProcessState, reason: str) -> None:
        """Log, count and record a transition, and wake up who waits for it."""
        text = f"{source} -> {target} ({reason})"
        level = self._log.error if target is ProcessState.FAILED else self._log.info
        level("transition", name=process.name, transition=text, pid=process.pid)
        self.counters[f"{source}->{target}"] += 1
        self._history.event(
            {"process": process.name, "kind": process.kind, "text": text, "pid": process.pid, **self._whose(process)}
        )
        if self.processes.get(process.name) is process:
            self._note_down(process, target)
        if target is ProcessState.RUNNING:
            asyncio.get_running_loop().call_soon(self._start_waiting)
        self.changed.set()

    def _note_down(self, process: Supervised, target: ProcessState) -> None:
        running = target is ProcessState.RUNNING
        if process.kind == "data-layer":
            self._history.data_layer_is(running)
        elif process.kind == "worker" and running:
            self._down.up(process.subject)
        elif process.kind == "worker":
            self._down.down(process.subject, self._clock.monotonic_s())
        elif running:
            on_it = (i.name for i in self.installation.instances.values() if i.account == process.subject)
            self._down.untold(on_it)

    def _start_waiting(self) -> None:
        for process in list(self.processes.values()):
            if process.state is not ProcessState.FAILED:
                process.start_if_due("what it needs is RUNNING")
        wanted = [process for process in self.processes.values() if process.wanted]
        if wanted and all(process.state is ProcessState.RUNNING for process in wanted):
            self.came_up.set()

    def alert(self, process: Supervised, text: str, level: AlertLevel = "error") -> None:
        """Tell a human: log and history."""
        write = self._log.error if level == "error" else self._log.warning
        write("alert", name=process.name, text=text)
        self._history.alert(
            {"level": level, "kind": "process", "process": process.name, "text": text, **self._whose(process)}
        )

    def left_over(self, process: Supervised, pid: int) -> None:
        """End what a dead process started in sessions of its own."""

        def sweep() -> None:
            for survivor in end_survivors(left := find_leftovers(pid), _LEFTOVER_S):
                self._log.error("leftover-lives", name=process.name, pid=survivor.pid, command=survivor.command)
            if left:
                self._log.warning("leftovers-ended", name=process.name, commands=[one.command for one in left])

        self.task(asyncio.get_running_loop().run_in_executor(None, sweep))

    def task(self, work: Awaitable[Any]) -> None:
        """Run something beside; it is cancelled at the end."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _whose(self, process: Supervised) -> dict[str, object]:
        config = self.installation.instances.get(process.subject) if process.kind == "worker" else None
        if config is not None:
            return {"instance": config.name, "account": config.account}
        return {"account": process.subject} if process.kind == "gateway" else {}
