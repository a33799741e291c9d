"""``init check keys doctor``: from nothing to an installation that is fit to start."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from atrader.configuration.loader import load_installation
from atrader.configuration.templates import write_template
from atrader.errors import ConfigError
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.commands.tables import Column, print_rows

Template = Literal["demo", "replay", "empty"]


@click.command()
@click.argument("target", metavar="[DIR]", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option(
    "--template",
    type=click.Choice(["demo", "replay", "empty"]),
    default="demo",
    show_default=True,
    help="demo: synthetic market, paper account, three instances; replay: stored bars through a paper account; empty:"
    " a paper account and no instance.",
)
@click.pass_obj
def init(directory: Path, target: Path | None, template: Template) -> None:
    """Write a working installation into DIR (default: the one named by -C). Never overwrites a file."""
    home = home_of(target or directory, must_exist=False)
    written = write_template(home.root, template)
    for folder in (home.data, home.log):
        folder.mkdir(exist_ok=True)
    home.run.mkdir(mode=0o700, exist_ok=True)
    for path in written:
        click.echo(f"wrote {path}")
    where = f"-C {target or directory}"
    steps = [f"atrader-manager {where} check", f"atrader-manager {where} start"]
    if template == "replay":
        steps.insert(0, f"atrader {where} data import FILE ...   # USD/JPY, bars of a minute")
    click.echo("\nnext: " + "\n      ".join(steps))


_CHECKED = (
    *(Column("instance", "instance"), Column("strategy", "strategy"), Column("account", "account", 1)),
    *(Column("magic", "magic", 2, right=True), Column("instrument", "instrument"), Column("timeframe", "timeframe")),
    *(Column("warmup_bars", "warm-up bars", 3, right=True), Column("enabled", "enabled", 1)),
)


@click.command()
@json_option
@click.pass_obj
def check(directory: Path, as_json: bool) -> None:
    """Read the whole configuration and load every strategy, without starting anything."""
    from manager.checking import check_installation  # here: ZeroMQ and strategies are not for --help and completion
    from manager.legacy.writing import incomplete_lines

    home = home_of(directory)
    installation = load_installation(home.root)
    found = check_installation(home, installation)
    rows = found.rows
    if found.problems:
        raise ConfigError("\n".join(found.problems))
    if as_json:
        print_json({"accounts": sorted(installation.accounts), "instances": rows})
        return
    print_rows(_CHECKED, rows, empty="no strategy instance is configured")
    for line in incomplete_lines(home.root):
        click.secho(line, fg="yellow")
    click.echo(f"configuration of {home.root} is fine; accounts: {len(installation.accounts)}, instances: {len(rows)}")
