"""Our commands in processes of their own, without the second that a new interpreter needs to import them.

A helper process has imported everything and forks one process for each command. It is a process like any other: own
descriptors, locks, environment and directory; its exit status is the real one. The manager of a test's fleet is such a
process, too; what it starts are new programs, as always. So are single data layers and gateways, which a fleet forks
from a process that has imported everything as well. A `start` that is typed is not run in this way: a daemon is found
by an environment that only a new program carries.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.command_server import MAINS
from tests.support.leaks import TAG

_SCRIPT = Path(__file__).with_name("command_server.py")
_WARM_S = 120.0
_READ_ONCE = frozenset({"LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING", "LANG"})

_server: subprocess.Popen[bytes] | None = None
_requests: socket.socket | None = None


def can_run(program: str, words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a command can be run here to its end."""
    return program in MAINS and "start" not in words and suits(environment)


def suits(environment: Mapping[str, str]) -> bool:
    """Tell whether nothing of an environment would concern an interpreter that begins, or its loader."""
    changed = {key for key in environment.keys() | os.environ.keys() if environment.get(key) != os.environ.get(key)}
    return not changed & _READ_ONCE


def begin() -> None:
    """Start the helper, or leave it running; it lives as long as this process. Returns while it still imports."""
    global _server, _requests
    if _server is not None:
        return
    _requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {key: value for key, value in os.environ.items() if key != TAG}
    with theirs:
        _server = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
        )
    atexit.register(end)


def end() -> None:
    """End the helper."""
    global _server, _requests
    if _server is not None and _requests is not None:
        _requests.close()
        _server.wait(_WARM_S)
    _server = _requests = None


class WarmProcess:
    """One command that runs; what `subprocess.Popen` would give of it.

    Parameters
    ----------
    argv : sequence of str
        Program, whose last part names it, and its words.
    environment : mapping
        The whole environment.
    out, err : int
        Descriptors of files; they stay the caller's.
    cwd : Path, optional
        Directory; default this process's.
    """

    def __init__(
        self, argv: Sequence[str], *, environment: Mapping[str, str], out: int, err: int, cwd: Path | None = None
    ) -> None:
        begin()
        assert _requests is not None
        self.args = list(argv)
        self.returncode: int | None = None
        request = {"argv": self.args, "cwd": str(cwd or Path.cwd()), "environment": dict(environment)}
        self._answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(_requests, [json.dumps(request).encode()], [out, err, theirs.fileno()])
        self._answers.settimeout(_WARM_S)
        self.pid = int(self._answers.recv(100))

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status, negative for a signal; `subprocess.TimeoutExpired` when it does not end in time."""
        if self.returncode is None:
            self._answers.settimeout(timeout)
            try:
                self.returncode = int(self._answers.recv(100))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0) from None
            self._answers.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


def run_warm(
    argv: Sequence[str], *, environment: Mapping[str, str], timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and return what `subprocess.run` would; parameters as of `WarmProcess`.

    Raises
    ------
    subprocess.TimeoutExpired
        When it was killed, after ``timeout_s``.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = WarmProcess(argv, environment=environment, out=out.fileno(), err=err.fileno(), cwd=cwd)
        try:
            code = process.wait(timeout_s)
        except BaseException:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(process.args, code, out.read(), err.read())
