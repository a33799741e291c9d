"""Runs our commands in processes forked from one that has imported them: see `warm_commands`. Started as a script."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from manager.fork_server import begin_early

MAINS = {"atrader": "manager.commands.tools", "atrader-manager": "manager.commands.fleet"}
"""Where the function ``main`` of a program is."""

TOY_MANAGER, GATEWAY, DATA_LAYER = "toy-manager", "gateway-alone", "data-layer-alone"
HOSTS = {
    TOY_MANAGER: "tests.support.toy_manager",
    GATEWAY: "tests.support.gateway_process",
    DATA_LAYER: "tests.support.data_layer_process",
}
"""Where the function ``main`` of a program is that is no command of ours."""

HEAVY = (
    "data_layer.offline",
    "data_layer.files",
    "data_layer.store",
    "manager.doctor",
    "manager.service",
    "data_layer.process",
    "broker_api.gateway.process",
    "pandas",
    "pyarrow.csv",
    "pyarrow.parquet",
    "psycopg",
)
"""Beside the modules of the commands, which import these when they run.

None starts a thread that a fork would miss: that of pyarrow's allocator, which knows forks, gives memory back.
"""

_LARGEST = 1 << 20


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork a process for each request until the other side closes; return in each fork with what it is to be.

    A request is JSON (``argv``, ``cwd``, ``environment``) with three descriptors: stdout, stderr, and a socket on which
    the answers go: the pid, and later the exit status as `os.waitstatus_to_exitcode` gives it.
    """
    woken, wake = os.pipe()
    for descriptor in (woken, wake):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # with a handler, the descriptor below is written to
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report_ends(running)
        if requests.fileno() in ready:
            message, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, 3)
            if not message:
                return None
            out, err, answers = descriptors
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for inherited in (requests, *running.values()):
                    inherited.detach()
                os.dup2(out, 1)
                os.dup2(err, 2)
                os.closerange(3, os.sysconf("SC_OPEN_MAX"))
                return dict(json.loads(message))
            os.close(out)
            os.close(err)
            running[pid] = socket.socket(fileno=answers)
            _tell(running[pid], pid)


def _report_ends(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as answers:
                _tell(answers, os.waitstatus_to_exitcode(status))


def _tell(answers: socket.socket, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # the test was interrupted meanwhile
        answers.send(str(number).encode())


def _become(request: dict[str, Any]) -> NoReturn:
    """Be the command: as a new interpreter would be, but for what is imported."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    sys.argv = request["argv"]
    if sys.argv[-1] == "start":
        begin_early(sys.argv[1:], os.environ)  # the program does it while it imports
    code: int | str | None = None
    try:
        _main_of(os.path.basename(sys.argv[0]))()
    except SystemExit as end:
        code = end.code
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    # Not the interpreter's own end: it visits, and so copies, all that was imported.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _main_of(program: str) -> Callable[[], None]:
    if program in HOSTS:
        sys.path.append(str(Path(__file__).resolve().parents[2]))  # their children inherit it
    main: Callable[[], None] = importlib.import_module((MAINS | HOSTS)[program]).main
    return main


def _import_all() -> None:
    import manager.commands

    for module in pkgutil.iter_modules(manager.commands.__path__):
        importlib.import_module(f"manager.commands.{module.name}")
    for name in HEAVY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    _import_all()
    if (wanted := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _become(wanted)
