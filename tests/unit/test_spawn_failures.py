"""Starts that fail for want of descriptors, memory or an answer: the restart policy goes on, and a stop ends."""

import asyncio
import contextlib
import errno
import os
import random
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.popen_forkserver import Popen
from pathlib import Path

import psutil
import pytest
import structlog

import manager.fork_server
import manager.supervisor
from atrader.bus import CallClient
from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import Retryable
from atrader.runtime.outbox_file import OutboxFile
from atrader.runtime.spec import ProcessSpec
from atrader.runtime.tags import MANAGER_PID_VARIABLE, TAG_VARIABLE
from manager.beats import BeatBody
from manager.child_handle import ChildHandle
from manager.gateways import Gateways
from manager.history import History
from manager.process import Supervised
from manager.spawn import Spawner
from manager.states import ProcessState
from manager.supervisor import Supervisor
from manager.surroundings import Launcher
from tests.support.toy import ENTRIES

LIGHT = "manager.states"
"""Preloaded in a moment: these children die before they get to do anything."""


@contextlib.contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process open only so many files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [os.open(os.devnull, os.O_RDONLY) for _ in range(count + 1)]
    for descriptor in free:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[-1], hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class ChildThenNothing(Spawner):
    """Makes a child for real, and has no descriptor left to watch it with."""

    limits = contextlib.ExitStack()
    made: Popen

    def _launch(self, spec: ProcessSpec) -> Popen:
        self.made = super()._launch(spec)
        self.limits.enter_context(descriptors_left(0))
        return self.made


class Failing:
    """Starts nothing."""

    async def start(self, spec: ProcessSpec) -> ChildHandle:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class Hanging:
    """Never comes to an end with a start."""

    async def start(self, spec: ProcessSpec) -> ChildHandle:
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (TAG_VARIABLE, MANAGER_PID_VARIABLE, "PYTHONSAFEPATH"):  # the fork server's beginning sets them
        monkeypatch.setenv(variable, "")
    for folder in (Home(tmp_path).data, Home(tmp_path).log, Home(tmp_path).sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return tmp_path


@contextlib.asynccontextmanager
async def fleet_over(root: Path, launcher: Launcher) -> AsyncIterator[Supervisor]:
    """Give a fleet of nothing but a data layer."""
    restart = {"min_backoff": "10ms", "max_backoff": "50ms", "count": 1000}
    content = {"stop_grace": "500ms", "process": {"restart": restart}}
    installation = Installation.model_validate({"home": str(root), "fleet": content, "accounts": {}, "instances": {}})
    log = structlog.get_logger()
    client = CallClient(Home(root).endpoint("data.call"))
    history = History(OutboxFile(root / "outbox.jsonl"), client, SystemClock(), log)
    gateways = Gateways(Home(root))
    fleet = Supervisor(
        installation, launcher, None, history, gateways, SystemClock(), log, random.Random(1), dict(ENTRIES)
    )
    try:
        yield fleet
    finally:
        await fleet.close()
        await history.close()
        await gateways.close()
        await client.close()


async def until(fleet: Supervisor, condition: Callable[[], bool]) -> None:
    """Wait for a condition that also a descriptor handed over may fulfil, so not only for transitions."""
    async with asyncio.timeout(60):
        while not condition():
            await fleet.until(condition, 0.02)


def data_layer(fleet: Supervisor) -> Supervised:
    return fleet.processes["data-layer"]


def test_a_child_that_cannot_be_watched_is_killed_and_its_start_may_be_repeated(root: Path) -> None:
    async def work() -> None:
        spawner = ChildThenNothing(root, LIGHT)
        try:
            async with fleet_over(root, spawner) as fleet:
                process = data_layer(fleet)
                with spawner.limits, pytest.raises(Retryable, match=r"cannot be watched, it was killed: OSError\(24"):
                    await spawner.start(fleet._spec(process))
            assert not psutil.pid_exists(spawner.made.pid)
        finally:
            spawner.close()

    asyncio.run(work())


def test_a_start_without_descriptors_backs_off_and_succeeds_when_there_are_some_again(root: Path) -> None:
    async def work() -> None:
        spawner = Spawner(root, LIGHT)
        try:
            async with fleet_over(root, spawner) as fleet:
                process = data_layer(fleet)
                with descriptors_left(3):  # enough to begin, not to end
                    process.want("test")
                    await until(fleet, lambda: process.restarts >= 3)
                    before = psutil.Process().num_fds()  # from here on: what is made once is made by now
                    await until(fleet, lambda: process.restarts >= 15)
                    assert process.handle is None
                # A start may be under way at both moments; a leak of two each would be two dozen.
                assert psutil.Process().num_fds() - before < 12
                await until(fleet, lambda: process.handle is not None)
                await fleet.stop()
                assert process.state is ProcessState.STOPPED
        finally:
            spawner.close()

    asyncio.run(work())


def test_an_error_of_the_system_at_a_start_is_left_to_the_restart_policy(root: Path) -> None:
    async def work() -> None:
        async with fleet_over(root, Failing()) as fleet:
            process = data_layer(fleet)
            process.want("test")
            await until(fleet, lambda: process.state is ProcessState.BACKOFF)
            assert "could not be started: [Errno 11]" in process.reason
            await until(fleet, lambda: process.restarts >= 2)
            await fleet.stop()
            assert process.state is ProcessState.STOPPED

    asyncio.run(work())


def test_a_stop_ends_though_a_start_never_does_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager.supervisor, "KILLED_S", 0.1)

    async def work() -> None:
        async with fleet_over(root, Hanging()) as fleet:
            process = data_layer(fleet)
            process.want("test")
            async with asyncio.timeout(60):
                await fleet.stop()
            assert process.living
        assert "its end was not reported within 0.1 s of SIGKILL" in (root / "outbox.jsonl").read_text()

    asyncio.run(work())


def test_a_directory_that_cannot_be_used_is_left_for_the_manager_to_tell_of(root: Path) -> None:
    Home(root).etc.mkdir()
    (Home(root).etc / "atrader.toml").touch()
    sockets = Home(root).sockets
    sockets.rmdir()
    sockets.touch()
    try:
        manager.fork_server.begin_early(["start"], {"ATRADER_HOME": str(root)})
        with pytest.raises(OSError, match=sockets.name):
            manager.fork_server.begin(root, LIGHT)
    finally:
        sockets.unlink()


def test_what_killed_managers_left_is_removed_and_what_lives_is_not(root: Path) -> None:
    left = Home(root).sockets / "fork-server-killed"
    left.mkdir()
    (left / "listener").touch()
    manager.fork_server.begin(root, LIGHT)
    try:
        (mine,) = set(Home(root).sockets.glob("fork-server-*")) - {left}
        assert len(list(mine.iterdir())) == 1  # the socket of the fork server
        manager.fork_server.clean(root)
        assert list(Home(root).sockets.glob("fork-server-*")) == [mine]
    finally:
        manager.fork_server.end()
    assert not list(Home(root).sockets.glob("fork-server-*"))


def test_beats_that_nobody_can_assign_yet_do_not_pile_up(root: Path) -> None:
    async def work() -> None:
        async with fleet_over(root, Hanging()) as fleet:
            process = data_layer(fleet)
            process.want("test")
            for number in range(1000):
                process.beat(
                    BeatBody(name="data-layer", pid=1, phase="ready", progress=number, rss_bytes=0, handled={})
                )
            kept = [beat.progress for beat in process._early_beats]
            assert kept == list(range(1000 - len(kept), 1000))
            assert 0 < len(kept) < 100

    asyncio.run(work())
