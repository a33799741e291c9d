"""Tables of the journal, and how a file of another version is met."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from atrader.errors import StoreError
from atrader.runtime.sqlite_schema import bring_to_version

VERSION: Final = 3
APPLICATION_ID: Final = 0x61747264  # "atrd": whoever looks at the file sees whose it is

# Each index and each table of its own is a page more that every order writes. So orders are found by magic number and
# counter, which their client id is made of, and the last row of the outbox is never deleted: it keeps the numbering.
_TABLES: Final = """
CREATE TABLE orders (
    client_id TEXT NOT NULL,
    magic INTEGER NOT NULL,
    n INTEGER NOT NULL,
    decision TEXT,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    watermark INTEGER NOT NULL,
    digest BLOB NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (magic, n)
);
CREATE UNIQUE INDEX orders_by_decision ON orders (magic, decision) WHERE decision IS NOT NULL;
CREATE INDEX orders_open ON orders (state) WHERE state IN ('NEW', 'SENT', 'UNKNOWN', 'WORKING', 'PARTIAL');
CREATE TABLE fills (
    fill_id TEXT PRIMARY KEY,
    magic INTEGER NOT NULL,
    client_id TEXT,
    trade_id TEXT,
    time_ns INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE trades (
    trade_id TEXT PRIMARY KEY,
    magic INTEGER NOT NULL,
    is_open INTEGER NOT NULL,
    version INTEGER NOT NULL,
    close_time_ns INTEGER,
    body TEXT NOT NULL
);
CREATE INDEX trades_open ON trades (is_open) WHERE is_open = 1;
CREATE INDEX trades_closed ON trades (magic, close_time_ns) WHERE is_open = 0;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SWAPS: Final = """
CREATE TABLE swaps (
    transaction_id INTEGER NOT NULL, part INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (transaction_id, part)
) WITHOUT ROWID;
"""
_ANSWERS: Final = (
    "CREATE TABLE broker_answers (transaction_id INTEGER PRIMARY KEY, time_ns INTEGER, body TEXT NOT NULL)"
)
_STEP_2: Final = (
    f"ALTER TABLE swaps RENAME TO swaps_1; {_SWAPS} INSERT INTO swaps SELECT transaction_id, 0, body FROM swaps_1;"
    f" DROP TABLE swaps_1; {_ANSWERS}"
)
# The history counts the rows of each outbox, and a journal that was begun anew is another one. Older ones: no name.
_IDENTITY: Final = "INSERT INTO meta VALUES ('identity', lower(hex(randomblob(4))));"
_STEP_3: Final = "INSERT INTO meta VALUES ('identity', '')"


def connect(path: Path) -> sqlite3.Connection:
    """Open the journal's file with full durability, make its tables if it is new.

    The caller holds the file's lock: this connection is the only one that ever writes or checkpoints.

    Raises
    ------
    StoreError
        When the file cannot be opened, is no journal, or is of a newer version.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.2)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        tables, steps = f"{_TABLES}{_SWAPS}{_ANSWERS};{_IDENTITY}", {2: _STEP_2, 3: _STEP_3}
        bring_to_version(connection, path, tables, VERSION, APPLICATION_ID, steps)
    except sqlite3.Error as error:
        raise StoreError(f"journal {path} cannot be opened: {error}", details={"path": str(path)}) from error
    return connection
