"""What a worker decided on: each of its lives, and each bar it was given, in a file of its own.

For `atrader replay-diff`, which runs a day again and has to know what the worker knew. One line for a life, one short
line a bar (some 45 bytes); nothing is synced and nobody waits. The file is set aside when it has grown large, and the
one set aside before is forgotten.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from atrader.market import Bar, Bars

_LARGE: Final = 32 << 20  # bytes: a year of minutes
_LOOK_EVERY: Final = 1000  # bars between two looks at the size
_pack: Final = struct.Struct("<q9d").pack


class Life(BaseModel):
    """A worker as it began.

    Attributes
    ----------
    market_ns : int
        Market time; 0 in a replay that has not begun.
    strategy, code, program : str
        What configuration named, a fingerprint of its file, and the version of atrader.
    parameters : dict
        As configured.
    window : int
        Bars it looks back on.
    bar_ns : int
        Open time of the last bar that the life before handled; 0: there was none.
    newest_ns : int
        Open time of the newest complete bar then; 0: there was none.
    n : int
        Highest number of an intent so far.
    state : dict
        The strategy's own, from the checkpoint.
    pending : list of dict
        Intents that the life before left to be handed over.
    """

    model_config = ConfigDict(frozen=True)

    market_ns: int
    strategy: str
    code: str
    program: str
    instrument: str
    timeframe: str
    parameters: dict[str, Any]
    window: int
    bar_ns: int
    newest_ns: int
    n: int
    state: dict[str, Any]
    pending: list[dict[str, Any]]


class SeenBar(NamedTuple):
    """A bar as a worker had it.

    Attributes
    ----------
    crc : int
        Of its values, see `bar_crc`.
    host_ns : int
        When it was handled, by the host's clock; 0: it was part of the warm-up.
    """

    open_time_ns: int
    crc: int
    host_ns: int


class Session(NamedTuple):
    """A life and the bars it had, in the order it had them."""

    life: Life
    bars: list[SeenBar]


def bar_crc(bar: Bar) -> int:
    """Return the checksum of a bar's time and values."""
    return zlib.crc32(_pack(*bar))


class SessionFile:
    """Written by one worker. Without room on the disk nothing is written: nobody must fail for his diary."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._bars = 0

    def begin(self, life: Life, bars: Bars) -> None:
        """Note a new life with its warm-up."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
            lines = [f"\nL {life.model_dump_json()}\n"]
            rows = (bars.row(number) for number in range(len(bars)))
            lines += [f"B {bar.open_time_ns} {bar_crc(bar):08x} 0\n" for bar in rows]
            self._write("".join(lines))

    def handled(self, bar: Bar, host_ns: int) -> None:
        """Note a bar that was handled; in the file when this returns."""
        with contextlib.suppress(OSError):
            self._bars += 1
            if self._bars % _LOOK_EVERY == 0:
                self._open()
            self._write(f"B {bar.open_time_ns} {bar_crc(bar):08x} {host_ns}\n")

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _write(self, text: str) -> None:
        if self._fd is not None:
            os.write(self._fd, text.encode())

    def _open(self) -> None:
        """Open the file, a new one where the old one is large."""
        if self._path.exists() and self._path.stat().st_size > _LARGE:
            self.close()
            os.replace(self._path, _aside(self._path))
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def read_sessions(path: Path) -> list[Session]:
    """Return the lives that are known, oldest first; a line that is not whole is passed over."""
    found: list[Session] = []
    for line in (*_lines(_aside(path)), *_lines(path)):
        kind, _, rest = line.partition(" ")
        try:
            if kind == "L":
                found.append(Session(Life.model_validate_json(rest), []))
            elif kind == "B" and found:
                opened, crc, host = rest.split()
                found[-1].bars.append(SeenBar(int(opened), int(crc, 16), int(host)))
        except (ValueError, ValidationError):
            continue
    return found


def _aside(path: Path) -> Path:
    return path.with_suffix(".before")


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except (FileNotFoundError, NotADirectoryError):
        return
