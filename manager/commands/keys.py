"""``keys``: make the CURVE keys of the data layer's port, and say what to copy where."""

from __future__ import annotations

from pathlib import Path

import click

from atrader.configuration.base import NAME_PATTERN
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from manager.commands.installed import home_of

_COPIED = ("server.public", "client.public", "client.secret")


@click.command()
@click.option("--force", is_flag=True, help="Replace keys that are there; clients need the new ones then.")
@click.option("--client", metavar="NAME", help="Make a pair for one more client, which can be taken back by itself.")
@click.pass_obj
def keys(directory: Path, force: bool, client: str | None) -> None:
    """Make the CURVE keys that tcp endpoints need, in etc/keys (mode 0600)."""
    from atrader.bus import CurveKeys

    home = home_of(directory)
    bus = load_installation(home.root).fleet.bus
    folder = home.root / bus.keys
    if client is not None:
        if not NAME_PATTERN.fullmatch(client):
            raise ConfigError(f"--client {client!r}: up to 40 of a-z, 0-9, - and _, beginning with a letter or digit")
        copied = CurveKeys.add_client(folder, client)
        click.echo(
            f"{folder / f'client-{client}.public'} admits it from the next start of the fleet; remove it to end that"
        )
    else:
        if folder.exists() and any(folder.iterdir()) and not force:
            raise ConfigError(f"{folder} has keys already: use --force to replace them, --client NAME to add a client")
        for name in (*_COPIED, "server.secret") if force else ():
            (folder / name).unlink(missing_ok=True)  # a running fleet goes on with those it has read
        CurveKeys.generate(folder)
        copied = folder
        click.echo(f"wrote keys to {folder}; server.secret never leaves this host")
    url = bus.data_tcp or "tcp://HOST:PORT"
    click.echo("\ncopy to the other host, into a folder of its own (the files keep mode 0600):")
    for name in _COPIED:
        click.echo(f"  {copied / name}")
    click.echo(f'\nthere:  DataClient(DataAddress.of_url("{url}", "that/folder"))')
    if bus.data_tcp is None:
        click.echo(f"\nnext: set data_tcp under [bus] in {home.etc / 'atrader.toml'} and start the fleet again")
