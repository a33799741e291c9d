"""``start --daemon``: the manager in the background, and an answer only when it is known whether the fleet runs."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.exit_codes import ExitCode

_UP = b"\0"


def start_daemon(home: Path, **options: Any) -> int:
    """Start the manager detached from terminal and session, and wait until its fleet is RUNNING or is known not to be.

    What the daemon prints goes to ``log/manager.out``.

    Parameters
    ----------
    home : Path
        The installation directory.
    **options
        For `run_manager` (tests).

    Returns
    -------
    int
        An `ExitCode`: OK when every process is RUNNING. FAILURE says that some process failed: the manager goes on
        with the others. Any other code is that of a manager which ended.

    Raises
    ------
    ConfigError
        When the configuration is wrong; then nothing was started.
    """
    installation = load_installation(home)
    paths = Home(Path(home).absolute())
    paths.log.mkdir(parents=True, exist_ok=True)
    read_fd, write_fd = os.pipe()
    if os.fork() > 0:
        os.close(write_fd)
        return _wait(read_fd)
    os.close(read_fd)
    os.setsid()
    if os.fork() > 0:  # not the leader of the session: it can never get a terminal again
        os._exit(0)
    code: int = ExitCode.FAILURE
    try:
        _detach(paths)
        from manager.service import run_manager

        pipe = os.fdopen(write_fd, "wb")
        code = run_manager(paths.root, installation, foreground=False, on_up=lambda text: _tell(pipe, text), **options)
        if not pipe.closed:
            _say(pipe, "the manager ended: see log/manager.out and log/manager.log", code)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(read_fd: int) -> int:
    """Read what the daemon says until it closes the pipe, and reap the process in between."""
    with os.fdopen(read_fd, "rb") as pipe:
        said = pipe.read()
    os.wait()
    text, _, code = said.partition(_UP)
    if text:
        print(text.decode(errors="replace"), file=sys.stderr)
    if not code:
        print("atrader-manager: the manager died before its fleet was up: see log/manager.out", file=sys.stderr)
        return ExitCode.FAILURE
    return int(code)


def _tell(pipe: BinaryIO, text: str) -> None:
    _say(pipe, text, ExitCode.FAILURE if text else ExitCode.OK)


def _say(pipe: BinaryIO, text: str, code: int) -> None:
    with pipe, contextlib.suppress(BrokenPipeError):  # whoever asked may have gone
        pipe.write(text.encode() + _UP + str(int(code)).encode())


def _detach(home: Home) -> None:
    out = os.open(home.log / "manager.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(out)
