"""The schema ``atrader`` in a database: made once, brought up step by step, checked at each connection."""

from __future__ import annotations

from typing import Any, Final

from psycopg import IsolationLevel
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from atrader.errors import StoreError
from data_layer.store.postgresql.address import Address, Connection
from data_layer.store.schema import Schema
from data_layer.store.sqlite_file import older

LOCKS: Final = {"market": 1, "history": 2}
"""Advisory locks of the writers, by part of the store."""

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def bring_to_version(connection: Connection, address: Address, schema: Schema) -> None:
    """Make what is missing, in one transaction. For the holder of the lock.

    Raises
    ------
    StoreError
        When the tables were made by a newer program.
    """
    with connection.transaction():
        if _value(connection, "SELECT to_regnamespace('atrader')") is None:
            connection.execute("CREATE SCHEMA atrader")
        if _value(connection, "SELECT to_regclass('atrader.versions')") is None:
            connection.execute("CREATE TABLE versions (part TEXT PRIMARY KEY, version INTEGER NOT NULL)")
        found = _version(connection, address, schema)
        for version, statements in schema.tables().statements(found, _DIALECT).items():
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute(
                "INSERT INTO versions VALUES (%s, %s) ON CONFLICT (part) DO UPDATE SET version = excluded.version",
                (schema.part, version),
            )


def make_reader(connection: Connection, address: Address, schema: Schema) -> None:
    """Let a connection only read, each transaction one state of the database.

    Raises
    ------
    StoreError
        When there are no tables, or a newer or older program made them.
    """
    if _value(connection, "SELECT to_regclass('atrader.versions')") is None:
        found = 0
    else:
        found = _version(connection, address, schema)
    if found == 0:
        raise StoreError(f"{address} holds no store yet", details={"missing": True})
    if found < schema.version:
        raise older(address)
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True


def _version(connection: Connection, address: Address, schema: Schema) -> int:
    found = int(_value(connection, "SELECT version FROM versions WHERE part = %s", schema.part) or 0)
    if found > schema.version:
        raise StoreError(
            f"the {schema.part} tables in {address} were made by a newer atrader (schema {found}, this one knows"
            f" {schema.version}): run the release that made them",
            details={"found": found, "known": schema.version},
        )
    return found


def _value(connection: Connection, statement: str, *values: Any) -> Any:
    row = connection.execute(statement, values).fetchone()
    return None if row is None else row[0]
