"""The history as people ask for it: the store's rows, and those of the archive when they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from atrader.errors import StoreError
from atrader.messages.history import GetStatistics, QueryHistory
from atrader.statistics import report
from data_layer.archive.parquet import crc32_of, read_rows
from data_layer.store import ArchiveFile, HistoryReader
from data_layer.store.history_query import EQUAL, HIDDEN, ORDER_WITHIN_TIME
from data_layer.store.history_schema import TIME_COLUMN

_VERSIONED: Final = {"orders": "client_id", "trades": "trade_id"}

Row = dict[str, Any]


class HistoryView:
    """Answers queries. For one thread at a time.

    Parameters
    ----------
    reader : HistoryReader
        Of the store.
    directory : Path
        Where the archive's files are.
    """

    def __init__(self, reader: HistoryReader, directory: Path) -> None:
        self._reader = reader
        self._directory = directory

    def query(self, query: QueryHistory) -> list[Row]:
        """Return rows, oldest first; with a limit the newest so many. Money is text, times are ns UTC.

        Raises
        ------
        Rejected
            When the table has no such column to filter by.
        StoreError
            When an archive that is asked for is missing or damaged.
        ConfigError
            When there are archives to read and pyarrow is not installed.
        """
        if not query.archived:
            return self._reader.query(query)
        listed = self._reader.archives()
        rows = self._reader.query(query)
        while (now := self._reader.archives()) != listed:  # rows that moved meanwhile would be in both, or in neither
            listed, rows = now, self._reader.query(query)
        files = [file for file in listed if _overlaps(file, query)]
        found = [row for file in files for row in self._rows_of(file) if _matches(query, row)]
        if query.table in _VERSIONED:  # a version that came after its order was archived is the newer one
            key = _VERSIONED[query.table]
            newer = {(row["account"], row[key]) for row in rows}
            found = [row for row in found if (row["account"], row[key]) not in newer]
        time, within = _time_of(query.table), ORDER_WITHIN_TIME.get(query.table, "origin")
        found.sort(key=lambda row: (row[time], row[within]))
        shown = [{name: value for name, value in row.items() if name not in HIDDEN} for row in found]
        together = sorted([*shown, *rows], key=lambda row: row[time])  # stable: archived ones before those of that time
        return together if query.limit is None else together[-query.limit :]

    def statistics(self, request: GetStatistics, now_ns: int) -> list[Row]:
        """Return statistics of trades; see `atrader.statistics.report`. Raises as `query`."""
        wanted = QueryHistory(table="trades", **request.model_dump(exclude={"by"}))
        trades = self.query(wanted)
        of_account = {"table": "equity", "magic": None, "instance": None, "instrument": None}
        equity = self.query(wanted.model_copy(update=of_account)) if trades else []
        return report(trades, equity, request.by, now_ns)

    def _rows_of(self, file: ArchiveFile) -> list[Row]:
        path = self._directory / file.file
        if path.exists() and crc32_of(path) != file.crc32:
            raise StoreError(f"archive {path} is damaged (its checksum differs): put a copy from a backup in its place")
        return read_rows(path, file.table_name)


def _time_of(table_name: str) -> str:
    return TIME_COLUMN.get(table_name, "time_ns")


def _overlaps(file: ArchiveFile, query: QueryHistory) -> bool:
    if file.table_name != query.table:
        return False
    return (query.start_ns is None or file.last_ns >= query.start_ns) and (
        query.end_ns is None or file.first_ns < query.end_ns
    )


def _matches(query: QueryHistory, row: Mapping[str, Any]) -> bool:
    time_ns = row[_time_of(query.table)]
    if query.start_ns is not None and time_ns < query.start_ns:
        return False
    if query.end_ns is not None and time_ns >= query.end_ns:
        return False
    return all(getattr(query, name) in (None, row.get(name)) for name in EQUAL)
