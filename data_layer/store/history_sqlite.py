"""The embedded history store: history.db, through SQLAlchemy Core."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, select
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from atrader.messages.data import QueryHistory
from atrader.messages.gateway import OutboxRow
from data_layer.store.history_query import statement_of
from data_layer.store.history_rows import TableRow, row_of_worker, rows_of_outbox
from data_layer.store.history_schema import HISTORY_VERSION, metadata, outbox_positions
from data_layer.store.sqlite_file import checkpoint, errors_of, open_reader, open_writer, store_error


class SqliteHistoryReader:
    """Reads history.db. For one thread at a time.

    Raises
    ------
    StoreError
        When the file is missing, damaged or newer than this program.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection | None = None) -> None:
        self._path = path
        self._db = connection or open_reader(path, HISTORY_VERSION)
        self._engine = _engine_of(self._db)

    def query(self, query: QueryHistory) -> list[dict[str, object]]:
        """Return rows, oldest first; with a limit the newest so many. Money is text, times are ns UTC."""
        statement = statement_of(query)
        try:
            with self._engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(statement).mappings()]
        except DBAPIError as error:
            raise self._error(error) from error
        return rows[::-1] if query.limit is not None else rows

    def last_seq(self, source: str) -> int:
        """Return the highest number of a source that is on disk, 0 for none."""
        try:
            with self._engine.connect() as connection:
                return _last_seq(connection, source)
        except DBAPIError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close, and release the lock of a writer; may be called twice."""
        self._engine.dispose()
        self._db.close()

    def _error(self, error: DBAPIError) -> Exception:
        return store_error(self._path, error.orig) if isinstance(error.orig, sqlite3.Error) else error


class SqliteHistoryStore(SqliteHistoryReader):
    """Reads and writes history.db; holds its lock. For one thread at a time.

    Parameters
    ----------
    path : Path
        The file; made when missing.
    owner : str
        Who this is, for whoever finds the lock taken.
    wait_s : float
        How long to wait for the lock.

    Raises
    ------
    StoreError
        When another process holds it, or the file is damaged, newer than this program or cannot be written.
    """

    def __init__(self, path: Path, owner: str, wait_s: float = 0.0) -> None:
        super().__init__(
            path,
            open_writer(path, owner, wait_s, synchronous="FULL", schema=_schema(), version=HISTORY_VERSION),
        )

    def append(self, batches: Sequence[tuple[str, Sequence[OutboxRow]]]) -> list[int]:
        """Append rows of outboxes, all in one transaction that is on disk before this returns."""
        try:
            with self._engine.begin() as connection:
                return [_append_batch(connection, source, rows) for source, rows in batches]
        except DBAPIError as error:
            raise self._error(error) from error

    def append_rows(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Append rows that came without numbers, once each."""
        built = [row_of_worker(row) for row in rows]
        try:
            with self._engine.begin() as connection:
                _write(connection, built)
        except DBAPIError as error:
            raise self._error(error) from error

    def tidy(self) -> None:
        """Move the write-ahead log into the file."""
        with errors_of(self._path):
            checkpoint(self._db, self._path)


def _append_batch(connection: Connection, source: str, rows: Sequence[OutboxRow]) -> int:
    last = _last_seq(connection, source)
    fresh = [row for row in rows if row.seq > last]
    if not fresh:
        return last
    _write(connection, [built for row in fresh for built in rows_of_outbox(source, row)])
    last = max(row.seq for row in fresh)
    statement = insert(outbox_positions).values(source=source, last_seq=last)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_={"last_seq": last}))
    return last


def _last_seq(connection: Connection, source: str) -> int:
    found = connection.execute(select(outbox_positions.c.last_seq).where(outbox_positions.c.source == source)).scalar()
    return int(found or 0)


def _write(connection: Connection, rows: Sequence[TableRow]) -> None:
    for table, group in groupby(sorted(rows, key=_table_name), key=lambda row: row.table):
        connection.execute(_upsert(table), [row.values for row in group])


def _table_name(row: TableRow) -> str:
    return row.table.name


@cache
def _upsert(table: Table) -> Any:
    """Return the insert of a table: what has versions is replaced by a newer one, everything else is written once."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    if "version" not in table.c or "version" in keys:
        return statement.on_conflict_do_nothing(index_elements=keys)
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    return statement.on_conflict_do_update(
        index_elements=keys, set_=changed, where=statement.excluded.version > table.c.version
    )


def _schema() -> str:
    dialect = sqlite_dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=_name)]
    return ";".join(statements)


def _name(index: Any) -> str:
    return str(index.name)


def _engine_of(db: sqlite3.Connection) -> Engine:
    """Make an engine over one open connection; transactions begin when SQLAlchemy says so, not when sqlite3 guesses."""
    engine = create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
