"""The beginning of the fork server. Imports next to nothing: it works while the manager still imports the rest."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Final

from atrader.configuration.home import Home
from atrader.runtime.tags import MANAGER_PID_VARIABLE, TAG_VARIABLE

PRELOAD: Final = "manager.preload.processes"

_FOLDER: Final = "fork-server-"

_begun: tuple[str, str] | None = None  # tag and preload of the running fork server
_folder: Path | None = None  # where its socket is


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
    _make_folder(root)
    multiprocessing.get_context("forkserver").set_forkserver_preload([preload])
    forkserver.ensure_running()
    _begun = wanted


def _make_folder(root: Path) -> None:
    """Have multiprocessing put the fork server's socket below the installation's sockets.

    Its own choice is a new folder in /tmp, which stays there for ever when this process is killed.
    """
    global _folder
    sockets = Home(root).sockets
    if _folder is not None and _folder.parent == sockets and _folder.is_dir():
        return
    _drop_folder()
    sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
    _folder = Path(tempfile.mkdtemp(prefix=_FOLDER, dir=sockets))
    multiprocessing.current_process()._config["tempdir"] = str(_folder)  # type: ignore[attr-defined]
    atexit.register(_drop_folder)


def _drop_folder() -> None:
    global _folder
    atexit.unregister(_drop_folder)
    if _folder is not None:
        multiprocessing.current_process()._config.pop("tempdir", None)  # type: ignore[attr-defined]
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None


def clean(root: Path) -> None:
    """Remove what killed managers of an installation left; call it as the only manager that runs."""
    for left in Home(root).sockets.glob(f"{_FOLDER}*"):
        if left != _folder:
            shutil.rmtree(left, ignore_errors=True)


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
    _drop_folder()
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
        with contextlib.suppress(OSError):  # the manager meets it again, and says what is wrong with the directory
            begin(root)
