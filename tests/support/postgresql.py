"""A real PostgreSQL: Debian's binaries run as the user postgres, else those of a wheel; in a directory of its own."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.support.leaks import TAG

URL_VARIABLE = "ATRADER_TEST_POSTGRESQL"
_START_S = 90.0
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "40",
    "autovacuum": "off",  # its workers would come and go in the middle of leak checks
    "max_logical_replication_workers": "0",
    "log_min_messages": "warning",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_PR_SET_PDEATHSIG = 1
_ICU_SINCE = 150000
_numbers = count(1)


class NoServer(Exception):
    """Raised when this machine has nothing to start a server with."""


def binaries() -> Path:
    """Return the directory of initdb and postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    spec = importlib.util.find_spec("pgserver")
    if spec is not None and spec.origin is not None and os.geteuid() != 0:  # as root it changes the system
        wheel = Path(spec.origin).parent / "pginstall" / "bin"
        if (wheel / "initdb").exists():
            return wheel
    raise NoServer(
        "no PostgreSQL on this machine: install Debian's package postgresql, or the wheel pgserver (not as root), or"
        f" name a server with {URL_VARIABLE}=postgresql://USER@HOST/DATABASE"
    )


class PostgresServer:
    """A server with a directory and a socket of its own.

    Parameters
    ----------
    durable : bool
        Whether commits are synced, as they have to be where the server is killed.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._bin = binaries()
        self._user = "postgres" if os.geteuid() == 0 else None
        self.directory = Path(tempfile.mkdtemp(prefix="atrader-pg-"))
        if self._user is not None:
            shutil.chown(self.directory, self._user, pwd.getpwnam(self._user).pw_gid)
        self._settings = _SETTINGS if durable else _SETTINGS | _NOT_DURABLE
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N", "--locale=C")

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> str:
        """What it said."""
        return (self.directory / "log").read_text()

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def start(self) -> None:
        """Start and wait until it answers. From the main thread: the server ends with the thread that started it."""
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-k", str(self.directory)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=_environment(),
                preexec_fn=_die_with_us,
                **self._as_user(),
            )
        end_s = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > end_s or self._process.poll() is not None:
                raise AssertionError(f"PostgreSQL does not start: {self.log}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT) -> None:
        """Stop in order: SIGINT ends sessions, rolls back and writes everything."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(_START_S)
        self._process = None

    def kill(self) -> None:
        """End all its processes with SIGKILL, as a crash of the machine's memory does."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        master.suspend()  # or it would start what we kill again
        processes = [*master.children(recursive=True), master]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes[:-1], timeout=_START_S)
        self._process.wait(_START_S)
        self._process = None

    def freeze(self) -> None:
        """Let it hang without a word: connections stay, nobody answers."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        master.suspend()  # first: it makes no more processes
        for process in master.children(recursive=True):
            process.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        master = psutil.Process(self._process.pid)
        for process in [*master.children(recursive=True), master]:
            process.resume()

    def close(self) -> None:
        """Stop and remove everything."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=30).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env=_environment(),
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": ()}


@contextmanager
def any_server() -> Iterator[str]:
    """Give the address of a server: the one the environment names, else one that is started and ended again."""
    named = os.environ.get(URL_VARIABLE)
    if named:
        yield named
        return
    server = started()
    try:
        yield server.url()
    finally:
        server.close()


def started(*, durable: bool = False) -> PostgresServer:
    """Start a server of our own; skip the test where there is none, but never in CI."""
    try:
        server = PostgresServer(durable=durable)
    except NoServer as reason:
        if os.environ.get("CI"):
            pytest.fail(f"CI tests the PostgreSQL store: {reason}")
        pytest.skip(str(reason))
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    return server


@contextmanager
def database(server: str, owner: str = "") -> Iterator[str]:
    """Give the address of an empty database; it is dropped afterwards, whoever is still connected."""
    name = f"atrader_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as admin:
        # A language with an order of its own, where the release knows how: ours must not depend on it.
        locale = "LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE'" if admin.info.server_version >= _ICU_SINCE else ""
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8 {locale} {owner}'.encode())
    try:
        yield with_database(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as admin:  # the server may be another one by now
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def with_database(url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    before, _, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG") and key != TAG}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _die_with_us() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
