"""``atrader history``: what was wanted, sent, filled and held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.history_tables import HistoryTable, TradeGroup
from atrader.instruments import Instrument
from atrader.messages.history import GetStatistics, QueryHistory
from manager.commands.completing import accounts, instances
from manager.commands.history_hints import unknown_names
from manager.commands.history_statistics import print_statistics
from manager.commands.history_tables import KEYS, STATES, columns_of
from manager.commands.installed import home_of
from manager.commands.output import csv_option, json_option, print_csv, print_json
from manager.commands.periods import end_option, period_ns, start_option
from manager.commands.tables import print_rows


def _defined_instruments(home: Home) -> Mapping[str, Instrument]:
    """Return the instruments of the configuration; history is shown with a broken one, too."""
    try:
        return load_installation(home.root).fleet.instruments
    except ConfigError:
        return {}


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give times as ISO 8601 UTC under names without ``_ns``."""
    return {
        key.removesuffix("_ns"): (iso_from_ns(int(value)) if key.endswith("_ns") and value is not None else value)
        for key, value in row.items()
    }


_FILTERS: tuple[Callable[[Any], Any], ...] = (
    click.option("--magic", type=int, help="Only of this magic number."),
    click.option("--instance", shell_complete=instances, help="Only of this strategy instance."),
    click.option("--account", shell_complete=accounts, help="Only of this account."),
    click.option("--instrument", help="Only of this instrument."),
    start_option,
    end_option,
    click.option("--archived", is_flag=True, help="Read the archive's files too."),
    json_option,
    csv_option,
)


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all commands of the history have."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _state_option(table: HistoryTable) -> Callable[[Any], Any]:
    """Let the states of a table be chosen, where it has any."""
    if table not in STATES:
        return lambda command: command
    return click.option("--state", type=click.Choice(STATES[table], case_sensitive=False), help="Only in this state.")


def _command(table: HistoryTable) -> click.Command:
    @click.command(table, help=f"Show {table}, newest last.")
    @_filters
    @_state_option(table)
    @click.option("-n", "--limit", type=click.IntRange(1), help="Only the newest so many.")
    @click.pass_obj
    def command(
        directory: Path, /, start: str | None, end: str | None, as_json: bool, as_csv: bool, **chosen: Any
    ) -> None:
        from data_layer.offline import open_history  # numpy: not for --help and completion

        start_ns, end_ns = period_ns(start, end)
        home = home_of(directory)
        with open_history(home) as source:
            query = QueryHistory(table=table, start_ns=start_ns, end_ns=end_ns, **chosen)
            found = [shown(row) for row in source.query(query)]
        rows = [{key: row.get(key) for key in KEYS[table]} for row in found]
        if as_json:
            print_json(rows)
        elif as_csv:
            print_csv(KEYS[table], rows)
        else:
            nothing = f"no {table} that fit the options" if _is_narrowed(chosen, start, end) else f"no {table}"
            nothing = "\n".join((nothing, *(unknown_names(home.root, chosen) if not found else ())))
            print_rows(columns_of(table, _defined_instruments(home)), found, empty=nothing)

    return command


def _is_narrowed(chosen: Mapping[str, Any], *period: str | None) -> bool:
    return any(value for key, value in chosen.items() if key not in ("archived", "limit")) or any(period)


@click.command
@_filters
@click.option(
    "--by", type=click.Choice(get_args(TradeGroup)), default="instance", show_default=True, help="What makes a group."
)
@click.pass_obj
def stats(directory: Path, /, start: str | None, end: str | None, as_json: bool, as_csv: bool, **chosen: Any) -> None:
    """Show what trades came to; a period chooses those that were opened in it."""
    from data_layer.offline import open_history  # numpy: not for --help and completion

    start_ns, end_ns = period_ns(start, end)
    with open_history(home_of(directory)) as source:
        rows = source.statistics(GetStatistics(start_ns=start_ns, end_ns=end_ns, **chosen))
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(list(rows[0]) if rows else (), rows)
    else:
        print_statistics(rows, chosen["by"])


intents, orders, fills, trades, signals, equity, alerts, events = map(_command, get_args(HistoryTable))
