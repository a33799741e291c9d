"""Processes whose end is not reported in time: everybody who waits for it gets an answer, and no twin starts."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import manager.process
from atrader.bus import CallClient
from atrader.clock import SystemClock
from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.errors import Rejected
from atrader.messages.manager import Control
from atrader.runtime.outbox_file import OutboxFile
from atrader.runtime.spec import ProcessSpec
from atrader.selection.file import Selections
from manager.child_handle import ChildHandle
from manager.control import ControlCalls
from manager.gateways import Gateways
from manager.history import History
from manager.reloading import Reloader
from manager.states import ProcessState
from manager.supervisor import Supervisor

FLEET = {"stop_grace": "200ms", "process": {"stop_grace": "100ms", "start_grace": "300ms"}}
INSTANCE = {
    "name": "i",
    "strategy": "sma-cross",
    "account": "a",
    "instrument": "EUR/USD",
    "timeframe": "1m",
    "magic": 1,
    "process": {"stop_grace": "100ms", "start_grace": "300ms"},
}


class Stuck:
    """Starts that come to no end until they are let go, as of a process that the kernel holds; then nothing lives."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.starts = 0

    async def start(self, spec: ProcessSpec) -> ChildHandle:
        self.starts += 1
        await self.free.wait()
        raise OSError("let go")


class Desk:
    """A supervisor over stuck processes, with what changes it."""

    def __init__(self, root: Path, gateways: Gateways, history: History) -> None:
        self.root, self.launcher = root, Stuck()
        self.wanted = self.installation(instances={"i": INSTANCE}, accounts={"a": {"name": "a", "broker": "paper"}})
        self.fleet = Supervisor(
            self.wanted, self.launcher, None, history, gateways, SystemClock(), structlog.get_logger(), random.Random(1)
        )
        self.taken: list[tuple[Installation, int]] = []
        self.reloader = Reloader(
            self.fleet, gateways, lambda: self.wanted,
            lambda: self.taken.append((self.fleet.installation, len(self.fleet.successors))),
        )  # fmt: skip
        self.calls = ControlCalls(self.fleet, gateways, self.reloader, Selections, SystemClock(), lambda reason: None)

    def installation(self, **content: Any) -> Installation:
        return Installation.model_validate({"home": str(self.root), "fleet": FLEET, **content})

    async def control(self, verb: Any, *names: str) -> Any:
        return await self.calls.control(Control(verb=verb, names=names), None)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def desk_in(root: Path) -> AsyncIterator[Desk]:
    for folder in (Home(root).data, Home(root).log, Home(root).sockets):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    client, gateways = CallClient(Home(root).endpoint("data.call")), Gateways(Home(root))
    history = History(OutboxFile(root / "outbox.jsonl"), client, SystemClock(), structlog.get_logger())
    desk = Desk(root, gateways, history)
    try:
        yield desk
    finally:
        desk.launcher.free.set()
        await desk.fleet.close()
        await history.close()
        await gateways.close()
        await client.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager.process, "KILLED_S", 0.1)
    monkeypatch.setattr(manager.reloading, "KILLED_S", 0.1)


def test_stop_of_a_name_tells_that_its_process_lives_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with desk_in(tmp_path) as desk:
            process = desk.fleet.processes["data-layer"]
            process.want("test")
            async with asyncio.timeout(60):
                answer = await desk.control("stop", "data-layer")
            assert answer.failed == ("data-layer",)
            assert "did not end within 0.2 s" in answer.lines[0]
            assert process.state is ProcessState.STOPPING
            desk.launcher.free.set()
            async with asyncio.timeout(60):
                assert (await desk.control("stop", "data-layer")).failed == ()

    asyncio.run(story())


def test_what_leaves_the_configuration_and_lives_on_stays_listed_until_it_is_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with desk_in(tmp_path) as desk:
            fleet, whole = desk.fleet, desk.wanted
            fleet.processes["gateway-a"].wanted = True
            fleet.processes["gateway-a"]._start("test")
            desk.wanted = desk.installation(instances={}, accounts={})
            async with asyncio.timeout(60):
                done = await desk.reloader.reload()
            told = {outcome.name: outcome for outcome in done}
            assert told["gateway-a"].failed
            assert "did not end within 0.2 s" in told["gateway-a"].text
            assert not told["worker-i"].failed
            assert set(fleet.processes) == {"data-layer", "gateway-a"}
            # It comes back into the configuration: the same row, and no second process beside the first.
            desk.wanted = whole
            old = fleet.processes["gateway-a"]
            async with asyncio.timeout(60):
                await desk.reloader.reload()
            assert fleet.processes["gateway-a"] is old
            assert desk.launcher.starts == 1
            desk.wanted = desk.installation(instances={}, accounts={})
            async with asyncio.timeout(60):
                await desk.reloader.reload()
            desk.launcher.free.set()
            assert await fleet.until(lambda: "gateway-a" not in fleet.processes, 10)

    asyncio.run(story())


def test_a_successor_does_not_take_over_from_a_worker_that_lives_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with desk_in(tmp_path) as desk:
            fleet = desk.fleet
            old = fleet.processes["worker-i"]
            old.wanted = True
            old._start("test")
            changed = {**INSTANCE, "timeframe": "5m"}
            desk.wanted = desk.wanted.model_copy(
                update={"instances": desk.installation(instances={"i": changed}, accounts={}).instances}
            )
            reload = asyncio.ensure_future(desk.reloader.reload())
            async with asyncio.timeout(60):
                while "worker-i" not in fleet.successors:
                    await asyncio.sleep(0)
            ((taken, begun),) = desk.taken
            assert taken.instances == desk.wanted.instances
            assert begun == 0, "selections have to be in place before a worker begins"
            with pytest.raises(Rejected, match=r"did not end within 0\.2 s"):
                await desk.reloader._hand_over(fleet.successors["worker-i"])
            async with asyncio.timeout(60):
                (outcome,) = await reload
            assert outcome.failed
            assert "a new one starts then" in outcome.text
            assert fleet.processes["worker-i"] is old
            assert old.wanted

    asyncio.run(story())
