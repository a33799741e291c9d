"""``atrader history``: what was wanted, sent, filled and held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from atrader.clock import iso_from_ns, parse_time
from atrader.errors import ConfigError
from atrader.messages.data import QueryHistory
from data_layer.offline import open_history
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json, print_rows

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

_KEYS = {
    "trades": TRADE_KEYS,
    "orders": ORDER_KEYS,
    "fills": FILL_KEYS,
    "signals": SIGNAL_KEYS,
    "equity": EQUITY_KEYS,
    "alerts": ALERT_KEYS,
    "events": EVENT_KEYS,
}
_HIDDEN_FROM_PEOPLE = {"trade_id", "broker_id", "intent_id", "action"}


@click.group()
def history() -> None:
    """Show orders, fills, trades, signals and events, of a running fleet or a stopped one."""


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
        with open_history(home_of(directory)) as source:
            found = [shown(row) for row in source.query(query)]
        rows = [{key: row.get(key) for key in _KEYS[table]} for row in found]
        if as_json:
            print_json(rows)
            return
        columns = {key: key.replace("_", " ") for key in _KEYS[table] if key not in _HIDDEN_FROM_PEOPLE}
        print_rows("", columns, rows, empty=f"no {table}")

    return command


for _table in _KEYS:
    history.add_command(_command(_table))
