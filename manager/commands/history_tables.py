"""What the tables of the history look like: keys for programs, columns for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from atrader.instruments import Instrument
from atrader.orders.states import OrderState
from manager.commands.tables import Column, pairs_cell, price_cell, time_cell

TRADE_KEYS = (
    *("magic", "instance", "account", "instrument", "side", "units", "open_time", "open_price", "close_time"),
    *("close_price", "profit", "commission", "swap", "state", "close_reason", "trade_id"),
    *("units_open", "stop_loss", "take_profit", "initial_stop", "initial_risk"),
)
"""Keys of ``history trades --json``; the first fourteen are a promise to other tools."""

ORDER_KEYS = (
    *("intent_id", "client_id", "broker_id", "state", "magic", "instance", "account", "instrument", "action"),
    *("side", "order_type", "units", "filled_units", "average_price", "reason", "created", "updated"),
)
"""Keys of ``history orders --json``; the first four are a promise to other tools."""

FILL_KEYS = (
    *("time", "fill_id", "client_id", "magic", "instance", "account", "instrument", "side", "units", "price"),
    *("reason", "commission", "profit"),
)
INTENT_KEYS = (
    *("time", "intent_id", "client_id", "magic", "instance", "account", "instrument", "action", "side", "order_type"),
    *("units", "risk_frac", "price", "stop_loss", "take_profit", "trailing_distance", "expires", "trade_id"),
    *("order_id", "decision", "reason"),
)
SIGNAL_KEYS = (
    *("time", "instance", "account", "instrument", "timeframe", "name", "value", "indicators", "bar", "magic"),
)
EQUITY_KEYS = ("time", "account", "balance", "equity", "margin_used")
ALERT_KEYS = ("time", "level", "kind", "account", "instance", "text")
EVENT_KEYS = ("time", "process", "kind", "text")

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "intents": INTENT_KEYS,
    "trades": TRADE_KEYS,
    "orders": ORDER_KEYS,
    "fills": FILL_KEYS,
    "signals": SIGNAL_KEYS,
    "equity": EQUITY_KEYS,
    "alerts": ALERT_KEYS,
    "events": EVENT_KEYS,
}

STATES: Final[Mapping[str, tuple[str, ...]]] = {"trades": ("open", "closed"), "orders": tuple(OrderState)}
"""What ``--state`` may say of a table; the others have no state."""


def columns_of(table: str, instruments: Mapping[str, Instrument]) -> list[Column]:
    """Return what people see of a table; the JSON has more keys and every digit."""
    price = price_cell(instruments)
    instance, account = Column("instance", "instance", 1), Column("account", "account", 7)
    instrument, side = Column("instrument", "instrument"), Column("side", "side")
    magic = Column("magic", "magic", 9, right=True)
    time = Column("time", "time", cell=time_cell)
    columns: dict[str, list[Column]] = {
        "trades": [
            *(instance, instrument, side, Column("units", "opened", 3, right=True)),
            *(Column("units_open", "held", 2, right=True), Column("open_time", "open time", 4, cell=time_cell)),
            *(
                Column("open_price", "open price", 1, True, price),
                Column("close_time", "close time", 5, cell=time_cell),
            ),
            *(Column("close_price", "close price", 1, True, price), Column("profit", "profit", right=True)),
            *(
                Column("state", "state", 2),
                Column("close_reason", "reason", 6),
                Column("commission", "commission", 8, True),
            ),
            *(Column("swap", "swap", 8, right=True), account, magic),
        ],
        "intents": [
            *(time, instance, instrument, Column("action", "action", 1), side, Column("order_type", "type", 4)),
            *(Column("units", "units", 1, right=True), Column("risk_frac", "risk", 5, right=True)),
            *(Column("price", "price", 2, True, price), Column("stop_loss", "stop", 3, True, price)),
            *(Column("take_profit", "target", 4, True, price), Column("reason", "reason", 3, prose=True)),
            *(Column("client_id", "client id", 6), Column("trade_id", "trade", 7), account, magic),
        ],
        "orders": [
            *(Column("created", "created", cell=time_cell), instance, instrument, Column("action", "action", 1)),
            *(side, Column("order_type", "type", 4), Column("units", "units", 1, right=True)),
            *(Column("filled_units", "filled", 2, right=True), Column("average_price", "price", 2, True, price)),
            *(Column("state", "state"), Column("reason", "reason", 3, prose=True), Column("client_id", "client id", 6)),
            *(Column("updated", "updated", 8, cell=time_cell), account, magic),
        ],
        "fills": [
            *(time, instance, instrument, side, Column("units", "units", right=True)),
            *(Column("price", "price", 0, True, price), Column("profit", "profit", 1, right=True)),
            *(Column("reason", "reason", 3), Column("commission", "commission", 4, right=True)),
            *(Column("client_id", "client id", 6), Column("fill_id", "fill id", 8), account, magic),
        ],
        "signals": [
            *(time, instance, instrument, Column("timeframe", "timeframe", 2), Column("name", "name")),
            *(Column("value", "value", right=True), Column("indicators", "indicators", 3, cell=pairs_cell, prose=True)),
            account,
        ],
        "equity": [
            *(time, Column("account", "account"), Column("balance", "balance", right=True)),
            *(Column("equity", "equity", right=True), Column("margin_used", "margin used", 1, right=True)),
        ],
        "alerts": [
            *(time, Column("level", "level"), Column("kind", "kind", 1), Column("text", "text", prose=True)),
            *(Column("account", "account", 3), Column("instance", "instance", 2)),
        ],
        "events": [time, Column("process", "process"), Column("text", "text", prose=True), Column("kind", "kind", 2)],
    }
    return columns[table]
