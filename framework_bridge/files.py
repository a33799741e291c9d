"""The files by which the library talks with old programs, in both spellings of their names.

Libraries after November 2025 put a newline before most names. Old monitors look for the names without.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from atrader.clock import NS_PER_S

_STDOUT: Final = 1
_MAX_OUTPUT_BYTES: Final = 20_000_000  # what a library prints is worth no more
_SPELLINGS: Final = ("", "\n")


class InstanceFiles:
    """Files of one instance in the library's folder for them.

    Parameters
    ----------
    temp : Path
        The folder; made when it is missing, since the library would only write a line about it.
    log : Path
        Folder of the library's log; made as well: the library would have a shell do it.
    magic : int
        Of the instance.
    """

    def __init__(self, temp: Path, log: Path, magic: int) -> None:
        for folder in (temp, log):
            folder.mkdir(parents=True, exist_ok=True)
        self._temp = temp
        self._magic = magic
        self._heartbeat = ""
        self._values_ns = 0  # when the library wrote those that were shown last

    def tell_order_failed(self) -> None:
        """Have the next call run the strategy again on the same bar.

        Raises
        ------
        OSError
            When it cannot be written.
        """
        for spelling in _SPELLINGS:
            (self._temp / f"{spelling}{self._magic}_orderFail.of").write_text("1\n")

    def forget_order_failed(self) -> None:
        """Remove the flag in both spellings; the library removes the one that it knows."""
        for spelling in _SPELLINGS:
            (self._temp / f"{spelling}{self._magic}_orderFail.of").unlink(missing_ok=True)

    def show_heartbeat(self, now_ns: int) -> None:
        """Write the heartbeat as old monitors read it, once a minute: the hour, and day and minute, UTC.

        A full disk is no reason not to trade: nothing is written then.
        """
        text = datetime.fromtimestamp(now_ns / NS_PER_S, UTC).strftime("%H\n%d/%m/%y %H:%M\n")
        if text != self._heartbeat:
            with suppress(OSError):
                _replace(self._temp / f"{self._magic}_heartBeat.hb", text.encode())
                self._heartbeat = text

    def show_values(self) -> None:
        """Give the file of values for displays its name without a newline, where the library wrote one with it."""
        written = self._temp / f"\n{self._magic}.ui"
        with suppress(OSError):  # there is none, or no room
            if (written_ns := written.stat().st_mtime_ns) != self._values_ns:
                _replace(self._temp / f"{self._magic}.ui", written.read_bytes())
                self._values_ns = written_ns


def state_file(temp: Path, magic: int) -> Path:
    """Return the file in which the library keeps the state of an instance."""
    return temp / f"{magic}.state"


def cut_output(process: str) -> bool:
    """Empty the file that takes what this process prints when it has grown too long; return whether it had.

    Parameters
    ----------
    process : str
        Its name: only its own ``NAME.out`` is emptied, never where a person sent the output of a command.
    """
    try:
        mine = os.readlink(f"/proc/self/fd/{_STDOUT}").endswith(f"/{process}.out")
        if not mine or os.fstat(_STDOUT).st_size <= _MAX_OUTPUT_BYTES:
            return False
        os.ftruncate(_STDOUT, 0)
    except OSError:
        return False
    return True


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_bytes(content)
    os.replace(temporary, path)
