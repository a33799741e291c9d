"""The market store in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, Double, Integer, LargeBinary, String

from atrader.clock import Clock
from atrader.errors import StoreError
from data_layer.store.images import Images
from data_layer.store.market_reader import SqlMarketReader
from data_layer.store.market_store import SqlMarketStore
from data_layer.store.postgresql.address import Address, Connection
from data_layer.store.postgresql.errors import damaged
from data_layer.store.postgresql.session import Session
from data_layer.store.postgresql.versions import LOCKS, bring_to_version, make_reader
from data_layer.store.schema import MARKET

T = TypeVar("T")

_TYPES: Final = {BigInteger: "int8", Integer: "int4", Double: "float8", String: "text", LargeBinary: "bytea"}


class PostgresMarketReader(SqlMarketReader):
    """Reads bars and quotes. For one thread at a time.

    Parameters
    ----------
    address : Address
        The database.
    patience_s : float
        How long a call goes on trying while the server is away.
    images : Images, optional
        Copies of long series, read faster.

    Raises
    ------
    StoreError
        When the server is away, or there are no tables, or an older or newer program made them.
    """

    def __init__(self, address: Address, owner: str, patience_s: float = 0.0, images: Images | None = None) -> None:
        def prepare(connection: Connection) -> None:
            make_reader(connection, address, MARKET)

        database = PostgresDatabase(Session(address, owner, prepare=prepare, patience_s=patience_s))
        super().__init__(database, images)


class PostgresMarketStore(SqlMarketStore):
    """Reads and writes bars and quotes; holds the lock of the market. For one thread at a time.

    Parameters
    ----------
    address : Address
        The database; tables are made when they are missing, and brought to this version when they are older.
    owner : str
        Who this is, for whoever finds the lock taken.
    wait_s : float
        How long to wait for the lock.
    patience_s : float
        How long a call goes on trying while the server is away.
    clock : Clock, optional
        Dates revisions; default: the host's.
    on_close : callable, optional
        Called by `close`.

    Raises
    ------
    StoreError
        When the server is away or refuses, another process holds the lock, or a newer program made the tables.
    """

    def __init__(
        self,
        address: Address,
        owner: str,
        wait_s: float = 0.0,
        patience_s: float = 0.0,
        *,
        clock: Clock | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        def prepare(connection: Connection) -> None:
            bring_to_version(connection, address, MARKET)

        session = Session(
            address,
            owner,
            lock=LOCKS["market"],
            wait_s=wait_s,
            patience_s=patience_s,
            prepare=prepare,
            on_close=on_close,
        )
        super().__init__(PostgresDatabase(session), clock)


class PostgresDatabase:
    """A session as a `Database`: binary parameters and answers, binary COPY for what is large."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._connection: Connection | None = None

    def reading(self, work: Callable[[], T]) -> T:
        """Do work in one transaction; again, when the connection died."""
        return self._session.run(lambda connection: self._transaction(connection, work))

    def writing(self, work: Callable[[], T]) -> T:
        """Do work in one transaction; again, when the connection died."""
        return self.reading(work)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Run a statement."""
        return self._open.execute(_ours(statement), values, binary=True)

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Generator[Any, None, None]:
        """Return large rows one after the other, without the whole answer in memory."""
        with self._open.cursor(binary=True) as cursor:
            yield from cursor.stream(_ours(statement), values)

    def stream_blobs(self, table: str, statement: str, values: Sequence[Any] = ()) -> Generator[Any, None, None]:
        """Return large rows with their blobs."""
        columns, _, rest = statement.partition(f" FROM {table}")
        return self.stream(f"{columns}, data FROM {table}{rest}", values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement with many sets of values, without waiting for each."""
        with self._open.cursor() as cursor:
            cursor.executemany(_ours(statement), rows)

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Copy rows in."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
        with self._open.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types([_type_of(table, column) for column in columns])
            for row in rows:
                copy.write_row(row)

    def damaged(self, reason: str) -> StoreError:
        """Make the error of contents that cannot be right."""
        return damaged(self._session.address, reason)

    def tidy(self) -> None:
        """Do nothing: the server looks after itself."""

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._session.close()

    def _transaction(self, connection: Connection, work: Callable[[], T]) -> T:
        with connection.transaction():
            self._connection = connection
            return work()

    @property
    def _open(self) -> Connection:
        assert self._connection is not None, "outside of a transaction"
        return self._connection


@cache
def _ours(statement: str) -> bytes:
    """Write a statement as psycopg wants it. They are ours and few; values never are a part of them."""
    return statement.replace("?", "%s").encode()


@cache
def _type_of(table: str, column: str) -> str:
    kind = MARKET.tables().metadata.tables[table].columns[column].type
    return next(name for base, name in _TYPES.items() if isinstance(kind, base))
