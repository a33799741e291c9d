"""``logs``: what the processes wrote, merged by time."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError
from atrader.runtime.spec import gateway_name, worker_name
from manager.commands.completing import processes
from manager.commands.installed import home_of
from manager.commands.output import json_option, print_json
from manager.log_files import MANAGER, Follower, LogLine, log_paths, tail
from manager.plan import holder_of, plan

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_POLL_S = 0.25
_MILLISECONDS = len("2024-03-10T06:59:59.123")
_NAME_WIDTH = 20


@click.command()
@click.argument("name", required=False, shell_complete=processes)
@click.option("-f", "--follow", is_flag=True, help="Keep showing new lines until Ctrl-C.")
@click.option(
    "-n", "--lines", default=50, show_default=True, type=click.IntRange(0, 100_000), help="Lines to begin with."
)
@json_option
@click.pass_obj
def logs(directory: Path, name: str | None, follow: bool, lines: int, as_json: bool) -> None:
    """Show the log of the fleet, or of the process, account or instance NAME."""
    home = home_of(directory)
    folder = home.log
    paths = log_paths(folder, name)
    if not paths and name is not None:
        name = _process_behind(home, name)
        paths = log_paths(folder, name)
    follower = Follower(folder, name) if follow else None
    found = tail(paths, lines)
    if not paths and name is None and not as_json:
        click.echo(f"nothing was written into {folder} yet", err=True)
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


def _process_behind(home: Home, name: str) -> str:
    """Name the process that works for a name without a log of its own; say so when that has not run yet.

    Raises
    ------
    ConfigError
        When there is no process of that name.
    """
    installation = load_installation(home.root)
    names = [MANAGER, *plan(installation)]
    account = name.removeprefix(gateway_name(""))
    known = (name, worker_name(name), gateway_name(name), holder_of(installation, account))
    found = next((process for process in known if process in names), None)
    if found is None:
        raise ConfigError(f"no process {name!r}; there are: {', '.join(names)}")
    if not log_paths(home.log, found):
        click.echo(f"{name} has not run yet: there is no log of it in {home.log}", err=True)
    return found


def _show(line: LogLine, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(line), default=str))  # one a line: whoever follows reads line by line
        return
    fields = dict(line.fields)
    what = fields.pop("transition", line.event)  # the event's own name says nothing more
    name = fields.pop("name", line.process) if line.process == MANAGER else line.process
    trouble = fields.pop("exception", None)
    rest = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
    level = click.style(f"{line.level:<7}", fg=_COLOURS.get(line.level))
    click.echo(f"{line.time[:_MILLISECONDS].rstrip('Z')}Z {level} {name:<{_NAME_WIDTH}} {what} {rest}".rstrip())
    if trouble:
        click.echo(trouble)
