"""What a market store needs of a database, so that its statements are written once.

Statements are those that SQLite and PostgreSQL both understand, with ``?`` for values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from atrader.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

T = TypeVar("T")

Insert: TypeAlias = "Callable[[Table], Any]"
"""Makes the insert statement of a dialect, which knows ``on_conflict_do_update``."""


class DamagedPages(StoreError):
    """Raised when rows of a statement cannot be read although the database can; others may be fine."""

    code = "damaged-pages"


class Cursor(Protocol):
    """Rows of an answer."""

    @property
    def rowcount(self) -> int:
        """How many rows a statement that changes some has changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Stream(Protocol):
    """Large rows, one after the other; to be closed."""

    def __iter__(self) -> Iterator[Any]: ...

    def close(self) -> object:
        """Give up the rows that are left."""
        ...


class Database(Protocol):
    """One connection to a database. For one thread at a time.

    Statements are run inside `reading` and `writing` only; both may raise `StoreError`.
    """

    def reading(self, work: Callable[[], T]) -> T:
        """Do work that sees one state of the database. It may be done more than once."""
        ...

    def writing(self, work: Callable[[], T]) -> T:
        """Do work in one transaction, which is committed when this returns and leaves nothing when this raises.

        It may be done more than once, also when the first time was committed and nobody learned of it.
        """
        ...

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Cursor:
        """Run a statement."""
        ...

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Stream:
        """Return rows that are large, one after the other; nothing else may be run until it is closed.

        Taking one may raise `DamagedPages`.
        """
        ...

    def stream_blobs(self, table: str, statement: str, values: Sequence[Any] = ()) -> Stream:
        """Return rows of a table as `stream` does, each followed by its column ``data``.

        Parameters
        ----------
        statement : str
            Selects from the table; first the ``id``.
        """
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement with many sets of values."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Add rows with new keys, the fastest way there is."""
        ...

    def damaged(self, reason: str) -> StoreError:
        """Make the error of contents that cannot be right."""
        ...

    def tidy(self) -> None:
        """Do the housekeeping that is due."""
        ...

    def close(self) -> None:
        """Close, and let go of the lock; may be called twice."""
        ...


class TableDatabase(Protocol):
    """The same seen through SQLAlchemy, for tables of rows. For one thread at a time; all may raise `StoreError`."""

    insert: Insert

    def reading(self, work: Callable[[Connection], T]) -> T:
        """Do work in a transaction that changes nothing. It may be done more than once."""
        ...

    def writing(self, work: Callable[[Connection], T]) -> T:
        """Do work in one transaction, which is on disk when this returns and leaves nothing when this raises.

        It may be done more than once, also when the first time was committed and nobody learned of it.
        """
        ...

    def tidy(self) -> None:
        """Do the housekeeping that is due."""
        ...

    def close(self) -> None:
        """Close, and let go of the lock; may be called twice."""
        ...
