"""A fleet of toy processes under the real manager."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from atrader.bus import SyncCallClient
from atrader.wire import Request
from tests.support.command_server import TOY_MANAGER
from tests.support.fleet import Fleet, wait_for
from tests.support.warm_commands import WarmProcess

QUICK = """
beat_timeout = '1s'
start_grace = '10s'
stop_grace = '1s'
stall_grace = '300ms'
"""


class ToyFleet(Fleet):
    """One data layer, one gateway and some workers that do what files tell them."""

    def __init__(
        self, root: Path, workers: int = 1, process: str = QUICK, restart: str = "", instance: str = ""
    ) -> None:
        super().__init__(root)
        self.process_text = process
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
            f"beat_interval = '100ms'\nstop_grace = '5s'\n{text}\n[data]\nbase_timeframe = '1s'\n"
            "[market]\nfeed = 'synthetic'\ninstruments = ['EUR/USD']\n"
            f"[process]\n{self.process_text}\n[process.restart]\n{self.restart_text}\n"
        )

    def write_toy_worker(self, number: int, text: str = "") -> None:
        self.write_instance(
            f"toy{number}",
            number,
            strategy="sma-cross",
            text=f"{text}\n[process]\n{self.process_text}\n[process.restart]\n{self.restart_text}\n",
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

    def ask(self, request: Request, timeout_s: float = 20.0) -> Any:
        """Call the manager."""
        client = SyncCallClient(self.home.endpoint("manager.call"))
        try:
            return client.call(request, timeout_s=timeout_s)
        finally:
            client.close()

    def wait_state(self, name: str, state: str, deadline_s: float = 15.0) -> dict[str, Any]:
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
