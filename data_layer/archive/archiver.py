"""Moves old rows of the history to Parquet files, each step so that a crash after it loses and doubles nothing.

1. The rows are written to a file, which is synced, read back and compared.
2. In one transaction the store deletes them and lists the file.

A crash before 2 leaves the rows in the store and a file that is not listed: nobody reads it, and the next run puts it
aside. After 2 the rows are in the file only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from atrader.clock import NS_PER_S, utc_from_ns
from atrader.configuration.fleet import DataConfig
from data_layer.archive.parquet import pyarrow, write_rows
from data_layer.store import ArchiveFile, HistoryReader
from data_layer.store.history_schema import TIME_COLUMN

_ROWS: Final = 20_000  # of one file: small enough to be in memory twice, large enough to pack well
_ASIDE: Final = ".unlisted"

_OF_TRADES: Final = ("trades", "fills", "order_events", "orders", "intents")
"""Archived with the limit of trades; signals come before, since intents tell which of them belong to open trades."""


Commit: TypeAlias = Callable[[ArchiveFile, Sequence[Mapping[str, Any]]], None]
"""Lets the store delete rows that a file holds and list the file; returns when both are on the disk."""


def limits_of(config: DataConfig, now_ns: int) -> dict[str, int]:
    """Return the time before which rows of a table are old, by table, in the order they are archived.

    Tables that are kept for ever are not in it.
    """
    keep_s = {
        "signals": config.keep_signals,
        **dict.fromkeys(_OF_TRADES, config.keep_trades),
        "equity": config.keep_equity,
        "alerts": config.keep_events,
        "events": config.keep_events,
    }
    return {name: now_ns - int(keep * NS_PER_S) for name, keep in keep_s.items() if keep is not None}


class Archiver:
    """Moves what is old. For one thread; may be stopped and begun again at any moment.

    Parameters
    ----------
    reader : HistoryReader
        Says what is old.
    commit : Commit
        Deletes it.
    directory : Path
        Where the files are, a folder for each table; made when missing.
    rows : int
        How many at most are in one file.
    """

    def __init__(self, reader: HistoryReader, commit: Commit, directory: Path, rows: int = _ROWS) -> None:
        self._reader = reader
        self._commit = commit
        self._directory = directory
        self._rows = rows

    def run(self, limits: Mapping[str, int], progress: Callable[[int, int, str], None]) -> dict[str, int]:
        """Archive what is older than the limits (UTC ns, by table); return how many rows of each table.

        Parameters
        ----------
        progress : callable
            Gets rows done, 0 (nobody knows how many there will be) and the table, after each file.

        Raises
        ------
        ConfigError
            When pyarrow is not installed; nothing was touched.
        StoreError
            When a file cannot be written, or a row changed meanwhile. What was done before stays done.
        """
        pyarrow()
        self._put_aside_what_is_not_listed()
        moved = dict.fromkeys(limits, 0)
        for table_name, before_ns in limits.items():
            while rows := self._reader.old_rows(table_name, before_ns, self._rows):
                self._commit(self._write(table_name, rows), rows)
                moved[table_name] += len(rows)
                progress(sum(moved.values()), 0, table_name)
        return moved

    def _write(self, table_name: str, rows: Sequence[Mapping[str, Any]]) -> ArchiveFile:
        column = TIME_COLUMN.get(table_name, "time_ns")
        first_ns, last_ns = rows[0][column], rows[-1][column]
        number = 0
        while (path := self._directory / table_name / _name(first_ns, last_ns, number)).exists():
            number += 1
        crc32 = write_rows(path, table_name, rows)
        return ArchiveFile(f"{table_name}/{path.name}", table_name, len(rows), first_ns, last_ns, crc32)

    def _put_aside_what_is_not_listed(self) -> None:
        """Rename what a crash left: deleting it would be wrong after an older history was put back."""
        listed = {file.file for file in self._reader.archives()}
        for path in self._directory.glob("*/*.parquet"):
            if path.name.startswith("."):
                path.unlink()  # it never was a whole file
            elif f"{path.parent.name}/{path.name}" not in listed:
                path.rename(path.with_name(path.name + _ASIDE))


def _name(first_ns: int, last_ns: int, number: int) -> str:
    first, last = (utc_from_ns(time_ns).strftime("%Y%m%dT%H%M%SZ") for time_ns in (first_ns, last_ns))
    return f"{first}-{last}-{number}.parquet"
