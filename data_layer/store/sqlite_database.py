"""A file of SQLite as a `Database`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from atrader.errors import StoreError
from data_layer.store.database import DamagedPages
from data_layer.store.sqlite_file import SqliteFile, damaged, errors_of, is_damage

T = TypeVar("T")


class SqliteDatabase(SqliteFile):
    """One connection to a file, in autocommit mode; parameters as of `SqliteFile`."""

    execute: Callable[..., Any]
    executemany: Callable[..., Any]

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        self.execute = connection.execute
        self.executemany = connection.executemany

    def reading(self, work: Callable[[], T]) -> T:
        """Do work that sees one state of the file."""
        return self._transaction("BEGIN", work)

    def writing(self, work: Callable[[], T]) -> T:
        """Do work in one transaction; others that read see it when this returns."""
        return self._transaction("BEGIN IMMEDIATE", work)

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Generator[Any, None, None]:
        """Return rows one after the other."""
        with self._told_damage():
            yield from self._db.execute(statement, values)

    def stream_blobs(self, table: str, statement: str, values: Sequence[Any] = ()) -> Generator[Any, None, None]:
        """Return rows with their blobs. Through handles: a SELECT copies each blob twice into fresh memory."""
        with self._told_damage():
            for row in self._db.execute(statement, values).fetchall():
                with self._db.blobopen(table, "data", row[0], readonly=True) as blob:
                    data = blob.read()
                yield *row, data

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows."""
        marks = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def damaged(self, reason: str) -> StoreError:
        """Make the error of a file with contents that cannot be right."""
        return damaged(self._path, reason)

    @contextmanager
    def _told_damage(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                raise DamagedPages(f"{self._path}: {error}", details={"damaged": True}) from error
            raise

    def _transaction(self, begin: str, work: Callable[[], T]) -> T:
        with errors_of(self._path):
            self._db.execute(begin)
            try:
                done = work()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise
            return done
