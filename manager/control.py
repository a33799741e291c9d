"""What the manager answers: status, control, reload, trading states, the turn of standby workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from atrader.bus import Caller, Handler
from atrader.clock import Clock
from atrader.errors import Rejected
from atrader.messages.manager import (
    Activate,
    Control,
    ControlAnswer,
    GetStatus,
    Reload,
    SetTradingState,
    StatusAnswer,
)
from atrader.runtime.spec import gateway_name, worker_name
from atrader.selection.file import Selections
from atrader.trading_state import TradingState
from atrader.trading_state_file import TradingStates
from atrader.wire import Request
from manager.gateways import Gateways
from manager.plan import holder_of
from manager.process import Supervised
from manager.reloading import Outcome, Reloader, lives_on
from manager.settling import settled
from manager.states import ProcessState
from manager.status import Usage, fleet_status, orphan_names
from manager.supervisor import Supervisor


class ControlCalls:
    """Handlers of ``manager.call``. None of them holds up another.

    Parameters
    ----------
    selections : callable
        Gives what is selected now.
    request_stop : callable
        Begins the end of the whole fleet and returns at once.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        gateways: Gateways,
        reloader: Reloader,
        selections: Callable[[], Selections],
        clock: Clock,
        request_stop: Callable[[str], None],
    ) -> None:
        self._fleet = supervisor
        self._gateways = gateways
        self._reloader = reloader
        self._selections = selections
        self._clock = clock
        self._request_stop = request_stop
        self._usage = Usage(clock)
        self._started_s = clock.monotonic_s()

    def handlers(self) -> Mapping[type[Request], Handler]:
        """Return the handler of each request."""
        return {
            GetStatus: self.status,
            Control: self.control,
            Reload: self.reload,
            SetTradingState: self.set_trading_state,
            Activate: self.activate,
        }

    async def status(self, request: GetStatus, caller: Caller) -> StatusAnswer:
        """Answer what ``status --json`` prints."""
        states = self._gateways.read_states()
        status = await fleet_status(self._fleet, states, self._selections(), self._usage, self._clock, self._started_s)
        return StatusAnswer(status=status)

    async def control(self, request: Control, caller: Caller) -> ControlAnswer:
        """Start, stop or restart; answers when the named processes have settled, or once the fleet begins to stop."""
        if self._fleet.stopping:
            raise Rejected("the fleet is being stopped")
        if request.verb == "stop" and not request.names:
            self._request_stop("asked by a command")
            return ControlAnswer(lines=("the fleet stops",))
        if request.verb == "restart" and not request.names:
            return _answer(await self._reloader.restart_fleet())
        processes = self._find(request.names)
        act: Callable[[Supervised], Awaitable[str]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
        }[request.verb]
        lines = tuple(await asyncio.gather(*map(act, processes)))
        meant = ProcessState.STOPPED if request.verb == "stop" else ProcessState.RUNNING
        return ControlAnswer(lines=lines, failed=tuple(p.name for p in processes if p.state is not meant))

    async def reload(self, request: Reload, caller: Caller) -> ControlAnswer:
        """Read the configuration again."""
        return _answer(await self._reloader.reload())

    async def set_trading_state(self, request: SetTradingState, caller: Caller) -> ControlAnswer:
        """Set a trading state; it is on disk before this answers, and may be repeated."""
        kind, _, name = request.scope.partition(":")
        installation = self._fleet.installation
        # What has a state may lose it again, whether it is configured or not.
        stored = self._gateways.read_states()
        instances = {*installation.instances, *stored.instances, *orphan_names(self._fleet)}
        known = {"fleet": {""}, "account": {*installation.accounts, *stored.accounts}, "instance": instances}
        if name not in known.get(kind, ()):
            raise Rejected(f"scope {request.scope!r}: no such account or instance")
        running = [account for account in installation.accounts if self._fleet.holder_runs(account)]
        silent = await self._gateways.set_state(request.scope, request.state, running)
        text = f"{request.scope} is {request.state}" + (f": {request.reason}" if request.reason else "")
        self._fleet.note(text)
        lines = [text]
        if request.state is TradingState.FLATTENING and _halts(self._gateways.states):
            lines.append("HALTED keeps strategies from closing, not you: the gateway closes all the same")
        slow = (holder_of(installation, account) for account in silent)
        lines += [f"{name} did not answer; it reads the file by itself" for name in slow]
        return ControlAnswer(lines=tuple(lines))

    async def activate(self, request: Activate, caller: Caller) -> ControlAnswer:
        """Let a standby worker take over."""
        await self._reloader.activate(request.name, request.pid)
        return ControlAnswer()

    def _find(self, names: tuple[str, ...]) -> list[Supervised]:
        """Return processes by name; a bare account or instance name will do."""
        table = self._fleet.processes
        found = []
        for name in names or tuple(table):
            known = (name, worker_name(name), gateway_name(name), holder_of(self._fleet.installation, name))
            full = next((full for full in known if full is not None and full in table), None)
            if full is None:
                raise Rejected(f"no process {name!r}; there are: {', '.join(table)}")
            found.append(table[full])
        return found

    async def _start(self, process: Supervised) -> str:
        process.want("asked by a command")
        return await self._settled(process)

    async def _stop(self, process: Supervised) -> str:
        process.unwant("asked by a command")
        if await process.rested():
            return f"{process.name}: {process.state}"
        return f"{process.name}: {process.state} ({lives_on(process)})"

    async def _restart(self, process: Supervised) -> str:
        process.restart("asked by a command")
        return await self._settled(process)

    async def _settled(self, process: Supervised) -> str:
        runs = await settled(self._fleet, process)
        return f"{process.name}: {process.state}" + ("" if runs else f" ({process.reason})")


def _halts(states: TradingStates) -> bool:
    return TradingState.HALTED in (states.fleet, *states.accounts.values(), *states.instances.values())


def _answer(done: list[Outcome]) -> ControlAnswer:
    lines = tuple(map(str, done)) or ("nothing changed",)
    return ControlAnswer(lines=lines, failed=tuple(outcome.name for outcome in done if outcome.failed))
