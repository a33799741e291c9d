"""From what the outboxes and workers send to rows of the history's tables. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from sqlalchemy import Table

from atrader.errors import WireError
from atrader.messages.gateway import OutboxRow
from atrader.orders.ids import intent_id_of
from data_layer.store import history_schema as schema


class TableRow(NamedTuple):
    """One row for one table."""

    table: Table
    values: dict[str, Any]


Body = Mapping[str, Any]


def rows_of_outbox(source: str, row: OutboxRow) -> list[TableRow]:
    """Turn a row of an outbox into rows of tables.

    Raises
    ------
    WireError
        When it lacks something its table cannot do without.
    """
    try:
        return _BUILDERS[row.table](row.body, row.time_ns, f"{source}/{row.seq}")
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise WireError(f"{row.table} row {row.seq} of {source} is not complete: {error!r}") from error


def row_of_worker(row: Mapping[str, Any]) -> TableRow:
    """Turn a row that a worker pushed (signals, alerts) into a row of a table.

    Raises
    ------
    WireError
        When it is no such row.
    """
    try:
        origin = f"{row['instance']}/{int(row['time_ns'])}/{int(row['number'])}"
        table = {"signals": schema.signals, "alerts": schema.alerts}[row["table"]]
        return _log_row(table, row, int(row["time_ns"]), origin)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a row of a worker is not complete: {error!r}") from error


def _order(body: Body, time_ns: int, origin: str) -> list[TableRow]:
    intent = body["intent"]
    intent_id = intent_id_of(body["client_id"])
    values = {
        "account": body["account"],
        "client_id": body["client_id"],
        "version": int(body["version"]),
        "intent_id": f"{intent['magic']}:{intent['n']}" if intent_id is None else str(intent_id),
        **{key: intent.get(key) for key in ("magic", "instance", "instrument", "action", "side", "order_type")},
        **{key: body.get(key) for key in ("broker_id", "state", "filled_units", "average_price", "reason")},
        "units": body.get("units") or intent.get("units"),  # before it is sized, what was wanted
        "created_ns": int(body["created_ns"]),
        "updated_ns": int(body["updated_ns"]),
        "intent": dict(intent),
    }
    return [TableRow(schema.orders, values), TableRow(schema.order_events, values)]


def _fill(body: Body, time_ns: int, origin: str) -> list[TableRow]:
    values = {column.name: body.get(column.name) for column in schema.fills.columns}
    return [TableRow(schema.fills, {**values, "trade_id": body.get("trade_id") or "", "time_ns": int(body["time_ns"])})]


def _trade(body: Body, time_ns: int, origin: str) -> list[TableRow]:
    values = {column.name: body.get(column.name) for column in schema.trades.columns}
    values |= {
        "version": int(body["version"]),
        "units": body["units_opened"],
        "units_open": body["units"],
        "state": "open" if Decimal(body["units"]) else "closed",
    }
    return [TableRow(schema.trades, values)]


def _log_row(table: Table, body: Body, time_ns: int, origin: str) -> TableRow:
    values = {column.name: body.get(column.name) for column in table.columns}
    return TableRow(table, {**values, "origin": origin, "time_ns": int(body.get("time_ns", time_ns))})


def _log(table: Table) -> Callable[[Body, int, str], list[TableRow]]:
    return lambda body, time_ns, origin: [_log_row(table, body, time_ns, origin)]


_BUILDERS: Final[Mapping[str, Callable[[Body, int, str], list[TableRow]]]] = {
    "orders": _order,
    "fills": _fill,
    "trades": _trade,
    "signals": _log(schema.signals),
    "equity": _log(schema.equity),
    "alerts": _log(schema.alerts),
    "events": _log(schema.events),
}
