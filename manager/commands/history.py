"""``atrader history``: what was wanted, sent, filled and held."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from atrader.clock import iso_from_ns, parse_time
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.instruments import Instrument
from atrader.messages.data import QueryHistory
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.tables import Column, pairs_cell, price_cell, print_rows, time_cell

TRADE_KEYS = (
    *("magic", "instance", "account", "instrument", "side", "units", "open_time", "open_price", "close_time"),
    *("close_price", "profit", "commission", "swap", "state", "close_reason", "trade_id"),
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
SIGNAL_KEYS = ("time", "instance", "account", "instrument", "timeframe", "name", "value", "indicators")
EQUITY_KEYS = ("time", "account", "balance", "equity", "margin_used")
ALERT_KEYS = ("time", "level", "kind", "account", "instance", "text")
EVENT_KEYS = ("time", "process", "kind", "text")

KEYS = {
    "trades": TRADE_KEYS,
    "orders": ORDER_KEYS,
    "fills": FILL_KEYS,
    "signals": SIGNAL_KEYS,
    "equity": EQUITY_KEYS,
    "alerts": ALERT_KEYS,
    "events": EVENT_KEYS,
}


def _columns(table: str, instruments: Mapping[str, Instrument]) -> list[Column]:
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


def _defined_instruments(home: Home) -> Mapping[str, Instrument]:
    """Return the instruments of the configuration; history is shown with a broken one, too."""
    try:
        return load_installation(home.root).fleet.instruments
    except ConfigError:
        return {}


def _time(value: Any) -> str | None:
    return None if value is None else iso_from_ns(int(value))


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Give times as ISO 8601 UTC under names without ``_ns``."""
    return {
        (key.removesuffix("_ns") if key.endswith("_ns") else key): (_time(value) if key.endswith("_ns") else value)
        for key, value in row.items()
    }


def _command(table: str) -> click.Command:
    @click.command(table, help=f"Show {table}, oldest first.")
    @click.option("--magic", type=int, help="Only of this magic number.")
    @click.option("--instance", help="Only of this strategy instance.")
    @click.option("--account", help="Only of this account.")
    @click.option("--instrument", help="Only of this instrument.")
    @click.option("--state", help="Only in this state (trades: open, closed; orders: FILLED, REJECTED ...).")
    @click.option("--start", help="From here on: ISO date, or date and time with zone.")
    @click.option("--end", help="Up to here, not included.")
    @click.option("-n", "--limit", type=click.IntRange(1), help="Only the newest so many.")
    @json_option
    @click.pass_obj
    def command(
        directory: Path,
        magic: int | None,
        instance: str | None,
        account: str | None,
        instrument: str | None,
        state: str | None,
        start: str | None,
        end: str | None,
        limit: int | None,
        as_json: bool,
    ) -> None:
        try:
            start_ns = None if start is None else parse_time(start)
            end_ns = None if end is None else parse_time(end)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        query = QueryHistory(
            table=table,  # type: ignore[arg-type]
            magic=magic,
            instance=instance,
            account=account,
            instrument=instrument,
            state=state,
            start_ns=start_ns,
            end_ns=end_ns,
            limit=limit,
        )
        from data_layer.offline import open_history  # numpy: not for --help and completion

        home = home_of(directory)
        with open_history(home) as source:
            found = [shown(row) for row in source.query(query)]
        if as_json:
            print_json([{key: row.get(key) for key in KEYS[table]} for row in found])
            return
        print_rows(_columns(table, _defined_instruments(home)), found, empty=f"no {table}")

    return command


trades, orders, fills, signals, equity, alerts, events = map(_command, KEYS)
