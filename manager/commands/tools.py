"""``atrader``: data and history."""

from __future__ import annotations

from pathlib import Path

import click

from manager.commands import data, history
from manager.commands.installed import directory_option
from manager.commands.output import run
from manager.commands.setting_up import completion


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@directory_option
@click.version_option(package_name="atrader-platform", prog_name="atrader")
@click.pass_context
def cli(context: click.Context, directory: Path) -> None:
    """Look at and move market data, and look at what was traded. Works with the fleet running or not."""
    context.obj = directory


cli.add_command(data.data)
cli.add_command(history.history)
cli.add_command(completion)


def main() -> None:
    """Run ``atrader``."""
    run(cli)


if __name__ == "__main__":
    main()
