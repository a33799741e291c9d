"""Tables as SQLAlchemy knows them, and the steps from each version to the next, for both databases. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import Dialect, Index, LargeBinary, MetaData, String, Table
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import CreateIndex, CreateTable

SQLITE: Final = SQLiteDialect()
"""For statements; each connection has its own."""

TEXT: Final = String().with_variant(String(collation="C"), "postgresql")
"""Text in the order of its bytes, which is SQLite's own, whatever the language of a server."""

Step: TypeAlias = Callable[[Dialect], list[str]]
"""Gives the statements that bring a schema from the version before to its own."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one part of a store.

    Attributes
    ----------
    metadata : MetaData
        The tables as they are now.
    steps : mapping of int to Step
        From 2 on, one for each version. A step never changes once it is released: stores that were made by it exist.
    """

    metadata: MetaData
    steps: Mapping[int, Step]

    @property
    def version(self) -> int:
        """Of the tables as they are now: one more than there are steps."""
        return 1 + len(self.steps)

    def statements(self, found: int, dialect: Dialect) -> Mapping[int, list[str]]:
        """Return what brings a store of version `found` (0: empty) here: by version reached, in order."""
        if found == 0:
            return {self.version: create(self.metadata.sorted_tables, dialect)}
        return {version: self.steps[version](dialect) for version in range(found + 1, self.version + 1)}


def create(tables: Iterable[Table], dialect: Dialect) -> list[str]:
    """Return the statements that make tables and their indexes."""
    statements = []
    for table in tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in sorted(table.indexes, key=_name)]
        if dialect.name == "postgresql":
            # Blobs of numbers hardly shrink, and packing them costs more than reading them.
            statements += [
                f"ALTER TABLE {table.name} ALTER COLUMN {column.name} SET STORAGE EXTERNAL"
                for column in table.columns
                if isinstance(column.type, LargeBinary)
            ]
    return statements


def _name(index: Index) -> str:
    return str(index.name)
