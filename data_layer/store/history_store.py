"""The history store over any database, through SQLAlchemy Core: the same for SQLite files and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select

from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from data_layer.store import history_archive
from data_layer.store.database import Insert, TableDatabase
from data_layer.store.history_query import statement_of
from data_layer.store.history_rows import TableRow, rows_of_outbox
from data_layer.store.history_schema import outbox_positions
from data_layer.store.interface import ArchiveFile

T = TypeVar("T")


class SqlHistoryReader:
    """Reads the history; a `HistoryReader`. For one thread at a time.

    Parameters
    ----------
    database : TableDatabase
        Closed together with the reader.
    """

    def __init__(self, database: TableDatabase) -> None:
        self._db = database

    def query(self, query: QueryHistory) -> list[dict[str, object]]:
        """Return rows, oldest first; with a limit the newest so many. Money is text, times are ns UTC."""
        statement = statement_of(query)
        rows = self._db.reading(
            lambda connection: [dict(row) for row in connection.execute(statement).mappings()]  # all before it ends
        )
        return rows[::-1] if query.limit is not None else rows

    def last_seq(self, source: str) -> int:
        """Return the highest number of a source that is on disk, 0 for none."""
        return self._db.reading(lambda connection: _last_seq(connection, source))

    def old_rows(self, table: str, before_ns: int, limit: int) -> list[dict[str, Any]]:
        """Return the oldest rows of a table that may be archived, with every column, oldest first."""
        return self._db.reading(lambda connection: history_archive.old_rows(connection, table, before_ns, limit))

    def archives(self) -> list[ArchiveFile]:
        """List the files that rows were moved to, oldest first."""
        return self._db.reading(history_archive.archives)

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._db.close()


class SqlHistoryStore(SqlHistoryReader):
    """Reads and writes the history; a `HistoryStore`. For one thread at a time."""

    def append(self, batches: Sequence[tuple[str, Sequence[OutboxRow]]]) -> list[int]:
        """Append rows of outboxes, all in one transaction that is on disk before this returns."""
        insert = self._db.insert
        return self._db.writing(
            lambda connection: [_append_batch(connection, insert, source, rows) for source, rows in batches]
        )

    def archive(self, file: ArchiveFile, rows: Sequence[Mapping[str, object]]) -> None:
        """Delete rows that a file holds, and list the file, in one transaction that is on disk before this returns."""
        self._db.writing(lambda connection: history_archive.archive(connection, file, rows))

    def tidy(self) -> None:
        """Do the housekeeping that is due."""
        self._db.tidy()


def _append_batch(connection: Connection, insert: Insert, source: str, rows: Sequence[OutboxRow]) -> int:
    last = _last_seq(connection, source)
    fresh = [row for row in rows if row.seq > last]
    if not fresh:
        return last
    _write(connection, insert, [built for row in fresh for built in rows_of_outbox(source, row)])
    last = max(row.seq for row in fresh)
    statement = insert(outbox_positions).values(source=source, last_seq=last)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_={"last_seq": last}))
    return last


def _last_seq(connection: Connection, source: str) -> int:
    found = connection.execute(select(outbox_positions.c.last_seq).where(outbox_positions.c.source == source)).scalar()
    return int(found or 0)


def _write(connection: Connection, insert: Insert, rows: Sequence[TableRow]) -> None:
    for table, group in groupby(sorted(rows, key=_table_name), key=lambda row: row.table):
        connection.execute(_upsert(table, insert), [row.values for row in group])


def _table_name(row: TableRow) -> str:
    return row.table.name


@cache
def _upsert(table: Table, insert: Insert) -> Any:
    """Return the insert of a table: what has versions is replaced by a newer one, everything else is written once."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    if "version" not in table.c or "version" in keys:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(
        index_elements=keys, set_=changed, where=statement.excluded.version > table.c.version
    )
