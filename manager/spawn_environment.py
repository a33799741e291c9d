"""The environment that the fork server, and so every child, is started with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from atrader.runtime.spec import TAG_VARIABLE

MANAGER_PID_VARIABLE: Final = "ATRADER_MANAGER_PID"


def tag_of(root: Path) -> str:
    """Return the mark of all processes of an installation directory."""
    return str(root)


def prepare_environment(root: Path) -> None:
    """Set what children inherit, in the environment of this process.

    It has to be there before the fork server starts: later changes are not seen in ``/proc/PID/environ``, by which
    survivors are found.
    """
    os.environ[TAG_VARIABLE] = tag_of(root)
    os.environ[MANAGER_PID_VARIABLE] = str(os.getpid())
    # Our folder names are common words: the current directory must not decide which ones are imported.
    os.environ["PYTHONSAFEPATH"] = "1"
    # One strategy is one thread; pools of BLAS threads in fifty workers would fight for the cores.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
