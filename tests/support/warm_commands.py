"""Our commands in processes of their own, without the second that a new interpreter needs to import them.

A helper process has imported everything and forks one process for each command. It is a process like any other: own
descriptors, locks, environment and directory; its exit status is the real one. Commands that start a fleet are not run
in this way: their children are found by an environment that only a new program carries.
"""

from __future__ import annotations

import atexit
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
_WARM_S = 60.0
_READ_ONCE = frozenset({"LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING", "LANG"})

_server: subprocess.Popen[bytes] | None = None
_requests: socket.socket | None = None


def can_run(program: str, words: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Tell whether a command can be run here: nothing of its environment may concern the interpreter or its loader."""
    changed = {key for key in environment.keys() | os.environ.keys() if environment.get(key) != os.environ.get(key)}
    return program in MAINS and "start" not in words and not changed & _READ_ONCE


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
        _server.wait(10)
    _server = _requests = None


def run_warm(
    argv: Sequence[str], *, environment: Mapping[str, str], timeout_s: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and return what `subprocess.run` would.

    Parameters
    ----------
    argv : sequence of str
        Program, whose last part names it, and its words.
    environment : mapping
        The whole environment.
    timeout_s : float
        After that it is killed.
    cwd : Path, optional
        Directory; default this process's.

    Raises
    ------
    subprocess.TimeoutExpired
        When it was killed.
    """
    begin()
    assert _requests is not None
    request = {"argv": list(argv), "cwd": str(cwd or Path.cwd()), "environment": dict(environment)}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with theirs:
            message = json.dumps(request).encode()
            socket.send_fds(_requests, [message], [out.fileno(), err.fileno(), theirs.fileno()])
        ours.settimeout(_WARM_S)
        pid = int(ours.recv(100))
        ours.settimeout(timeout_s)
        try:
            code = int(ours.recv(100))
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(argv), timeout_s) from None
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(argv), code, out.read(), err.read())
