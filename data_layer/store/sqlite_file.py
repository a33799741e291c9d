"""Opening SQLite files the one right way, and telling people what is wrong with them."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from atrader.errors import StoreError
from atrader.runtime.file_lock import FileLock
from atrader.runtime.sqlite_schema import bring_to_version, check_version
from data_layer.store.schema import Schema

Synchronous = Literal["NORMAL", "FULL"]

_BUSY_MS: Final = 5000  # readers wait this long for the moment in which a write-ahead log is set up or reset
_PAGE_BYTES: Final = 16384
_HEADER_BYTES: Final = 100  # has the size of a page at 16
_MMAP_BYTES: Final = 64 * 2**20  # what is mapped counts as our memory; more of it reads no faster
_TRUNCATE_BYTES: Final = 64 * 1024 * 1024  # a write-ahead log that large is cut, not only emptied
_DISK_TROUBLE: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
_CUT_SHORT: Final = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def store_error(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """Make the error that people see, with the remedy, of one of SQLite or the system."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
        return StoreError(f"{path}: {error.strerror}", details={"read_only": full})
    if is_damage(error):
        return damaged(path, str(error))
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_TROUBLE:
        text = f"{path} cannot be written ({error}): make room on the disk; writing goes on by itself afterwards"
        return StoreError(text, details={"read_only": True})
    return StoreError(f"{path}: {error}", details={"read_only": False})


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether SQLite found contents that cannot be right."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code in _CUT_SHORT


def damaged(path: Path, reason: str) -> StoreError:
    """Make the error of a damaged file."""
    return StoreError(
        f"{path} is damaged ({reason}): stop the fleet, move the file and its -wal and -shm away or put a backup in"
        " their place, and start again; the journals of the gateways hold the orders, bars can be imported again",
        details={"damaged": True},
    )


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into `StoreError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error) from error


class _OwningConnection(sqlite3.Connection):
    """A connection that lets go of its file's lock when it is closed."""

    lock: FileLock

    def close(self) -> None:
        super().close()
        self.lock.release()


def open_writer(
    path: Path, owner: str, wait_s: float, *, synchronous: Synchronous, schema: Schema
) -> sqlite3.Connection:
    """Open the one writing connection of a file; make what is missing and bring an older file to this version.

    Its `close` may be repeated.

    Parameters
    ----------
    path : Path
        The file; its directory exists. The lock is beside it, with ``.lock`` appended.
    owner : str
        Who this is, for whoever finds the lock taken.
    wait_s : float
        How long to wait for the lock: a predecessor may be dying.
    synchronous : {"NORMAL", "FULL"}
        FULL: a commit survives power failure.
    schema : Schema
        Its tables.

    Raises
    ------
    LockHeld
        When another process has the file open for writing.
    StoreError
        When the file is damaged, newer than this program or cannot be opened.
    """
    lock = FileLock(lock_of(path), owner, path, wait_s)
    with ExitStack() as undo, errors_of(path):
        undo.callback(lock.release)
        _check_whole(path)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=_OwningConnection)
        connection.lock = lock
        undo.callback(connection.close)
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint=0")  # checkpoints come when there is nothing else to do
        connection.execute(f"PRAGMA mmap_size={_MMAP_BYTES}")
        _bring_to_version(connection, path, schema)
        undo.pop_all()
        return connection


def _check_whole(path: Path) -> None:
    """Refuse a file that was cut within its last page, which SQLite does not see."""
    if not path.exists():
        return
    with path.open("rb") as file:
        header, size = file.read(_HEADER_BYTES), path.stat().st_size
    page_bytes = int.from_bytes(header[16:18], "big")
    log = path.with_name(f"{path.name}-wal")
    if (
        page_bytes > 1 and size % page_bytes and not (log.exists() and log.stat().st_size)
    ):  # a log may bring the rest of the page
        raise damaged(path, f"its {size} bytes are no whole number of pages")


def lock_of(path: Path) -> Path:
    """Return the side file that is locked by whoever may write a file."""
    return path.with_name(f"{path.name}.lock")


def open_reader(path: Path, schema: Schema) -> sqlite3.Connection:
    """Open a connection that can only read; for any process and thread, one thread at a time.

    Raises
    ------
    StoreError
        When the file is missing (``details["missing"]``), damaged, newer than this program, or older
        (``details["old"]``): opening it for writing brings it to this version.
    """
    if not path.exists():
        raise StoreError(f"{path} does not exist yet", details={"missing": True})
    with errors_of(path):
        _check_whole(path)
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            connection.execute("PRAGMA wal_autocheckpoint=0")
            connection.execute(f"PRAGMA mmap_size={_MMAP_BYTES}")
            if check_version(connection, path, schema.version) != schema.version:
                raise older(path)
        except BaseException:
            connection.close()
            raise
        return connection


def older(place: object) -> StoreError:
    """Make the error of a store that a writer has to bring to this version first."""
    return StoreError(
        f"{place} was written by an older atrader: start the fleet once, or import something, and it is brought up to"
        " date",
        details={"old": True},
    )


def _bring_to_version(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    if check_version(connection, path, schema.version) == schema.version:
        return
    from data_layer.store.tables import SQLITE  # SQLAlchemy: for a store that is new or old

    tables = schema.tables()
    steps = {version: ";".join(step(SQLITE)) for version, step in tables.steps.items()}
    bring_to_version(connection, path, ";".join(tables.statements(0, SQLITE)[schema.version]), schema.version, 0, steps)


class SqliteFile:
    """One connection to a file, and its housekeeping; by the writing connection only. Readers are not disturbed.

    Parameters
    ----------
    path : Path
        The file, for people.
    connection : sqlite3.Connection
        From here on used by nobody else.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._db = connection

    def tidy(self) -> None:
        """Move the write-ahead log into the file."""
        log = self._path.with_name(f"{self._path.name}-wal")
        with errors_of(self._path):
            large = log.exists() and log.stat().st_size > _TRUNCATE_BYTES
            self._db.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if large else 'PASSIVE'})")

    def compact(self) -> None:
        """Rewrite the file without holes; the room for it was looked for before."""
        with errors_of(self._path):
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close, and let go of the lock of a writer; may be called twice."""
        self._db.close()
