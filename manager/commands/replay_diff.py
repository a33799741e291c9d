"""``atrader replay-diff``: run a recorded day again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from atrader.clock import parse_time
from atrader.exit_codes import ExitCode
from manager.commands.completing import instances
from manager.commands.installed import home_of
from manager.commands.output import json_option


@click.command()
@click.argument("instance", shell_complete=instances)
@click.option("--day", required=True, help="ISO date, UTC.")
@click.option("--quotes", help="Bars that the quotes are made of (1m), or 'ticks'; default: as it was fed then.")
@click.option("--as-configured", is_flag=True, help="With the parameters of today instead of those of then.")
@json_option
@click.pass_obj
def replay_diff(
    directory: Path, instance: str, day: str, quotes: str | None, as_configured: bool, as_json: bool
) -> None:
    """Run a recorded day of an instance again, and show the first decision that differs and why.

    Ends with 1 when something differs.
    """
    from manager.commands.replay_diff_work import show_replay_diff  # numpy: not for --help and completion

    try:
        day_ns = parse_time(day)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--day") from error
    home = home_of(directory)
    if not show_replay_diff(home, instance, day_ns, quotes, as_configured=as_configured, as_json=as_json):
        sys.exit(int(ExitCode.FAILURE))
