"""``atrader data migrate``: from files to a database server, and back."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import TaskProgressColumn

from atrader.configuration.home import Home
from atrader.configuration.loader import load_fleet
from atrader.configuration.secrets import SecretRef
from atrader.configuration.store_url import EMBEDDED, check_store
from atrader.errors import ConfigError
from data_layer.store.places import EmbeddedPlace, PostgresPlace, place_at, place_of
from data_layer.store.transfer import transfer
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.progress import progress_bar
from manager.commands.tables import Column, print_rows
from manager.lock import owner_of

_FILES = {"sqlite", EMBEDDED}
_PATIENCE_S = 30.0  # a server that restarts is back by then


@click.command()
@click.option("--from", "source", required=True, metavar="PLACE", help="'sqlite', or the URL of a PostgreSQL database.")
@click.option("--to", "target", required=True, metavar="PLACE", help="The same; must be empty.")
@click.option(
    "--password",
    metavar="REFERENCE",
    help="Where the password of the server is kept, e.g. env:NAME; default: data.store_password for data.store.",
)
@json_option
@click.pass_obj
def migrate(directory: Path, source: str, target: str, password: str | None, as_json: bool) -> None:
    """Copy the whole store to another place, and compare every row.

    The source is never changed or deleted. May be interrupted and run again. The fleet must be stopped; afterwards set
    data.store in etc/atrader.toml to the new place.
    """
    home = home_of(directory)
    manager = owner_of(home)
    if manager is not None:
        raise ConfigError(f"{home.root} is in use by {manager}: stop the fleet first, with 'atrader-manager stop'")
    places = [_place(home, *named, password) for named in (("--from", source), ("--to", target))]
    if str(places[0]) == str(places[1]):
        raise ConfigError(f"--from and --to are both {places[0]}")
    with progress_bar(TaskProgressColumn(), silent=as_json) as progress:
        task = progress.add_task("counting", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        counts = transfer(places[0], places[1], report)
    rows = [{"table": name, "rows": count} for name, count in counts.items()]
    if as_json:
        print_json(rows)
        return
    print_rows([Column("table", "table"), Column("rows", "rows", right=True)], rows, empty="")
    name = EMBEDDED if isinstance(places[1], EmbeddedPlace) else str(places[1])
    click.echo(f"the same in both places; to use it, set store = '{name}' in [data] of etc/atrader.toml")


def _place(home: Home, option: str, where: str, password: str | None) -> EmbeddedPlace | PostgresPlace:
    if where in _FILES:
        return place_at(home, EMBEDDED)
    config = load_fleet(home.root).data
    if password is None and where == config.store:
        return place_of(home, config, _PATIENCE_S)
    try:
        secret = None if password is None else SecretRef(password)
        return place_at(home, check_store(where), None if secret is None else secret.resolve, _PATIENCE_S)
    except ValueError as error:
        text = str(error).replace("store_password =", "--password").replace(f"'{EMBEDDED}'", "'sqlite'")
        raise ConfigError(f"{option}: {text}") from None
