"""Where a store is: files of the installation, or a database of a server; opened the same way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from atrader.configuration.fleet import DataConfig
from atrader.configuration.home import Home
from atrader.configuration.store_url import EMBEDDED
from atrader.errors import ConfigError, StoreError
from atrader.runtime.file_lock import FileLock, owner_of
from data_layer.store.images import Images
from data_layer.store.interface import HistoryReader, HistoryStore, MarketReader, MarketStore
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from data_layer.store.market_store import SqlMarketStore
from data_layer.store.schema import Schema
from data_layer.store.sqlite_file import lock_of, open_writer

if TYPE_CHECKING:
    from data_layer.store.database import TableDatabase
    from data_layer.store.postgresql.address import Address

DATA_LAYER: Final = "data-layer"
"""Who the data layer is, to those who find its locks."""

T = TypeVar("T")

TRANSFER: Final = "transfer"
"""The fact in a market store that says where a transfer into it comes from that is not finished."""

_TRANSFER_WAIT_S: Final = 2.0


class StorePlace(Protocol):
    """Opens the stores of an installation. All methods may raise `StoreError`.

    Attributes
    ----------
    directory : Path, optional
        Whose disk fills up; None when that is a server's business.
    """

    directory: Path | None

    def market(self, owner: str, wait_s: float) -> MarketStore:
        """Open for writing; at most one process of all has it open."""
        ...

    def history(self, owner: str, wait_s: float) -> HistoryStore:
        """Open for writing; at most one process of all has it open."""
        ...

    def market_reader(self, owner: str) -> MarketReader:
        """Open for reading; ``details["missing"]`` of the error says that there is no store yet."""
        ...

    def history_reader(self, owner: str) -> HistoryReader:
        """Open for reading; ``details["missing"]`` of the error says that there is no store yet."""
        ...

    def tables(self, schema: Schema, owner: str) -> TableDatabase:
        """Open the tables of a part for writing, as they are: for a transfer."""
        ...


class EmbeddedPlace:
    """Files in ``data/``."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.directory: Path | None = home.data

    def __str__(self) -> str:
        return str(self._home.data)

    def market(self, owner: str, wait_s: float) -> MarketStore:
        """Open market.db for writing."""
        self._home.data.mkdir(parents=True, exist_ok=True)
        return _whole(SqliteMarketStore(self._home.market_store, owner, wait_s), self)

    def history(self, owner: str, wait_s: float) -> HistoryStore:
        """Open history.db for writing."""
        from data_layer.store.history_sqlite import SqliteHistoryStore  # SQLAlchemy: not for what only reads bars

        self._home.data.mkdir(parents=True, exist_ok=True)
        return SqliteHistoryStore(self._home.history_store, owner, wait_s)

    def market_reader(self, owner: str) -> MarketReader:
        """Open market.db for reading; one of an older release is brought to this one first."""
        return _upgraded(
            lambda: SqliteMarketReader(self._home.market_store, Images(self._home.images)),
            lambda: self.market(owner, 0.0).close(),
        )

    def history_reader(self, owner: str) -> HistoryReader:
        """Open history.db for reading; one of an older release is brought to this one first."""
        from data_layer.store.history_sqlite import SqliteHistoryReader

        return _upgraded(
            lambda: SqliteHistoryReader(self._home.history_store), lambda: self.history(owner, 0.0).close()
        )

    def tables(self, schema: Schema, owner: str) -> TableDatabase:
        """Open a file for writing, through SQLAlchemy."""
        from data_layer.store.history_sqlite import SqliteEngine

        self._home.data.mkdir(parents=True, exist_ok=True)
        path = {"market": self._home.market_store, "history": self._home.history_store}[schema.part]
        return SqliteEngine(path, open_writer(path, owner, _TRANSFER_WAIT_S, synchronous="FULL", schema=schema))


class PostgresPlace:
    """A database of a server, used by this installation.

    Beside the lock in the database there is one in ``data/``, so that commands know that the data layer runs here.

    Parameters
    ----------
    patience_s : float
        How long calls go on trying while the server is away.
    """

    directory: Path | None = None

    def __init__(self, home: Home, address: Address, patience_s: float = 0.0) -> None:
        self._home = home
        self._address = address
        self._patience_s = patience_s

    def __str__(self) -> str:
        return str(self._address)

    def market(self, owner: str, wait_s: float) -> MarketStore:
        """Open the market tables for writing."""
        from data_layer.store.postgresql.market import PostgresMarketStore

        def opened(lock: FileLock) -> PostgresMarketStore:
            return PostgresMarketStore(self._address, owner, wait_s, self._patience_s, on_close=lock.release)

        return _whole(self._locked(self._home.market_store, owner, wait_s, opened), self)

    def history(self, owner: str, wait_s: float) -> HistoryStore:
        """Open the history tables for writing."""
        from data_layer.store.postgresql.history import PostgresHistoryStore

        return self._locked(
            self._home.history_store,
            owner,
            wait_s,
            lambda lock: PostgresHistoryStore(self._address, owner, wait_s, self._patience_s, on_close=lock.release),
        )

    def market_reader(self, owner: str) -> MarketReader:
        """Open the market tables for reading."""
        from data_layer.store.postgresql.market import PostgresMarketReader

        return _upgraded(
            lambda: PostgresMarketReader(self._address, owner, self._patience_s, Images(self._home.images)),
            lambda: self.market(owner, 0.0).close(),
        )

    def history_reader(self, owner: str) -> HistoryReader:
        """Open the history tables for reading."""
        from data_layer.store.postgresql.history import PostgresHistoryReader

        return _upgraded(
            lambda: PostgresHistoryReader(self._address, owner, self._patience_s),
            lambda: self.history(owner, 0.0).close(),
        )

    def tables(self, schema: Schema, owner: str) -> TableDatabase:
        """Open the tables of a part for writing, through SQLAlchemy; without the lock in ``data/``."""
        from data_layer.store.postgresql.history import open_tables

        return open_tables(self._address, schema, owner, _TRANSFER_WAIT_S, self._patience_s)

    def _locked(self, path: Path, owner: str, wait_s: float, opened: Callable[[FileLock], T]) -> T:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_of(path), owner, f"{self} for {self._home.root}", wait_s)
        with ExitStack() as undo:
            undo.callback(lock.release)
            store = opened(lock)
            undo.pop_all()
            return store


def place_of(home: Home, config: DataConfig, patience_s: float = 0.0) -> EmbeddedPlace | PostgresPlace:
    """Return where the configuration says that the store is; nothing is opened yet.

    Raises
    ------
    ConfigError
        When it is a server and psycopg is not installed.
    """
    secret = config.store_password
    return place_at(home, config.store, None if secret is None else secret.resolve, patience_s)


def place_at(
    home: Home, where: str, password: Callable[[], str] | None = None, patience_s: float = 0.0
) -> EmbeddedPlace | PostgresPlace:
    """Return a place by its name: ``embedded``, or the URL of a server."""
    if where == EMBEDDED:
        return EmbeddedPlace(home)
    try:
        from data_layer.store.postgresql.address import Address
    except ImportError as error:
        raise ConfigError(
            f"data.store: {where}: the package psycopg cannot be used ({error}): pip install"
            " 'atrader-platform[postgresql]'"
        ) from error
    return PostgresPlace(home, Address(where, password), patience_s)


def data_layer_runs(store: Path) -> bool:
    """Tell whether the data layer of this host has a store open now; a command that imports answers no calls."""
    owner = owner_of(lock_of(store))
    return owner is not None and owner.name == DATA_LAYER


def _upgraded(opened: Callable[[], T], upgrade: Callable[[], None]) -> T:
    try:
        return opened()
    except StoreError as error:
        if not error.details.get("old"):
            raise
    upgrade()
    return opened()


def _whole(store: SqlMarketStore, place: object) -> MarketStore:
    source = store.fact(TRANSFER)
    if source is not None:
        store.close()
        raise StoreError(
            f"{place} is the target of a transfer that is not finished: run 'atrader data migrate' from {source} again"
        )
    return store
