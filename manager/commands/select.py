"""``atrader select``: what the market of each instance is like, and when it would have been switched."""

from __future__ import annotations

from pathlib import Path

import click

from manager.commands.completing import instances
from manager.commands.installed import home_of
from manager.commands.output import json_option
from manager.commands.periods import end_option, period_ns, start_option


@click.command()
@click.argument("names", metavar="[INSTANCE]...", nargs=-1, shell_complete=instances)
@start_option
@end_option
@json_option
@click.pass_obj
def select(directory: Path, names: tuple[str, ...], start: str | None, end: str | None, as_json: bool) -> None:
    """Show what the markets of instances are like, and when their [selection] would have switched them.

    Judges stored bars. Without INSTANCE all that have a table [selection]. Changes nothing: the running manager
    switches by itself.
    """
    from manager.commands.select_work import show  # numpy: not for --help and completion

    show(home_of(directory), names, *period_ns(start, end), as_json=as_json)
