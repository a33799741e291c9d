"""One supervised process: its state, what is known of its life, and the timers between its lives."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from atrader.clock import Clock
from atrader.configuration.instance import ProcessLimits
from atrader.errors import InvariantBroken, Retryable
from atrader.runtime.spec import ProcessKind, ProcessSpec
from manager.beats import BeatBody
from manager.budget import Budget
from manager.child_handle import ChildHandle
from manager.endings import described, last_words
from manager.liveness import Verdict, Vitals, judge
from manager.oom import OomWatch
from manager.restart_policy import Action, Cause, Exposure, Phase, cause_of, decide, decide_spent
from manager.starvation import Starvation
from manager.states import ALIVE, RESTING, ProcessState, allowed
from manager.surroundings import Launcher, Surroundings

_EARLY_BEATS: Final = 64
"""The latest that are kept while the news of the pid is under way; older ones tell nothing that these do not."""


KILLED_S: Final = 5.0
"""From SIGKILL to the report of the end; nobody waits longer for a process that the kernel does not let go."""


_STORE_TROUBLE: Final = {
    "away": "the store is away: prices, orders and exits go on, what is to be stored waits; see the data layer's log",
    "read-only": "the store cannot be written, usually as less than data.min_free_disk is free: prices, orders and"
    " exits go on, what is to be stored waits; see the data layer's log",
}
"""What is told of a store that is not ok, by the word of the data layer's beats."""


class Supervised:
    """One process of the fleet, across all its lives.

    Parameters
    ----------
    name, kind, subject
        As in `ProcessSpec`.
    needs : tuple of str
        Names of processes that must be RUNNING before it starts.
    limits : ProcessLimits
        Its limits and restart budget.
    make_spec : callable
        Gives the spec of the next life (restarts and standby are filled in).
    """

    def __init__(
        self,
        name: str,
        kind: ProcessKind,
        subject: str,
        needs: tuple[str, ...],
        limits: ProcessLimits,
        make_spec: Callable[[Supervised], ProcessSpec],
        surroundings: Surroundings,
        launcher: Launcher,
        clock: Clock,
        rng: random.Random,
        *,
        standby: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.subject = subject
        self.needs = needs
        self.limits = limits
        self.standby = standby
        self.state = ProcessState.STOPPED
        self.reason = ""
        self.since_s = clock.monotonic_s()
        self.wanted = False
        self.restarts = 0
        self.handle: ChildHandle | None = None
        self.vitals: Vitals | None = None
        self._starvation = Starvation()
        self.last_beat: BeatBody | None = None
        self._told_store = "ok"  # what a human knows of it, over all lives
        self.budget = Budget(limits.restart, rng)
        self.probationer = False
        self.code: str | None = None  # fingerprint of the strategy file at the last start
        self._make_spec = make_spec
        self._around = surroundings
        self._launcher = launcher
        self._clock = clock
        self._oom = OomWatch()
        self._verdict: Verdict | None = None
        self._asked = False  # the present life ends because a person wants it to
        self._timer: asyncio.TimerHandle | None = None
        self._early_beats: deque[BeatBody] = deque(maxlen=_EARLY_BEATS)  # they may overtake the news of the pid
        self._tasks: set[asyncio.Task[None]] = set()
        self._resting = asyncio.Event()
        self._resting.set()

    @property
    def pid(self) -> int | None:
        """Process id of the living process."""
        return self.handle.pid if self.handle is not None else None

    # -- what others ask for

    def want(self, reason: str) -> None:
        """Have it run from now on; a person's word also clears the restart budget."""
        self.wanted = True
        if self.state in RESTING:
            self._cancel_timer()
            self.budget.reset()
            self.probationer = False
            if self.state in (ProcessState.FAILED, ProcessState.PROBATION) and self._around.missing_needs(self):
                self._to(ProcessState.STOPPED, f"{reason}, waits for what it needs")  # who waits there starts by itself
            self.start_if_due(reason)

    def start_if_due(self, reason: str) -> None:
        """Start it when it shall run, does not, waits for no timer, and what it needs is RUNNING."""
        if not self.wanted or self.state not in RESTING or self._timer is not None:
            return
        if missing := self._around.missing_needs(self):
            self.reason = f"waiting for {', '.join(missing)}"
            return
        self._start(reason)

    def unwant(self, reason: str) -> None:
        """Have it end and stay away."""
        self.wanted = False
        self._cancel_timer()
        if self.state in RESTING:
            if self.state is not ProcessState.STOPPED:
                self._to(ProcessState.STOPPED, reason)
            self.reason = reason
        else:
            self._end(reason, asked=True)

    def restart(self, reason: str) -> None:
        """End it and start it again; does not count as an exit."""
        self.wanted = True
        if self.state in RESTING:
            self.want(reason)
        else:
            self._end(reason, asked=True)

    def kill_by(self, verdict: Verdict) -> None:
        """End it by a rule; the restart policy decides what comes next."""
        text = f"{verdict.rule}: {verdict.text}, limit {verdict.limit:g} ({verdict.setting})"
        self._verdict = verdict
        self._end(text, asked=False)

    def change(self, needs: tuple[str, ...], limits: ProcessLimits) -> None:
        """Take over a changed configuration for the next life."""
        self.needs, self.limits = needs, limits
        self.budget.config = limits.restart

    def take_office(self, restarts: int) -> None:
        """Turn from a standby worker into the worker of its instance."""
        self.standby = False
        self.restarts = restarts
        if self.vitals is not None:
            self.vitals.started_s = self._clock.monotonic_s()

    async def rested(self, within_s: float | None = None) -> bool:
        """Wait until no process of it lives, but not for ever; tell whether none does.

        Parameters
        ----------
        within_s : float, optional
            Default: ``stop_grace``, and what the kernel may need after SIGKILL.
        """
        within_s = self.limits.stop_grace + KILLED_S if within_s is None else within_s
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self._resting.wait()
        except TimeoutError:
            pass
        return self._resting.is_set()

    def kill_now(self) -> None:
        """Kill the process without grace; for the end of the fleet's own grace."""
        if self.handle is not None:
            self.handle.kill()

    def close(self) -> None:
        """Drop timers and tasks."""
        self.wanted = False
        self._cancel_timer()
        for task in self._tasks:
            task.cancel()

    # -- what happens to it

    def beat(self, beat: BeatBody) -> None:
        """Take in a beat; one that another life left in the queue counts for nothing."""
        vitals = self.vitals
        if vitals is None:
            return
        if self.handle is None:
            self._early_beats.append(beat)
            return
        if beat.pid != self.handle.pid:
            return
        now_s = self._clock.monotonic_s()
        self._note_store(beat)
        self.last_beat = beat
        vitals.record_beat(now_s, beat.progress, beat.rss_bytes, beat.handled)
        if beat.phase == "ready" and self.state is ProcessState.STARTING:
            vitals.ready_s = now_s
            self._to(ProcessState.RUNNING, f"READY after {now_s - vitals.started_s:.3f} s")

    @property
    def trouble(self) -> str:
        """What a living process cannot do at present, for people; empty when all is well."""
        return _STORE_TROUBLE.get(self.last_beat.store, "") if self.last_beat is not None else ""

    def _note_store(self, beat: BeatBody) -> None:
        """Tell a human when the store of the data layer is away or full, and when it is back."""
        if beat.store == self._told_store or beat.phase != "ready":  # at begin and end it does not speak of its store
            return
        self._told_store = beat.store
        if beat.store in _STORE_TROUBLE:
            self._around.alert(self, _STORE_TROUBLE[beat.store])
        else:
            self._around.alert(self, "the store is back: all that waited is written", "warning")

    def check(self, now_s: float) -> None:
        """Judge the living process."""
        if self.vitals is None or self.handle is None:
            return
        if self.state in (ProcessState.STARTING, ProcessState.RUNNING):
            self._starvation.look(self.handle.pid, self.vitals, self.limits, now_s)
            verdict = judge(self.vitals, self.limits, now_s)
            if verdict is not None:
                self.kill_by(verdict)

    # -- one life

    def _start(self, reason: str) -> None:
        now_s = self._clock.monotonic_s()
        self.vitals = Vitals(started_s=now_s)
        self._starvation = Starvation()
        self._early_beats.clear()
        self.last_beat = None
        self._verdict = None
        self._asked = False
        self._resting.clear()
        self._to(ProcessState.STARTING, reason)
        self._task(self._live())

    async def _live(self) -> None:
        """Spawn and wait for the end."""
        try:
            self._oom.begin()
            spec = self._make_spec(self)
            self.handle = await self._launcher.start(spec)
        except (Retryable, OSError) as error:  # descriptors or memory ran out: not for ever
            self._ended(None, f"could not be started: {error}")
            return
        if self.vitals is not None:
            self.vitals.started_s = self._clock.monotonic_s()  # the fork server's own start is not its fault
        while self._early_beats:
            self.beat(self._early_beats.popleft())
        if self.state is ProcessState.STOPPING:  # asked to end while it was being spawned
            self._task(self._terminate(self.handle))
        pid = self.handle.pid
        status = await asyncio.shield(self.handle.exited)
        silent = status is not None and status <= 0  # nobody says why a signal killed it
        self._ended(status, described(status), "" if silent else last_words(spec.home.log / f"{self.name}.log", pid))
        self._around.left_over(self, pid)  # last: it may fail for want of a thread

    def _end(self, reason: str, *, asked: bool) -> None:
        self._asked = self._asked or asked
        if self.state is ProcessState.STOPPING:
            return
        self._to(ProcessState.STOPPING, reason)
        if self.handle is not None:
            self._task(self._terminate(self.handle))

    async def _terminate(self, handle: ChildHandle) -> None:
        stalled = self._verdict is not None and self._verdict.cause is Cause.STALLED
        large = self._verdict is not None and self._verdict.cause is Cause.MEMORY
        grace_s = self.limits.stall_grace if stalled or large else self.limits.stop_grace
        await handle.end(grace_s, dump_stacks=stalled)

    def _ended(self, status: int | None, text: str, words: str = "") -> None:
        now_s = self._clock.monotonic_s()
        vitals = self.vitals
        assert vitals is not None
        phase = Phase.BEFORE_READY if vitals.ready_s is None else Phase.AFTER_READY
        if vitals.ready_s is not None and now_s - vitals.ready_s > self.limits.restart.window:
            self.probationer = False
        cause = self._verdict.cause if self._verdict is not None else cause_of(status)
        if cause is Cause.SIGNAL and self._oom.killed():
            cause, text = Cause.MEMORY, f"{text}; the kernel was out of memory"
        self.handle = None
        self.vitals = None
        self._resting.set()
        if not self.wanted:
            self._to(ProcessState.STOPPED, text)
        elif self._asked:
            self._rest(ProcessState.BACKOFF, 0.0, text)
        else:
            self._after_death(cause, phase, text, words)

    def _after_death(self, cause: Cause, phase: Phase, text: str, words: str) -> None:
        now_s = self._clock.monotonic_s()
        self.budget.record_exit(now_s)
        exposure = self._around.exposure_of(self)
        rule = decide(cause, phase, exposure)
        text = f"{text}; {cause} {phase}"
        if words:
            text = f"{text}: {words}"
        elif cause is not Cause.SIGNAL and rule.action is not Action.RESTART_AT_ONCE:
            text = f"{text}, see log/{self.name}.log"
        if self.standby:
            self.wanted = False
            self._fail(f"{text}; it died before it could take over")
        elif rule.action is Action.FAIL:
            self._fail(f"{text}; {rule.why}")
        elif rule.action is Action.WAIT:
            self._rest(ProcessState.BACKOFF, self.budget.slow_s(), f"{text}; {rule.why}")
        elif self.probationer or self.budget.spent(now_s):
            self._after_spent(exposure, text)
        else:
            delay_s = self._delay_s(rule.action, now_s)
            self._rest(ProcessState.BACKOFF, delay_s, f"{text}; {rule.why}")

    def _delay_s(self, action: Action, now_s: float) -> float:
        if action is Action.RESTART_AT_ONCE:
            return 0.0
        return self.budget.delayed_s(now_s) if action is Action.RESTART_DELAYED else self.budget.delay_s(now_s)

    def _after_spent(self, exposure: Exposure, text: str) -> None:
        rule = decide_spent(self.kind, exposure)
        config = self.limits.restart
        text = f"{text}; budget of {config.count} exits in {config.window:g} s spent, {exposure}: {rule.why}"
        if rule.action is Action.PROBATION:
            if not self.probationer:
                self._around.alert(self, text)
            self.probationer = True
            self._rest(ProcessState.PROBATION, self.budget.probation_s(), text)
        else:
            self._fail(text)

    def _fail(self, text: str) -> None:
        self._to(ProcessState.FAILED, text)
        self.wanted = False
        self._around.alert(self, text)

    def _rest(self, state: ProcessState, delay_s: float, text: str) -> None:
        self._to(state, f"{text}; next start in {delay_s:.2f} s")
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._delay_over)

    def _delay_over(self) -> None:
        self._timer = None
        if self.state is ProcessState.PROBATION:
            exposure = self._around.exposure_of(self)
            if decide_spent(self.kind, exposure).action is not Action.PROBATION:
                self._fail(f"on probation, but its instance is {exposure} now")
                return
        self.restarts += 1
        self.start_if_due("its delay is over")

    # -- small things

    def _to(self, target: ProcessState, reason: str) -> None:
        source = self.state
        if not allowed(source, target):
            raise InvariantBroken(f"{self.name}: {source} -> {target} ({reason}) is no transition")
        self.state, self.reason, self.since_s = target, reason, self._clock.monotonic_s()
        self._around.transitioned(self, source, target, reason)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._around.alert(self, f"supervision failed: {error!r}")

    @property
    def living(self) -> bool:
        """Whether a process of it lives or is being made."""
        return self.state in ALIVE
