"""The schema version inside a SQLite file: made once, known at each opening, raised step by step, never guessed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from atrader.errors import StoreError

_NONE: Final[Mapping[int, str]] = MappingProxyType({})


def check_version(connection: sqlite3.Connection, path: Path, version: int, application_id: int = 0) -> int:
    """Return the schema version of a file, 0 for an empty one.

    Raises
    ------
    StoreError
        When the file was written by a newer program, or bears another application id.
    sqlite3.Error
        When it is damaged or no database.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    (marked,) = connection.execute("PRAGMA application_id").fetchone()
    if marked != application_id and (found or marked):
        raise StoreError(
            f"{path} is a database of something else: move it away or put the right one in its place",
            details={"path": str(path), "application_id": marked},
        )
    if found > version:
        raise StoreError(
            f"{path} was written by a newer atrader (schema {found}, this one knows {version}): run the release"
            " that wrote it",
            details={"path": str(path), "found": found, "known": version},
        )
    return int(found)


def bring_to_version(
    connection: sqlite3.Connection,
    path: Path,
    schema: str,
    version: int,
    application_id: int = 0,
    steps: Mapping[int, str] = _NONE,
) -> None:
    """Make the tables of an empty file, or change those of an older one; a crash leaves it as it was before a step.

    Parameters
    ----------
    connection : sqlite3.Connection
        The only one that writes, in autocommit mode.
    path : Path
        Its file, for people.
    schema : str
        Statements that make all tables.
    version : int
        Schema version of this program.
    application_id : int
        Marks whose file it is; 0 for none.
    steps : mapping of int to str
        Statements that bring a file of the version before to this one, from 2 on.

    Raises
    ------
    StoreError, sqlite3.Error
        As `check_version`; sqlite3.Error also when the file cannot be written.
    """
    found = check_version(connection, path, version, application_id)
    scripts = {number: steps[number] for number in range(found + 1, version + 1)} if found else {version: schema}
    for number, script in scripts.items():
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}; PRAGMA user_version={number}; PRAGMA application_id={application_id}; COMMIT;"
        )
