"""The filters of a history query as SQL."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, Table, select

from atrader.errors import Rejected
from atrader.messages.history import QueryHistory
from data_layer.store import history_schema as schema

ORDER_WITHIN_TIME: Final = {"intents": "client_id", "orders": "client_id", "trades": "trade_id", "fills": "fill_id"}
EQUAL: Final = ("magic", "instance", "account", "instrument", "state")
HIDDEN: Final = frozenset({"origin"})


def table_of(query: QueryHistory) -> Table:
    """Return the table a query asks for."""
    return schema.metadata.tables[query.table]


def statement_of(query: QueryHistory) -> Select[Any]:
    """Return the statement: newest first when there is a limit, else oldest first.

    Raises
    ------
    Rejected
        When the table has no such column to filter by.
    """
    table = table_of(query)
    time = table.c[schema.TIME_COLUMN.get(query.table, "time_ns")]
    within = table.c[ORDER_WITHIN_TIME.get(query.table, "origin")]
    statement = select(*(column for column in table.columns if column.name not in HIDDEN))
    for name in EQUAL:
        value = getattr(query, name)
        if value is None:
            continue
        if name not in table.c:
            raise Rejected(f"{query.table} have no {name} to choose by", details={"reason": "no-such-filter"})
        statement = statement.where(table.c[name] == value)
    if query.start_ns is not None:
        statement = statement.where(time >= query.start_ns)
    if query.end_ns is not None:
        statement = statement.where(time < query.end_ns)
    if query.limit is not None:
        return statement.order_by(time.desc(), within.desc()).limit(query.limit)
    return statement.order_by(time, within)
