"""Reading a CSV file row by row: which column is what, times with an explicit zone, numbers that are numbers."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from atrader.clock import ns_from_utc
from atrader.errors import ConfigError

TIME_NAMES = ("timestamp", "time", "datetime", "date", "open_time", "<date>")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class RowError(ValueError):
    """Raised when one row cannot be used; the reader turns it into a `BadRow`."""


def open_rows(path: Path, needed: Sequence[str]) -> tuple[Mapping[str, int], Iterator[tuple[int, list[str], int]]]:
    """Open a CSV file with a header.

    Parameters
    ----------
    path : Path
        The file; comma, semicolon or tab separated, UTF-8.
    needed : sequence of str
        Columns it must have besides the time.

    Returns
    -------
    tuple of mapping and iterator
        Column number by lower-case name (the time column under ``time``), and rows as (line number, cells, bytes
        read so far).

    Raises
    ------
    ConfigError
        When the file cannot be read, is empty, or lacks a column; names what it found.
    """
    try:
        # Bytes that are no UTF-8 spoil their own row only.
        handle = path.open("r", encoding="utf-8-sig", newline="", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    try:
        columns, delimiter = _header(path, handle.readline(), needed)
    except ConfigError:
        handle.close()
        raise
    handle.seek(0)

    def rows() -> Iterator[tuple[int, list[str], int]]:
        with handle:
            read = 0
            lines = csv.reader((line.replace("\0", "\ufffd") for line in handle), delimiter=delimiter)
            next(lines, None)
            for cells in lines:
                read += sum(map(len, cells)) + len(cells)
                if cells:
                    yield lines.line_num, cells, read

    return columns, rows()


def _header(path: Path, line: str, needed: Sequence[str]) -> tuple[dict[str, int], str]:
    if not line.strip():
        raise ConfigError(f"{path}: the file is empty")
    delimiter = max(",;\t", key=line.count)
    names = [name.strip().strip('"').lower() for name in line.strip().split(delimiter)]
    columns = {name: number for number, name in enumerate(names)}
    time_name = next((name for name in TIME_NAMES if name in columns), None)
    missing = [name for name in needed if name not in columns]
    if time_name is None:
        missing = [f"a time column ({', '.join(TIME_NAMES[:5])})", *missing]
    if missing:
        raise ConfigError(f"{path}:1: missing {', '.join(missing)}; the header has {', '.join(names)}")
    columns["time"] = columns[str(time_name)]
    return columns, delimiter


def time_reader(zone: str | None) -> Callable[[str], int]:
    """Return a function from a cell to ns UTC.

    Parameters
    ----------
    zone : str or None
        IANA zone of times that carry none; such times are errors when it is None. Local times that a zone skips or
        has twice are errors too: guessing would shift bars by an hour.
    """
    local = None if zone is None else ZoneInfo(zone)

    def read(cell: str) -> int:
        try:
            found = datetime.fromisoformat(cell.strip())
        except ValueError:
            raise RowError(f"time {cell!r} is no ISO date and time") from None
        if found.tzinfo is None:
            if local is None:
                raise RowError(f"time {cell!r} has no zone; say which one it is with --zone, e.g. --zone UTC")
            found = found.replace(tzinfo=local)
            other = found.replace(fold=1)
            if found.utcoffset() != other.utcoffset():
                raise RowError(f"time {cell!r} is ambiguous or does not exist in {zone} (clock change)")
        return ns_from_utc(found.astimezone(UTC))

    return read


def price_at(cells: Sequence[str], column: int, name: str) -> float:
    """Read a positive, finite price."""
    try:
        value = float(cells[column])
    except IndexError:
        raise RowError(f"the row has {len(cells)} cells, column {name} is missing") from None
    except ValueError:
        raise RowError(f"{name} {cells[column]!r} is no number") from None
    if not math.isfinite(value) or value <= 0:
        raise RowError(f"{name} {cells[column]!r} is no positive number")
    return value


def volume_at(cells: Sequence[str], column: int | None) -> float:
    """Read a volume that may be missing (0) but not negative."""
    if column is None or column >= len(cells) or not cells[column].strip():
        return 0.0
    try:
        value = float(cells[column])
    except ValueError:
        raise RowError(f"volume {cells[column]!r} is no number") from None
    if not math.isfinite(value) or value < 0:
        raise RowError(f"volume {cells[column]!r} is no amount")
    return value
