"""The manager process: puts the parts together, runs them until told to stop, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.bus import Beat, BeatServer, CallClient, CallServer, close_context
from atrader.clock import Clock, SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import AtraderError, ConfigError, StoreError
from atrader.exit_codes import ExitCode
from atrader.runtime.child import exit_code_of
from atrader.runtime.logs import close_logs, configure_logs, process_logger
from atrader.runtime.outbox_file import OutboxFile
from manager import fork_server
from manager.clock_watch import watch_clock
from manager.control import ControlCalls
from manager.fork_server import PRELOAD, tag_of
from manager.gateways import Gateways
from manager.history import History
from manager.lock import take_lock
from manager.reloading import Reloader
from manager.replay_watch import ReplayWatch
from manager.selector import Selector
from manager.spawn import Spawner
from manager.states import ProcessState
from manager.supervisor import Supervisor
from manager.survivors import end_survivors, find_survivors

_SURVIVORS_S: Final = 5.0
_LOOK_S: Final = 1.0  # after a selection that a reload brought
_AGAIN_S: Final = 10.0  # after an error in it
_OPEN_FILES: Final = 65_536  # three descriptors a child and some more a connection

OnUp = Callable[[str], None]
"""Told once: an empty text when all processes are RUNNING, else why they will not be."""


def run_manager(
    home: Path,
    installation: Installation,
    *,
    foreground: bool,
    on_up: OnUp | None = None,
    preload: str = PRELOAD,
    entries: dict[str, str] | None = None,
) -> int:
    """Run the manager of an installation until it is told to stop; blocks.

    Before anything starts, processes that a dead predecessor left are ended. Every child ends with this process,
    however it ends.

    Parameters
    ----------
    home : Path
        The installation directory.
    installation : Installation
        Its configuration.
    foreground : bool
        Write readable log lines to stderr as well.
    on_up : callable, optional
        Told when the fleet is up, or that it will not be.
    preload, entries
        What the fork server imports, and what kinds of process run instead of the fleet's own (tests).

    Returns
    -------
    int
        An `ExitCode`: OK after an orderly stop, LOCKED when another manager runs this directory.
    """
    paths = Home(Path(home).absolute())
    try:
        _make_folders(paths)
        lock = take_lock(paths)
    except (AtraderError, OSError) as error:
        print(f"atrader-manager: {error}", file=sys.stderr)
        return exit_code_of(error)
    configure_logs(paths.log / "manager.log", installation.fleet.log, console=foreground)
    log = process_logger("manager")
    spawner: Spawner | None = None
    try:
        _raise_open_files()
        _end_predecessors(paths, log)
        fork_server.clean(paths.root)
        spawner = Spawner(paths.root, preload)
        service = Service(paths, installation, spawner, log, preload, entries, on_up)
        asyncio.run(service.run())
        return ExitCode.OK
    except (AtraderError, OSError) as error:
        log.error("failed", reason=str(error), exc_info=not isinstance(error, ConfigError))
        return exit_code_of(error)
    finally:
        if spawner is not None:
            spawner.close()
        close_context()
        log.info("ended")
        close_logs()
        lock.release()


def _make_folders(home: Home) -> None:
    for folder in (home.data, home.log):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (home.run, home.sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        seen = folder.stat()
        if seen.st_uid != os.getuid():
            raise ConfigError(f"{folder} belongs to another user: whoever owns it could give orders")
        if seen.st_mode & 0o077:
            folder.chmod(0o700)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _end_predecessors(home: Home, log: FilteringBoundLogger) -> None:
    """End what a dead manager of this directory left: two processes of one account must never be.

    Raises
    ------
    ConfigError
        When one cannot be ended.
    """
    survivors = find_survivors(tag_of(home.root))
    for survivor in survivors:
        log.warning("survivor", pid=survivor.pid, command=survivor.command, reason="left by a dead manager; killed")
    if left := end_survivors(survivors, _SURVIVORS_S):
        pids = ", ".join(str(survivor.pid) for survivor in left)
        raise ConfigError(f"processes {pids} of a dead manager cannot be ended", details={"exit_code": "LOCKED"})


class Service:
    """All parts of a running manager."""

    def __init__(
        self,
        home: Home,
        installation: Installation,
        spawner: Spawner,
        log: FilteringBoundLogger,
        preload: str,
        entries: dict[str, str] | None,
        on_up: OnUp | None,
    ) -> None:
        self._home = home
        self._installation = installation
        self._spawner = spawner
        self._log = log
        self._preload = preload
        self._entries = entries
        self._on_up = on_up
        self._clock: Clock = SystemClock()
        self._stop_reason = ""

    async def run(self) -> None:
        """Start the fleet, wait for the word to stop, stop it."""
        self._stop_asked = asyncio.Event()
        data_client = CallClient(self._home.endpoint("data.call"))
        history = History(OutboxFile(self._home.data / "manager-outbox.jsonl"), data_client, self._clock, self._log)
        gateways = Gateways(self._home)
        gateways.open_gate()
        fleet = self._fleet = Supervisor(
            self._installation,
            self._spawner,
            self._preload,
            history,
            gateways,
            self._clock,
            self._log,
            random.Random(os.getpid()),
            self._entries,
        )
        selector = Selector(fleet, self._home.selection, history, self._log)
        self._reloader = Reloader(fleet, gateways, lambda: load_installation(self._home.root), selector.align)
        calls = ControlCalls(
            fleet, gateways, self._reloader, lambda: selector.selections, self._clock, self.request_stop
        )
        replay = ReplayWatch(fleet, self._clock, self.request_stop)

        def on_beat(beat: Beat) -> None:
            fleet.on_beat(beat)
            replay.look()

        beats = BeatServer(self._home.endpoint("manager.beat"), on_beat)
        server = CallServer(self._home.endpoint("manager.call"), calls.handlers())
        try:
            await beats.start()
            await server.start()
            self._take_signals()
            history.start()
            self._log.info("started", pid=os.getpid(), processes=len(fleet.processes))
            selector.align()
            fleet.start()
            fleet.task(self._select(selector))
            fleet.task(watch_clock(self._clock, fleet.warn))
            if self._on_up is not None:
                fleet.task(self._tell_when_up(self._on_up))
            await self._stop_asked.wait()
            self._log.info("stopping", reason=self._stop_reason)
            holders = (fleet.account_held(process) for process in fleet.all() if process.handle)
            running = [account for account in holders if account is not None]
            try:
                await gateways.close_gate(running)
            except StoreError as error:  # workers end before their gateways all the same
                self._log.warning("gate-not-closed", reason=str(error))
            await fleet.stop()
        finally:
            await fleet.close()
            await server.close()
            await beats.close()
            await history.close()
            await gateways.close()
            await data_client.close()

    def request_stop(self, reason: str) -> None:
        """Begin to stop; the second time everything is killed at once."""
        if self._stop_asked.is_set():
            for process in self._fleet.all():
                process.kill_now()
        self._stop_reason = self._stop_reason or reason
        self._stop_asked.set()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request_stop, f"signal {signal.Signals(number).name}")
        loop.add_signal_handler(signal.SIGHUP, lambda: self._fleet.task(self._reload_by_signal()))

    async def _reload_by_signal(self) -> None:
        try:
            done = await self._reloader.reload()
        except AtraderError as error:
            self._log.error("reload-refused", reason=str(error))
            self._fleet.note(f"reload refused, the old configuration stays: {error}")
        else:
            self._log.info("reloaded", lines=[str(outcome) for outcome in done])

    async def _select(self, selector: Selector) -> None:
        """Let markets be judged from the moment on in which an instance asks for it."""
        while not selector.series:
            await asyncio.sleep(_LOOK_S)
        # Not before: numpy and what needs it cost 0.3 s and 12 MB. In a thread: everything else goes on.
        turns = await asyncio.to_thread(import_module, "manager.selection_turns")
        while True:
            try:
                await turns.judge_for_ever(self._fleet, selector, self._home)
            except Exception as error:  # noqa: BLE001 - boundary: an error in here must not end selection unnoticed
                self._log.error("selection-failed", reason=repr(error), exc_info=True)
                self._fleet.warn(f"selection failed and begins again, instances stay as they are: {error!r}")
            await asyncio.sleep(_AGAIN_S)

    async def _tell_when_up(self, on_up: OnUp) -> None:
        bad = (ProcessState.FAILED, ProcessState.PROBATION)
        fleet = self._fleet

        def is_decided() -> bool:
            states = {process.state for process in fleet.all()}
            return fleet.came_up.is_set() or (not states.isdisjoint(bad) and ProcessState.STARTING not in states)

        while not is_decided():
            await fleet.until(is_decided, 1.0)
        on_up("\n".join(f"{p.name} {p.state}: {p.reason}" for p in fleet.all() if p.state in bad))
