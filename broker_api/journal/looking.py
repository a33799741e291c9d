"""A look into the journal of another process, or of nobody: nothing is written, taken or repaired."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from atrader.errors import StoreError
from broker_api.journal.reading import Reading
from broker_api.journal.schema import VERSION

_BUSY_S: Final = 2.0


@contextmanager
def looking_into(path: Path) -> Iterator[Reading]:
    """Open a journal for reading, whoever writes it meanwhile; all that is asked in one block is of one moment.

    Raises
    ------
    StoreError
        When there is none, it is damaged, or of a newer version.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no journal yet: nothing was ever traded on this account")
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise StoreError(f"{path}: version {version} is of a newer release, which has to read it")
            connection.execute("BEGIN")
            yield Reading(connection)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error
