"""The embedded history store: history.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from data_layer.store.database import Insert
from data_layer.store.history_store import SqlHistoryReader, SqlHistoryStore
from data_layer.store.schema import HISTORY
from data_layer.store.sqlite_file import SqliteFile, errors_of, open_reader, open_writer

T = TypeVar("T")


class SqliteHistoryReader(SqlHistoryReader):
    """Reads history.db. For one thread at a time.

    Raises
    ------
    StoreError
        When the file is missing, damaged, or older or newer than this program.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(SqliteEngine(path, open_reader(path, HISTORY)))


class SqliteHistoryStore(SqlHistoryStore):
    """Reads and writes history.db; holds its lock. For one thread at a time.

    Parameters
    ----------
    path : Path
        The file; made when missing, brought to this version when it is older.
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
        self._file = SqliteEngine(path, open_writer(path, owner, wait_s, synchronous="FULL", schema=HISTORY))
        super().__init__(self._file)

    def compact(self) -> None:
        """Rewrite the file without holes; what reads is not disturbed."""
        self._file.compact()


class SqliteEngine(SqliteFile):
    """One connection to a file, seen through SQLAlchemy; parameters as of `SqliteFile`."""

    insert: Insert = staticmethod(insert)

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self._engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        # Transactions begin when SQLAlchemy says so, not when sqlite3 guesses.
        event.listen(self._engine, "begin", lambda begun: begun.exec_driver_sql("BEGIN"))

    def reading(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction of its own."""
        return self.writing(work)

    def writing(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction."""
        with errors_of(self._path):
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                raise _original(error) from error

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._engine.dispose()
        super().close()


def _original(error: DBAPIError) -> BaseException:
    return error if error.orig is None else error.orig
