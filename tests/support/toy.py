"""Processes that do nothing but what a test of the supervision wants: they read it from a file in the installation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from atrader.bus import Caller, CallServer, Handler, SyncCallClient
from atrader.errors import ConfigError, DeadlineExceeded, Rejected, Retryable
from atrader.exit_codes import ExitCode
from atrader.messages.gateway import (
    Acknowledged,
    InstanceDown,
    OutboxRow,
    Reconfigure,
    Reconfigured,
    RefreshTradingState,
)
from atrader.messages.history import Appended, AppendHistory, LastSeq
from atrader.messages.manager import Activate
from atrader.runtime.child import Child
from atrader.wire import Request

ENTRIES = dict.fromkeys(("data-layer", "gateway", "worker"), "tests.support.toy:main")


def main(child: Child) -> None:
    """Behave as ``toy/NAME`` says; without that file: be READY, beat, stop when asked."""
    folder = child.home.root / "toy"
    mode = _read(folder / child.spec.name)
    _say(folder, f"start {child.spec.name}")
    _before_ready(child, mode)
    if child.spec.standby:
        _await_turn(child)
    if child.spec.kind == "gateway":
        child.run(lambda: _gateway(child, folder))
    elif child.spec.kind == "data-layer":
        child.run(lambda: _data_layer(child, folder))
    else:
        _after_ready(child, mode, folder)
    _say(folder, f"end {child.spec.name}")


def _before_ready(child: Child, mode: str) -> None:
    if mode == "config-error":
        raise ConfigError("toy: wrong configuration")
    if mode == "maintenance":
        child.exit(ExitCode.BROKER_MAINTENANCE)
    if mode == "crash-early":
        raise RuntimeError("toy: crash before READY")
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if mode == "grandchildren":
        code = "import os, sys, time; sys.argv[1] == 'own' and os.setsid(); time.sleep(600)"
        for how in ("group", "own"):
            subprocess.Popen([sys.executable, "-c", code, how])
    while mode == "never-ready" and not child.stopping:
        _turn(child, "starting", 0)


def _after_ready(child: Child, mode: str, folder: Path) -> None:
    turns = 0
    hoard = []
    while not child.stopping:
        turns += mode != "idle" or turns == 0
        _turn(child, "ready", turns, **json.loads(_read(folder / f"{child.spec.name}.body") or "{}"))
        if mode == "crash":
            raise RuntimeError("toy: crash")
        if mode == "exit-ok":
            return
        while mode == "spin":
            pass
        if mode == "grow":
            hoard.append(b"x" * 20_000_000)


async def _gateway(child: Child, folder: Path) -> None:
    """Beat as told, and note what the manager calls."""

    def instance_down(request: InstanceDown, caller: Caller) -> Acknowledged:
        _say(folder, f"down {request.instance} {request.policy}")
        return Acknowledged()

    def refresh(request: RefreshTradingState, caller: Caller) -> Acknowledged:
        return Acknowledged()

    def reconfigure(request: Reconfigure, caller: Caller) -> Reconfigured:
        if _read(folder / f"{child.spec.name}.refuse"):
            raise Rejected("toy: not while running")
        _say(folder, f"instances {','.join(item.name for item in request.instances)}")
        return Reconfigured(orphans=())

    calls: dict[type[Request], Handler] = {
        InstanceDown: instance_down,
        RefreshTradingState: refresh,
        Reconfigure: reconfigure,
    }
    await _serve(child, folder, f"gateway.{child.spec.subject}.call", calls)


async def _data_layer(child: Child, folder: Path) -> None:
    """Beat as told, and take the manager's history as if it were stored: at its end the manager waits for that."""
    last_seq = 0

    def append(request: AppendHistory, caller: Caller) -> Appended:
        nonlocal last_seq
        last_seq = max((last_seq, *(OutboxRow.model_validate(row).seq for row in request.rows)))
        return Appended(last_seq=last_seq)

    def last(request: LastSeq, caller: Caller) -> Appended:
        return Appended(last_seq=last_seq)

    await _serve(child, folder, "data.call", {AppendHistory: append, LastSeq: last})


async def _serve(child: Child, folder: Path, endpoint: str, calls: Mapping[type[Request], Handler]) -> None:
    server = CallServer(child.home.endpoint(endpoint), calls)
    await server.start()
    turns = 0
    while not child.stopping:
        turns += 1
        child.beat("ready", turns, **json.loads(_read(folder / f"{child.spec.name}.body") or "{}"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.stop_requested(), 0.02)
    await server.close()


def _turn(child: Child, phase: str, progress: int, **body: object) -> None:
    child.beat(phase, progress, **body)
    select.select([child.wakeup_fd], [], [], 0.02)


def _await_turn(child: Child) -> None:
    manager = SyncCallClient(child.home.endpoint("manager.call"))
    try:
        while not child.stopping:
            child.beat("starting", 0)
            try:
                manager.call(Activate(name=child.spec.name, pid=os.getpid()), timeout_s=1.0)
            except (DeadlineExceeded, Retryable):
                continue
            return
    finally:
        manager.close()


def _read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def _say(folder: Path, line: str) -> None:
    """Append to the diary of the fleet; small appends do not mix."""
    with open(folder / "diary", "a") as diary:
        diary.write(f"{line} {os.getpid()}\n")
