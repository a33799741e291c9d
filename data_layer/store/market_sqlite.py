"""The embedded market store: market.db."""

from __future__ import annotations

from pathlib import Path

from atrader.clock import Clock
from data_layer.store.images import Images
from data_layer.store.market_reader import SqlMarketReader
from data_layer.store.market_store import SqlMarketStore
from data_layer.store.schema import MARKET
from data_layer.store.sqlite_database import SqliteDatabase
from data_layer.store.sqlite_file import open_reader, open_writer


class SqliteMarketReader(SqlMarketReader):
    """Reads market.db. For one thread at a time.

    Parameters
    ----------
    path : Path
        The file.
    images : Images, optional
        Copies of long series, read faster.

    Raises
    ------
    StoreError
        When the file is missing, damaged, or older or newer than this program.
    """

    def __init__(self, path: Path, images: Images | None = None) -> None:
        super().__init__(SqliteDatabase(path, open_reader(path, MARKET)), images)


class SqliteMarketStore(SqlMarketStore):
    """Reads and writes market.db; holds its lock. For one thread at a time.

    Parameters
    ----------
    path : Path
        The file; made when missing, brought to this version when it is older.
    owner : str
        Who this is, for whoever finds the lock taken.
    wait_s : float
        How long to wait for the lock.
    clock : Clock, optional
        Dates revisions; default: the host's.

    Raises
    ------
    StoreError
        When another process holds it, or the file is damaged, newer than this program or cannot be written.
    """

    def __init__(self, path: Path, owner: str, wait_s: float = 0.0, clock: Clock | None = None) -> None:
        connection = open_writer(path, owner, wait_s, synchronous="NORMAL", schema=MARKET)
        self._file = SqliteDatabase(path, connection)
        super().__init__(self._file, clock)

    def compact(self) -> None:
        """Rewrite the file without holes; what reads is not disturbed."""
        self._file.compact()
