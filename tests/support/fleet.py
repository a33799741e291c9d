"""A whole fleet in a temporary directory: real manager, real processes, real sockets, real files."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from atrader.bus import SyncCallClient, close_context
from atrader.configuration.home import Home
from atrader.errors import AtraderError
from atrader.messages.manager import GetStatus
from tests.support.command_server import MAINS
from tests.support.warm_commands import WarmProcess, can_run, run_warm, suits

_FLEET = "manager.commands.fleet"
_SCRIPT_OF = {module: script for script, module in MAINS.items()}

START_S = 90.0
"""Longest a fleet may take to be RUNNING on a busy machine before a test fails."""

_COMMAND_S = 120.0
_ANSWER_S = 20.0

PATIENT = "[process]\nbeat_timeout = '15s'\nstart_grace = '60s'\nstop_grace = '15s'\n"
"""Settings under which a busy machine is no fault of the processes."""

BUSY = '''
"""A strategy that trades all the time: open at one quote, close at the next."""

from decimal import Decimal

from atrader.strategy import EventStrategy, Parameters


class BusyParameters(Parameters):
    units: Decimal = Decimal(1000)


class Busy(EventStrategy):
    Parameters = BusyParameters

    def on_tick(self, tick):
        if self.context.orders():
            return
        trades = self.context.trades()
        if trades:
            self.context.close(trades[0].trade_id, reason="busy")
        else:
            self.context.order("buy", units=self.parameters.units, reason="busy")
'''


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = START_S, interval_s: float = 0.02) -> Any:
    """Return the first true value of a condition; fail with what was waited for."""
    end_s = time.monotonic() + deadline_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end_s:
            raise AssertionError(f"waited {deadline_s:g} s in vain for {what}")
        time.sleep(interval_s)


def gone(pid: int) -> bool:
    """Tell whether a process has ended; who started it may not have collected it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Fleet:
    """One installation under test.

    Parameters
    ----------
    root : Path
        Empty or missing directory for it.
    environment : mapping, optional
        Extra environment of the manager (crash points).
    """

    def __init__(self, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = Home(root)
        self.environment = dict(environment or {})
        self.store_url: str | None = None  # a database server instead of files
        self._manager: subprocess.Popen[bytes] | WarmProcess | None = None

    # -- writing the configuration ------------------------------------------------------------------------------

    def write_fleet(self, text: str = "", *, instruments: tuple[str, ...] = ("EUR/USD",), ticks: float = 20.0) -> None:
        """Write etc/atrader.toml: a synthetic market of 1-second bars, plus ``text``."""
        for folder in (self.home.etc / "accounts", self.home.etc / "strategies", self.home.root / "strategies"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.home.root / "strategies" / "busy.py").write_text(BUSY)
        (self.home.etc / "atrader.toml").write_text(
            f"stop_grace = '60s'\n[data]\nbase_timeframe = '1s'\n{self._store_line()}\n"
            f"[market]\nfeed = 'synthetic'\ninstruments = {json.dumps(instruments)}\n\n"
            f"[market.synthetic]\nticks_per_second = {ticks}\nvolatility_frac = 0.5\n\n{PATIENT}{text}"
        )

    def _store_line(self) -> str:
        return "" if self.store_url is None else f"store = '{self.store_url}'\n"

    def write_account(self, name: str = "paper", text: str = "") -> None:
        """Write a paper account with a generous balance."""
        (self.home.etc / "accounts" / f"{name}.toml").write_text(
            f"broker = 'paper'\n{text}\n[paper]\ninitial_balance = 1000000\n"
        )

    def write_instance(
        self,
        name: str,
        magic: int,
        *,
        strategy: str = "strategies/busy.py:Busy",
        account: str = "paper",
        instrument: str = "EUR/USD",
        text: str = "",
    ) -> None:
        """Write one strategy instance on 1-second bars; ``text`` follows, and patience when it says nothing of that."""
        (self.home.etc / "strategies" / f"{name}.toml").write_text(
            f"strategy = '{strategy}'\naccount = '{account}'\nmagic = {magic}\ninstrument = '{instrument}'\n"
            f"timeframe = '1s'\n{text}\n{'' if '[process]' in text else PATIENT}"
        )

    @staticmethod
    def unlimited() -> str:
        """Text of an instance that may be killed and may trade as often as a test likes."""
        return (
            "[limits]\nmax_orders_per_minute = 1000000\n[process.restart]\ncount = 1000\nwindow = '1s'\n"
            "min_backoff = '10ms'\nmax_backoff = '50ms'\n"
        )

    def write_busy(self, instances: int = 2, text: str | None = None, session: str = "gateway") -> None:
        """Write everything for some instances that trade all the time; ``session`` is the account's."""
        restart = "[process.restart]\ncount = 1000\nwindow = '1s'\nmin_backoff = '10ms'\nmax_backoff = '50ms'\n"
        self.write_fleet(restart)
        self.write_account(text=f"session = '{session}'")
        for number in range(1, instances + 1):
            self.write_instance(f"busy{number}", number, text=self.unlimited() if text is None else text)

    # -- running ------------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the manager in the foreground of its own process, and return at once."""
        words = ["-C", str(self.home.root), "start"]
        environment = {**os.environ, **self.environment}
        self.home.root.mkdir(parents=True, exist_ok=True)
        with open(self.home.root / "manager.out", "ab") as out:
            if suits(environment):
                argv = [_SCRIPT_OF[_FLEET], *words]
                self._manager = WarmProcess(argv, environment=environment, out=out.fileno(), err=out.fileno())
            else:
                command = [sys.executable, "-P", "-m", _FLEET, *words]
                self._manager = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment
                )

    def start(self) -> None:
        """Start the manager and wait until every process is RUNNING."""
        self.launch()
        self.wait_running()

    @property
    def manager_pid(self) -> int:
        """Process id of the manager."""
        assert self._manager is not None
        return self._manager.pid

    def wait_running(self, deadline_s: float = START_S) -> None:
        """Wait until every process is RUNNING."""
        try:
            wait_for(self._all_running, "all RUNNING", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; status {self.try_status()}\n{self.output()[-3000:]}") from None

    def _all_running(self) -> bool:
        if self._manager is not None and self._manager.poll() is not None:
            raise AssertionError(f"the manager ended with {self._manager.returncode}: {self.output()}")
        rows = (self.try_status() or {"processes": []})["processes"]
        return bool(rows) and all(row["state"] == "RUNNING" for row in rows)

    def output(self) -> str:
        """Return what the manager printed."""
        return (self.home.root / "manager.out").read_text()

    def try_status(self) -> dict[str, Any] | None:
        """Ask the manager; None while nobody answers."""
        client = SyncCallClient(self.home.endpoint("manager.call"))
        try:
            return dict(client.call(GetStatus(), timeout_s=_ANSWER_S).status)
        except AtraderError:
            return None
        finally:
            client.close()

    def process(self, name: str) -> dict[str, Any]:
        """Return the status row of one process."""
        status: dict[str, Any] = self.try_status() or {"processes": []}
        rows = [row for row in status["processes"] if row["name"] == name]
        return rows[0] if rows else {}

    def pid(self, name: str) -> int:
        """Process id of a running process; waits until there is one."""
        return int(wait_for(lambda: self.process(name).get("pid"), f"a pid of {name}"))

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a process of the fleet; return its pid."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def wait_replaced(self, name: str, old_pid: int, deadline_s: float = START_S) -> None:
        """Wait until another process of that name is RUNNING."""
        wait_for(
            lambda: (row := self.process(name)).get("state") == "RUNNING" and row.get("pid") not in (None, old_pid),
            f"a successor of {name} {old_pid}",
            deadline_s,
        )

    def command(self, *arguments: str, program: str = "manager.commands.fleet") -> subprocess.CompletedProcess[str]:
        """Run one of our commands against this installation."""
        script, words = _SCRIPT_OF[program], ["-C", str(self.home.root), *arguments]
        environment = {**os.environ, **self.environment}
        if can_run(script, arguments, environment):
            return run_warm([script, *words], environment=environment, timeout_s=_COMMAND_S)
        return subprocess.run(
            [sys.executable, "-P", "-m", program, *words],
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )

    def json(self, *arguments: str, program: str = "manager.commands.fleet") -> Any:
        """Run a command with --json and return what it printed."""
        done = self.command(*arguments, "--json", program=program)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def history(self, table: str) -> list[dict[str, Any]]:
        """Return a history table through ``atrader history``."""
        return list(self.json("history", table, program="manager.commands.tools"))

    def stop(self, number: int = signal.SIGTERM, deadline_s: float = START_S) -> int:
        """Stop the manager and return its exit status."""
        if self._manager is None:
            return 0
        if self._manager.poll() is None:
            self._manager.send_signal(number)
        try:
            return self._manager.wait(deadline_s)
        finally:
            self.end()

    def wait_end(self, deadline_s: float) -> int:
        """Wait for a manager that ends by itself; return its exit status."""
        assert self._manager is not None
        try:
            return self._manager.wait(deadline_s)
        finally:
            self.end()

    def reap(self) -> None:
        """Collect a manager that was killed."""
        assert self._manager is not None
        self._manager.wait(START_S)

    def end(self) -> None:
        """End whatever is left, so that a failing test leaves nothing behind."""
        if self._manager is not None and self._manager.poll() is None:
            self._manager.kill()
            self._manager.wait()
        for process in self.survivors():
            with contextlib.suppress(psutil.NoSuchProcess):  # the fleet is dying with its manager
                process.kill()
                process.wait(START_S)
        close_context()

    def survivors(self) -> list[psutil.Process]:
        """Return processes of this installation that still live (found by their working files)."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and str(self.home.root) in process.environ().get(
                    "ATRADER_PROCESS_TAG", ""
                ):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found
