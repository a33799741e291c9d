"""The history store in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection as Transaction
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from data_layer.store.database import Insert
from data_layer.store.history_store import SqlHistoryReader, SqlHistoryStore
from data_layer.store.postgresql.address import Address, Connection
from data_layer.store.postgresql.session import Session
from data_layer.store.postgresql.versions import LOCKS, bring_to_version, make_reader
from data_layer.store.schema import HISTORY, Schema

T = TypeVar("T")


class PostgresHistoryReader(SqlHistoryReader):
    """Reads the history. For one thread at a time; see `PostgresMarketReader`."""

    def __init__(self, address: Address, owner: str, patience_s: float = 0.0) -> None:
        def prepare(connection: Connection) -> None:
            make_reader(connection, address, HISTORY)
            connection.autocommit = False

        super().__init__(PostgresEngine(Session(address, owner, prepare=prepare, patience_s=patience_s)))


class PostgresHistoryStore(SqlHistoryStore):
    """Reads and writes the history; holds its lock. For one thread at a time; see `PostgresMarketStore`."""

    def __init__(
        self,
        address: Address,
        owner: str,
        wait_s: float = 0.0,
        patience_s: float = 0.0,
        *,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(open_tables(address, HISTORY, owner, wait_s, patience_s, on_close=on_close))


def open_tables(
    address: Address,
    schema: Schema,
    owner: str,
    wait_s: float = 0.0,
    patience_s: float = 0.0,
    *,
    on_close: Callable[[], None] | None = None,
) -> PostgresEngine:
    """Open the tables of a schema for writing, under its lock."""

    def prepare(connection: Connection) -> None:
        bring_to_version(connection, address, schema)
        row = connection.execute("SHOW synchronous_commit").fetchone()
        if row is not None and row[0] == "off":  # what was answered must survive a crash of the server
            connection.execute("SET synchronous_commit = on")
        connection.autocommit = False

    lock = LOCKS[schema.part]
    session = Session(
        address, owner, lock=lock, wait_s=wait_s, patience_s=patience_s, prepare=prepare, on_close=on_close
    )
    return PostgresEngine(session)


class PostgresEngine:
    """A session as a `TableDatabase`: its connection of the moment, seen through SQLAlchemy."""

    insert: Insert = staticmethod(insert)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._raw: Connection | None = None
        self._engine: Engine | None = None

    def reading(self, work: Callable[[Transaction], T]) -> T:
        """Do work in one transaction; again, when the connection died."""
        return self._session.run(lambda raw: self._transaction(raw, work))

    def writing(self, work: Callable[[Transaction], T]) -> T:
        """Do work in one transaction; again, when the connection died."""
        return self.reading(work)

    def tidy(self) -> None:
        """Do nothing: the server looks after itself."""

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._session.close()

    def _transaction(self, raw: Connection, work: Callable[[Transaction], T]) -> T:
        try:
            with self._over(raw).begin() as connection:
                return work(connection)
        except DBAPIError as error:
            if error.orig is None:
                raise
            raise error.orig from error

    def _over(self, raw: Connection) -> Engine:
        if self._engine is None or self._raw is not raw:
            self._raw = raw
            self._engine = create_engine(
                "postgresql+psycopg://", creator=lambda: raw, poolclass=StaticPool, use_native_hstore=False
            )
        return self._engine
