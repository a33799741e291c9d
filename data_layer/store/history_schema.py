"""Tables of the history. Money and units are decimals as text, times ns UTC, free-form values JSON."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, MetaData, Table

from data_layer.store.history_steps import step_2
from data_layer.store.tables import TEXT, Tables

metadata: Final = MetaData()


def _text(*names: str) -> list[Column[Any]]:
    return [Column(name, TEXT) for name in names]


def _whose() -> list[Column[Any]]:
    columns: list[Column[Any]] = [Column("magic", Integer), *_text("instance", "instrument")]
    return columns


def _order_columns() -> list[Column[Any]]:
    return [
        *_whose(),
        *_text("intent_id", "broker_id", "state", "action", "side", "order_type"),
        *_text("units", "filled_units", "average_price", "reason"),
        Column("created_ns", BigInteger, nullable=False),
        Column("updated_ns", BigInteger, nullable=False),
    ]


intents: Final = Table(
    "intents",
    metadata,
    Column("account", TEXT, primary_key=True),
    Column("client_id", TEXT, primary_key=True),
    *_whose(),
    *_text("intent_id", "action", "side", "order_type", "units", "risk_frac", "price", "stop_loss", "take_profit"),
    *_text("trailing_distance", "trade_id", "order_id", "decision", "bar", "reason"),
    Column("expires_ns", BigInteger),
    Column("time_ns", BigInteger, nullable=False),
    Index("intents_time", "time_ns"),
)
"""What strategies wanted. ``bar`` is the bar it was decided on, as in the signals of the same decision."""

orders: Final = Table(
    "orders",
    metadata,
    Column("account", TEXT, primary_key=True),
    Column("client_id", TEXT, primary_key=True),
    Column("version", Integer, nullable=False),
    *_order_columns(),
    Index("orders_time", "created_ns"),
)
"""The newest version of each order."""

order_events: Final = Table(
    "order_events",
    metadata,
    Column("account", TEXT, primary_key=True),
    Column("client_id", TEXT, primary_key=True),
    Column("version", Integer, primary_key=True),
    *_order_columns(),
    Index("order_events_time", "updated_ns"),
)
"""Every version of each order, as it was."""

fills: Final = Table(
    "fills",
    metadata,
    Column("account", TEXT, primary_key=True),
    Column("fill_id", TEXT, primary_key=True),
    Column("trade_id", TEXT, primary_key=True),  # a net fill may belong to several virtual trades; "" for none
    *_whose(),
    *_text("client_id", "side", "units", "price", "reason", "commission", "profit", "home_rate"),
    Column("time_ns", BigInteger, nullable=False),
    Index("fills_time", "time_ns"),
)

trades: Final = Table(
    "trades",
    metadata,
    Column("account", TEXT, primary_key=True),
    Column("trade_id", TEXT, primary_key=True),
    Column("version", Integer, nullable=False),
    *_whose(),
    # units: what was opened; units_open: what is still held.
    *_text("side", "state", "units", "units_open", "units_closed", "open_price", "close_price", "broker_trade_id"),
    *_text("stop_loss", "take_profit", "trailing_distance", "profit", "commission", "swap", "close_reason"),
    *_text("initial_stop", "initial_risk"),
    Column("open_time_ns", BigInteger, nullable=False),
    Column("close_time_ns", BigInteger),
    Index("trades_time", "open_time_ns"),
)

_ORIGIN: Final = "origin"  # what makes a row of the tables below unique: who sent it, and its number there


def _log(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name,
        metadata,
        Column(_ORIGIN, TEXT, primary_key=True),
        Column("time_ns", BigInteger, nullable=False),
        *columns,
        Index(f"{name}_time", "time_ns"),
    )


signals: Final = _log(
    "signals",
    *_whose(),
    *_text("account", "timeframe", "name", "bar"),
    Column("value", Float),
    Column("indicators", JSON),
)

equity: Final = _log("equity", *_text("account", "balance", "equity", "margin_used", "currency"))

alerts: Final = _log(
    "alerts", *_whose(), *_text("account", "timeframe", "level", "kind", "text", "process"), Column("details", JSON)
)

events: Final = _log("events", *_text("process", "kind", "text", "account", "instance"), Column("details", JSON))

archives: Final = Table(
    "archives",
    metadata,
    Column("file", TEXT, primary_key=True),
    Column("table_name", TEXT, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("crc32", BigInteger, nullable=False),
)
"""Files that rows were moved to. A file not listed here counts for nothing: its rows are still in the tables."""

outbox_positions: Final = Table(
    "outbox_positions",
    metadata,
    Column("source", TEXT, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)
"""How far each outbox is in the history."""

TIME_COLUMN: Final = {"orders": "created_ns", "order_events": "updated_ns", "trades": "open_time_ns"}
"""Column that says when a row was, where it is not ``time_ns``."""

TABLES: Final = Tables(metadata, steps={2: step_2([intents, archives])})
