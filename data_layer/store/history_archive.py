"""Which rows of the history may leave it, and how they do; for any database that SQLAlchemy speaks to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
    true,
    tuple_,
    union,
)

from atrader.errors import StoreError
from atrader.orders.states import TERMINAL
from data_layer.store import history_schema as schema
from data_layer.store.interface import ArchiveFile

_DELETED_AT_ONCE: Final = 200  # rows a statement: databases limit its parameters
_TERMINAL: Final = sorted(state.value for state in TERMINAL)
_OF_ORDERS: Final = frozenset({"intents", "orders", "order_events"})


def old_rows(connection: Connection, table_name: str, before_ns: int, limit: int) -> list[dict[str, Any]]:
    """Return the oldest rows of a table that may be archived, with every column, oldest first.

    Parameters
    ----------
    before_ns : int
        UTC ns. Rows of that time or later stay. So does a trade that is open or was closed at that time or later,
        with all that belongs to it: its intents, orders and fills, and the signals of the bars it was decided on.
    """
    table = schema.metadata.tables[table_name]
    time = table.c[schema.TIME_COLUMN.get(table_name, "time_ns")]
    statement = select(table).where(time < before_ns, _is_over(table, before_ns)).order_by(time, *table.primary_key)
    return [dict(row) for row in connection.execute(statement.limit(limit)).mappings()]


def archive(connection: Connection, file: ArchiveFile, rows: Sequence[Mapping[str, Any]]) -> None:
    """Delete rows and list the file that holds them, inside a transaction; nothing when the file is listed already.

    Raises
    ------
    StoreError
        When one of the rows is not there as it was; roll back then.
    """
    table = schema.metadata.tables[file.table_name]
    if connection.execute(select(schema.archives).where(schema.archives.c.file == file.file)).first() is not None:
        return
    keys = [*table.primary_key]
    if "version" in table.c and not table.c.version.primary_key:
        keys.append(table.c.version)
    gone = 0
    for start in range(0, len(rows), _DELETED_AT_ONCE):
        part = [tuple(row[key.name] for key in keys) for row in rows[start : start + _DELETED_AT_ONCE]]
        gone += connection.execute(delete(table).where(tuple_(*keys).in_(part))).rowcount
    if gone != len(rows):
        raise StoreError(f"{len(rows) - gone} of {len(rows)} {file.table_name} changed while they were archived")
    connection.execute(insert(schema.archives).values(file._asdict()))


def archives(connection: Connection) -> list[ArchiveFile]:
    """List the files that rows were moved to, oldest first."""
    columns = [schema.archives.c[name] for name in ArchiveFile._fields]
    statement = select(*columns).order_by(schema.archives.c.first_ns, schema.archives.c.file)
    return [ArchiveFile(*row) for row in connection.execute(statement)]


def _is_over(table: Table, before_ns: int) -> ColumnElement[bool]:
    if table.name == "trades":
        return and_(table.c.state == "closed", table.c.close_time_ns < before_ns)
    if table.name == "fills":
        return table.c.trade_id.not_in(select(_staying_trades(before_ns).c.trade_id))
    if table.name in _OF_ORDERS:
        return table.c.client_id.not_in(select(_staying_orders(before_ns).c.client_id))
    if table.name == "signals":
        return ~_is_of_a_staying_trade(table, before_ns)
    return true()


def _staying_trades(before_ns: int) -> Any:
    trades = schema.trades
    stays = or_(trades.c.state == "open", trades.c.close_time_ns >= before_ns)
    return select(trades.c.trade_id).where(stays).subquery("staying_trades")


def _staying_orders(before_ns: int) -> Any:
    """Orders without an outcome, that changed lately, or that opened, filled or are about a trade that stays."""
    orders, fills, intents = schema.orders, schema.fills, schema.intents
    late = or_(orders.c.state.not_in(_TERMINAL), orders.c.updated_ns >= before_ns)

    def of_trades(column: Any, of: Any) -> Select[Any]:
        return select(column).where(of.in_(select(_staying_trades(before_ns).c.trade_id)), column.is_not(None))

    return union(
        select(orders.c.client_id).where(late),
        of_trades(schema.trades.c.trade_id, schema.trades.c.trade_id),
        of_trades(fills.c.client_id, fills.c.trade_id),
        of_trades(intents.c.client_id, intents.c.trade_id),
    ).subquery("staying_orders")


def _is_of_a_staying_trade(signals: Table, before_ns: int) -> ColumnElement[bool]:
    intents = schema.intents
    same_decision = and_(intents.c.instance == signals.c.instance, intents.c.bar == signals.c.bar)
    stays = intents.c.client_id.in_(select(_staying_orders(before_ns).c.client_id))
    return exists().where(same_decision, stays)
