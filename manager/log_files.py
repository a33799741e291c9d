"""The log files of a fleet, read as one: merged by time, followed as they grow."""

from __future__ import annotations

import heapq
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LogLine:
    """One structured line; ``time`` is ISO 8601 UTC with as many decimals as it needs."""

    time: str
    process: str
    level: str
    event: str
    fields: dict[str, Any] = field(default_factory=dict)  # the rest


MANAGER = "manager"
"""Process name of the manager itself; it also writes about the others."""

_KNOWN = ("timestamp", "process", "level", "event")


def parse_line(text: str, process: str) -> LogLine | None:
    """Read one line; a line that is cut off or not ours gives None."""
    try:
        values: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("timestamp"), str):
        return None
    rest = {key: value for key, value in values.items() if key not in _KNOWN}
    return LogLine(
        values["timestamp"],
        str(values.get("process", process)),
        str(values.get("level", "info")),
        str(values.get("event", "")),
        rest,
    )


def log_paths(folder: Path, name: str | None) -> list[Path]:
    """Return the current log files, of one process or of all; a bare account or instance name finds its process."""
    paths = sorted(folder.glob("*.log"))
    if name is None:
        return paths
    wanted = {name, f"worker-{name}", f"gateway-{name}"}
    return [path for path in paths if path.stem in wanted]


def tail(paths: Iterable[Path], count: int) -> list[LogLine]:
    """Return the newest lines of several files in the order of time."""
    parts = []
    for path in paths:
        with path.open(encoding="utf-8", errors="replace") as handle:
            newest = deque(handle, maxlen=count)
        parts.append([line for text in newest if (line := parse_line(text, path.stem))])
    return list(heapq.merge(*parts, key=_moment))[-count:] if count else []


def _moment(line: LogLine) -> str:
    """Return what sorts by time: without its Z, which is greater than any further decimal."""
    return line.time.rstrip("Z")


class Follower:
    """Reads what is appended to log files; survives their rotation and new files."""

    def __init__(self, folder: Path, name: str | None) -> None:
        self._folder = folder
        self._name = name
        self._places: dict[Path, tuple[int, int, str]] = {}  # inode, offset, cut-off rest
        self._note_ends()

    def _note_ends(self) -> None:
        for path in log_paths(self._folder, self._name):
            found = path.stat()
            self._places[path] = (found.st_ino, found.st_size, "")

    def new_lines(self) -> list[LogLine]:
        """Return the lines that were appended since the last call, in the order of time."""
        lines = [line for path in log_paths(self._folder, self._name) for line in self._read(path)]
        return sorted(lines, key=_moment)

    def _read(self, path: Path) -> Iterator[LogLine]:
        inode, offset, rest = self._places.get(path, (0, 0, ""))
        try:
            handle = path.open("rb")
        except FileNotFoundError:  # rotated away between the listing and now
            return
        with handle:
            found = os.fstat(handle.fileno())
            if found.st_ino != inode or found.st_size < offset:
                offset, rest = 0, ""
            handle.seek(offset)
            text = rest + handle.read().decode("utf-8", "replace")
            lines = text.split("\n")
            self._places[path] = (found.st_ino, handle.tell(), lines.pop())
        for line in lines:
            if parsed := parse_line(line, path.stem):
                yield parsed
