"""``logs``: what the processes wrote, merged by time."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from atrader.errors import ConfigError
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.log_files import Follower, LogLine, log_paths, tail

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_POLL_S = 0.25


@click.command()
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Keep showing new lines until Ctrl-C.")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(0, 100_000), help="Lines to begin with."
)
@json_option
@click.pass_obj
def logs(directory: Path, name: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the log of the fleet, or of the process, account or instance NAME."""
    folder = home_of(directory).log
    paths = log_paths(folder, name)
    if not paths and name is not None:
        known = ", ".join(path.stem for path in log_paths(folder, None)) or "none yet"
        raise ConfigError(f"no log of {name!r} in {folder}; there are: {known}")
    follower = Follower(folder, name) if follow else None
    found = tail(paths, lines)
    if as_json and follower is None:
        print_json([asdict(line) for line in found])
        return
    for line in found:
        _show(line, as_json)
    while follower is not None:
        try:
            time.sleep(_POLL_S)
            for line in follower.new_lines():
                _show(line, as_json)
        except KeyboardInterrupt:
            return


def _show(line: LogLine, as_json: bool) -> None:
    if as_json:
        print_json(asdict(line))
        return
    level = click.style(f"{line.level:<7}", fg=_COLOURS.get(line.level))
    click.echo(f"{line.time} {level} {line.process:<20} {line.event} {line.fields}".rstrip())
