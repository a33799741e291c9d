"""From one store into another, row by row: copied, then compared; it may be interrupted and run again."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from sqlalchemy import Connection, LargeBinary, Table, delete, func, insert, select, text, tuple_

from atrader.errors import ConfigError, StoreError
from data_layer.store.database import TableDatabase
from data_layer.store.interface import HistoryReader, MarketReader
from data_layer.store.market_schema import facts
from data_layer.store.places import TRANSFER, StorePlace
from data_layer.store.schema import HISTORY, MARKET

_ROWS: Final = 2000
_CHUNKS: Final = 32  # rows with blobs of a third of a megabyte
_SCHEMAS: Final = (MARKET, HISTORY)

Row: TypeAlias = Mapping[str, Any]
Key: TypeAlias = tuple[Any, ...]


class Report(Protocol):
    """Learns how far a transfer is."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Take the rows copied and compared so far, of all tables."""
        ...


class _Pair(NamedTuple):
    """A table in both places."""

    table: Table
    source: TableDatabase
    target: TableDatabase


def transfer(source: StorePlace, target: StorePlace, report: Report) -> dict[str, int]:
    """Bring everything from one place to an empty other one, and compare every row. The source is not changed.

    Both are locked meanwhile. The target cannot be used until a run has come to its end; a run after one that was
    interrupted copies what is missing or differs.

    Returns
    -------
    dict of str to int
        Rows of each table, the same in both places.

    Raises
    ------
    ConfigError
        When the target holds something else.
    StoreError
        When either is in use, away, damaged or cannot be written, there is no source, or a row differs in the end.
    """
    name = "a transfer"
    if not any([_is_there(source.market_reader, name), _is_there(source.history_reader, name)]):
        raise ConfigError(f"there is no store in {source}: nothing to bring to {target}")
    with ExitStack() as stack:
        pairs = []
        for schema in _SCHEMAS:
            databases = [place.tables(schema, name) for place in (source, target)]
            for database in databases:
                stack.callback(database.close)
            pairs += [_Pair(table, *databases) for table in schema.tables().metadata.sorted_tables]
        _begin(pairs, str(source), str(target))
        counts = {pair.table.name: _count(pair.source, pair.table) for pair in pairs}
        total, done = 2 * sum(counts.values()), 0
        for what, work in (("copying", _copied), ("comparing", _compared)):
            for pair in pairs:
                for rows in work(pair):
                    done += rows
                    report(f"{what} {pair.table.name}", done, total)
        _finish(pairs)
    return counts


def _is_there(opened: Callable[[str], MarketReader | HistoryReader], name: str) -> bool:
    try:
        opened(name).close()
    except StoreError as error:
        if error.details.get("missing"):
            return False
        raise
    return True


def _begin(pairs: list[_Pair], source: str, target: str) -> None:
    """Mark the target as unfinished; refuse one with contents of its own."""
    market = pairs[0].target
    statement = select(facts.c.value).where(facts.c.name == TRANSFER)
    marked = market.reading(lambda connection: connection.execute(statement).scalar())
    if marked is None and any(_count(pair.target, pair.table) for pair in pairs):
        raise ConfigError(f"{target} holds a store already: name an empty place, or move that one away")
    if marked not in (None, source):
        raise ConfigError(f"{target} is the target of an unfinished transfer from {marked}, not from {source}")
    if marked is None:
        market.writing(lambda connection: connection.execute(insert(facts).values(name=TRANSFER, value=source)))


def _finish(pairs: list[_Pair]) -> None:
    for pair in pairs:
        pair.target.writing(partial(_number_on, table=pair.table))
    pairs[0].target.writing(lambda connection: connection.execute(delete(facts).where(facts.c.name == TRANSFER)))


def _number_on(connection: Connection, table: Table) -> None:
    """Let a server give numbers above those that came with the rows; SQLite does so by itself."""
    if connection.dialect.name == "postgresql" and "id" in table.c and table.c.id.identity is not None:
        statement = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), coalesce(max(id), 0) + 1, false)"
        connection.execute(text(f"{statement} FROM {table.name}"))


def _copied(pair: _Pair) -> Iterator[int]:
    for after, upto, rows in _pages(pair):
        _check_blobs(pair.table, rows)
        fresh = {_key(pair.table, row): row for row in rows}
        old = {_key(pair.table, row): row for row in _between(pair.target, pair.table, after, upto)}
        wrong = [key for key, row in old.items() if fresh.get(key) != row]
        missing = [row for key, row in fresh.items() if old.get(key) != row]
        if wrong or missing:
            pair.target.writing(partial(_replace, table=pair.table, wrong=wrong, missing=missing))
        yield len(rows)


def _compared(pair: _Pair) -> Iterator[int]:
    for after, upto, rows in _pages(pair):
        _check_blobs(pair.table, rows)
        found = _between(pair.target, pair.table, after, upto)
        if found != rows:
            differs = next((a for a, b in zip(rows, found, strict=False) if a != b), None)
            where = "their number" if differs is None else f"the row {_key(pair.table, differs)}"
            raise StoreError(f"{pair.table.name} differ in {where} after copying: nothing was deleted; run it again")
        yield len(rows)


def _replace(connection: Connection, table: Table, wrong: list[Key], missing: list[Row]) -> None:
    for key in wrong:
        connection.execute(delete(table).where(tuple_(*table.primary_key) == tuple_(*key)))
    if missing:
        connection.execute(insert(table), missing)


def _pages(pair: _Pair) -> Iterator[tuple[Key | None, Key | None, list[Row]]]:
    """Walk through the source in the order of its key: what comes after which key, up to which; None for no limit."""
    size = _CHUNKS if _blobs(pair.table) else _ROWS
    after: Key | None = None
    while True:
        rows = _between(pair.source, pair.table, after, None, size)
        if len(rows) < size:
            yield after, None, rows
            return
        upto = _key(pair.table, rows[-1])
        yield after, upto, rows
        after = upto


def _between(
    database: TableDatabase, table: Table, after: Key | None, upto: Key | None, limit: int | None = None
) -> list[Row]:
    statement = select(table).order_by(*table.primary_key).limit(limit)
    key = tuple_(*table.primary_key)
    if table is facts:
        statement = statement.where(facts.c.name != TRANSFER)
    if after is not None:
        statement = statement.where(key > tuple_(*after))
    if upto is not None:
        statement = statement.where(key <= tuple_(*upto))
    return database.reading(lambda connection: [dict(row) for row in connection.execute(statement).mappings()])


def _count(database: TableDatabase, table: Table) -> int:
    statement = select(func.count()).select_from(table)
    return int(database.reading(lambda connection: connection.execute(statement).scalar_one()))


def _check_blobs(table: Table, rows: list[Row]) -> None:
    for name in _blobs(table):
        for row in rows:
            if zlib.crc32(row[name]) != row["crc32"]:
                raise StoreError(
                    f"{table.name} {_key(table, row)} is damaged (its checksum is wrong): nothing was deleted"
                )


def _blobs(table: Table) -> list[str]:
    return [column.name for column in table.columns if isinstance(column.type, LargeBinary)]


def _key(table: Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key)
