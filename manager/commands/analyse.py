"""``atrader analyse``: what came of a search for parameters."""

from __future__ import annotations

from pathlib import Path

import click

from manager.commands.judging import judging_of, judging_options
from manager.commands.output import json_option


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@judging_options("as the search was begun")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="Sets to show.")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the recommended set goes; default: beside FILE.",
)
@json_option
def analyse(file: Path, top: int, write: Path | None, as_json: bool, **options: str | bool | None) -> None:
    """Show which sets of a search held on days they were not chosen on; write the recommended one as a strategy file.

    FILE is what 'atrader optimise' made, finished or not, or the folder it is in. With --split, or --train and --test,
    the same trials are judged by other windows; nothing is run again.
    """
    from manager.commands.optimise_work import show_search  # numpy: not for --help and completion

    judging = judging_of(options)
    show_search(file, judging if judging.is_said else None, top, write, as_json=as_json)
