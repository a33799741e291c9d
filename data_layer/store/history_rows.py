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
from data_layer.store.history_values import storable


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
        built = _BUILDERS[row.table](row.body, row.time_ns, f"{source}/{row.seq}")
        return [TableRow(table, storable(table, values)) for table, values in built]
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise WireError(f"{row.table} row {row.seq} of {source} is not complete: {error!r}") from error


def _order(body: Body, time_ns: int, origin: str) -> list[TableRow]:
    intent = body["intent"]
    known_id = intent_id_of(body["client_id"])
    intent_id = f"{intent['magic']}:{intent['n']}" if known_id is None else str(known_id)
    values = {
        "account": body["account"],
        "client_id": body["client_id"],
        "version": int(body["version"]),
        "intent_id": intent_id,
        **{key: intent.get(key) for key in ("magic", "instance", "instrument", "action", "side", "order_type")},
        **{key: body.get(key) for key in ("broker_id", "state", "filled_units", "average_price", "reason")},
        "units": body.get("units") or intent.get("units"),  # before it is sized, what was wanted
        "created_ns": int(body["created_ns"]),
        "updated_ns": int(body["updated_ns"]),
    }
    wanted = {column.name: intent.get(column.name) for column in schema.intents.columns} | {
        "account": body["account"],
        "client_id": body["client_id"],
        "intent_id": intent_id,
        "bar": _bar_of(intent.get("decision")),
        "time_ns": int(intent["time_ns"]),
    }
    rows = [TableRow(schema.orders, values), TableRow(schema.order_events, values)]
    return [*rows, TableRow(schema.intents, wanted)]


def _bar_of(decision: str | None) -> str | None:
    """Return the bar of a decision key, ``TIMEFRAME|OPEN TIME:SIDE:NUMBER``."""
    return None if decision is None else decision.partition(":")[0]


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


def _signal(body: Body, time_ns: int, origin: str) -> list[TableRow]:
    """Tell the signals of one bar apart by the bar: one decided again after a restart is the same signal."""
    if body.get("bar") is not None:
        origin = f"{body['account']}/{body['instance']}/{body['bar']}/{body['name']}/{int(body['number'])}"
    return [_log_row(schema.signals, body, time_ns, origin)]


def _log(table: Table) -> Callable[[Body, int, str], list[TableRow]]:
    return lambda body, time_ns, origin: [_log_row(table, body, time_ns, origin)]


_BUILDERS: Final[Mapping[str, Callable[[Body, int, str], list[TableRow]]]] = {
    "orders": _order,
    "fills": _fill,
    "trades": _trade,
    "signals": _signal,
    "equity": _log(schema.equity),
    "alerts": _log(schema.alerts),
    "events": _log(schema.events),
}
