"""The beginning of the fork server. Imports next to nothing: it works while the manager still imports the rest."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Final

from atrader.runtime.tags import MANAGER_PID_VARIABLE, TAG_VARIABLE

PRELOAD: Final = "manager.preload.processes"

_begun: tuple[str, str] | None = None  # tag and preload of the running fork server


def tag_of(root: Path) -> str:
    """Return the mark of all processes of an installation directory."""
    return str(root)


def begin(root: Path, preload: str = PRELOAD) -> None:
    """Start the fork server of this process, or leave it running when it suits; does not wait until it is warm.

    Its environment, and so every child's, is set before: later changes would not be seen in ``/proc/PID/environ``, by
    which survivors are found.

    Parameters
    ----------
    root : Path
        The installation directory, absolute.
    preload : str
        Module it imports.
    """
    global _begun
    wanted = (tag_of(root), preload)
    if _begun not in (None, wanted):
        end()
    os.environ[TAG_VARIABLE] = tag_of(root)
    os.environ[MANAGER_PID_VARIABLE] = str(os.getpid())
    # Our folder names are common words: the current directory must not decide which ones are imported.
    os.environ["PYTHONSAFEPATH"] = "1"
    # One strategy is one thread; pools of BLAS threads in fifty workers would fight for the cores.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    multiprocessing.get_context("forkserver").set_forkserver_preload([preload])
    forkserver.ensure_running()
    _begun = wanted


def server_pid() -> int | None:
    """Return the process id of the fork server."""
    pid: int | None = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    return pid


def kill() -> None:
    """Kill the fork server, and with it (the kernel sees to that) every child; the next start begins a new one."""
    if (pid := server_pid()) is not None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def end() -> None:
    """Kill the fork server and free what it took."""
    global _begun
    kill()
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    _begun = None


def begin_early(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Begin when a command line is about to start a fleet in the foreground: it saves half a second.

    A wrong guess costs nothing: the manager ends a fork server that does not suit, and one that nobody uses ends with
    its process.

    Parameters
    ----------
    arguments : sequence of str
        Of the command, without its name.
    environment : mapping
        Of the process.
    """
    directory = environment.get("ATRADER_HOME") or "."
    words = list(arguments)
    if len(words) >= 2 and words[0] == "-C":
        directory, words = words[1], words[2:]
    root = Path(directory).resolve()
    if words == ["start"] and (root / "etc" / "atrader.toml").is_file():
        begin(root)
