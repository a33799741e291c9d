"""A fleet of toy processes under the real manager."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from atrader.bus import SyncCallClient
from atrader.wire import Request
from tests.support.command_server import TOY_MANAGER
from tests.support.fleet import START_S, Fleet, wait_for
from tests.support.warm_commands import WarmProcess

_PATIENT = {"beat_timeout": "15s", "start_grace": "60s", "stop_grace": "15s", "stall_grace": "1s"}
"""Settings of [process] under which a busy machine is no fault of the processes."""


def _settings(process: Mapping[str, str]) -> str:
    return "[process]\n" + "\n".join(f"{key} = '{value}'" for key, value in process.items())


class ToyFleet(Fleet):
    """One data layer, one gateway and some workers that do what files tell them.

    Parameters
    ----------
    root : Path
        Empty or missing directory for it.
    workers : int
        How many there are: ``toy1`` and so on.
    process : mapping
        Settings of [process] that the workers have, beside patient ones that all processes have.
    restart, instance : str
        Text of [process.restart] of all, and of the workers' files before their sections.
    """

    def __init__(
        self,
        root: Path,
        workers: int = 1,
        process: Mapping[str, str] = MappingProxyType({}),
        restart: str = "",
        instance: str = "",
    ) -> None:
        super().__init__(root)
        self.worker_settings = process
        self.restart_text = restart
        self.write_toy_fleet()
        self.write_account()
        for number in range(1, workers + 1):
            self.write_toy_worker(number, instance)
        (root / "toy").mkdir(exist_ok=True)

    def write_toy_fleet(self, text: str = "") -> None:
        (self.home.etc / "accounts").mkdir(parents=True, exist_ok=True)
        (self.home.etc / "strategies").mkdir(parents=True, exist_ok=True)
        (self.home.etc / "atrader.toml").write_text(
            f"beat_interval = '100ms'\nstop_grace = '60s'\n{text}\n[data]\nbase_timeframe = '1s'\n"
            "[market]\nfeed = 'synthetic'\ninstruments = ['EUR/USD']\n"
            f"{_settings(_PATIENT)}\n[process.restart]\n{self.restart_text}\n"
        )

    def write_toy_worker(self, number: int, text: str = "") -> None:
        self.write_instance(
            f"toy{number}",
            number,
            strategy="sma-cross",
            text=f"{text}\n{_settings({**_PATIENT, **self.worker_settings})}\n[process.restart]\n{self.restart_text}\n",
        )

    def tell(self, name: str, mode: str) -> None:
        """Say how a process behaves from its next start on."""
        (self.home.root / "toy" / name).write_text(mode)

    def beats_with(self, name: str, body: dict[str, Any]) -> None:
        """Say what a process tells in its beats from now on."""
        draft = self.home.root / "toy" / f"{name}.draft"
        draft.write_text(json.dumps(body))
        draft.replace(draft.with_suffix(".body"))

    def launch(self, preload: str = "manager.preload.libraries") -> None:
        with open(self.home.root / "manager.out", "ab") as out:
            self._manager = WarmProcess(
                [TOY_MANAGER, str(self.home.root), preload], environment=os.environ, out=out.fileno(), err=out.fileno()
            )

    def ask(self, request: Request, timeout_s: float = START_S) -> Any:
        """Call the manager."""
        client = SyncCallClient(self.home.endpoint("manager.call"))
        try:
            return client.call(request, timeout_s=timeout_s)
        finally:
            client.close()

    def wait_state(self, name: str, state: str, deadline_s: float = START_S) -> dict[str, Any]:
        """Wait until a process is in a state; return its status row."""
        return dict(
            wait_for(
                lambda: (row := self.process(name)).get("state") == state and row,
                f"{name} {state}; it is {self.process(name)}\n{self.output()[-3000:]}",
                deadline_s,
            )
        )

    def transitions(self, name: str) -> list[str]:
        """Return what the manager logged about a process, oldest first: ``A -> B (reason)``."""
        lines = (json.loads(line) for line in (self.home.log / "manager.log").read_text().splitlines())
        return [line["transition"] for line in lines if line["event"] == "transition" and line["name"] == name]

    def states(self, name: str) -> list[str]:
        """Return the states a process went through."""
        return [re.split(r" -> | \(", text)[1] for text in self.transitions(name)]

    def diary(self) -> list[str]:
        """Return what toy processes noted: ``start NAME PID`` and ``end NAME PID``."""
        path = self.home.root / "toy" / "diary"
        return path.read_text().splitlines() if path.exists() else []
