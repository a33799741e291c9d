"""How a process ended, and why in its own words: the manager sees a status, the reason is in the log of the dead."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

from manager.log_files import parse_line

_TAIL_BYTES: Final = 65_536  # a traceback stands in the same line
_TAIL_LINES: Final = 20  # what libraries may say after it
_LONGEST: Final = 300  # characters of a reason: it goes into tables and alerts


def described(status: int | None) -> str:
    """Put an exit status into words.

    Parameters
    ----------
    status : int or None
        Exit code, minus the number of a signal, or None when nobody knows it.
    """
    if status is None:
        return "ended, its exit status was lost with the fork server"
    if status >= 0:
        return f"ended with exit code {status}"
    known = {int(one): one.name for one in signal.Signals}
    return f"ended by signal {-status}" + (f" ({known[-status]})" if -status in known else "")


def last_words(log: Path, pid: int) -> str:
    """Return the reason that a process wrote into its log when it failed; empty when it could not.

    Parameters
    ----------
    log : Path
        Its log file, which may hold lines of earlier lives.
    pid : int
        Of the life that ended.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
    except OSError:  # a reason is good to have; supervision goes on without one
        return ""
    for text in reversed(lines):
        line = parse_line(text, log.stem)
        if line is not None and line.event == "failed" and line.fields.get("pid") == pid:
            words = " ".join(str(line.fields.get("reason", "")).split())
            return words if len(words) <= _LONGEST else f"{words[:_LONGEST]} ..."
    return ""
