"""``start stop restart reload``: of the whole fleet, or of named processes of a running one."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Literal

import click

from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.messages.manager import Control, ControlAnswer, Reload
from manager.commands.installed import ask_manager, home_of
from manager.commands.output import json_option, print_json
from manager.lock import owner_of

_STOP_S = 60.0  # stop_grace of every rank plus what a busy machine adds


def _tell(answer: ControlAnswer, as_json: bool) -> None:
    if as_json:
        print_json({"lines": list(answer.lines)})
    for line in () if as_json else answer.lines:
        click.echo(line)


def _control(home: Home, verb: Literal["start", "stop", "restart"], names: tuple[str, ...], as_json: bool) -> None:
    answer = ask_manager(home, Control(verb=verb, names=names), timeout_s=_STOP_S)
    assert isinstance(answer, ControlAnswer)
    _tell(answer, as_json)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--daemon", is_flag=True, help="Detach; returns when the fleet is running, or says why it is not.")
@json_option
@click.pass_obj
def start(directory: Path, names: tuple[str, ...], daemon: bool, as_json: bool) -> None:
    """Start the fleet in the foreground, or NAMES of a running fleet."""
    home = home_of(directory)
    if names:
        _control(home, "start", names, as_json)
        return
    if daemon:
        from manager.daemon import start_daemon

        sys.exit(start_daemon(home.root))
    from manager.service import run_manager

    sys.exit(run_manager(home.root, load_installation(home.root), foreground=True))


@click.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def stop(directory: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Stop the fleet and wait until it is gone, or stop NAMES.

    Trades stay open with their stops at the broker; 'flatten' closes them.
    """
    home = home_of(directory)
    _control(home, "stop", names, as_json)
    deadline_s = time.monotonic() + _STOP_S
    while not names and owner_of(home) is not None:
        if time.monotonic() > deadline_s:
            raise click.ClickException(f"the manager is still there after {_STOP_S:g} s: see 'atrader-manager logs'")
        time.sleep(0.05)


@click.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_obj
def restart(directory: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Restart all processes of the fleet, or NAMES."""
    _control(home_of(directory), "restart", names, as_json)


@click.command()
@json_option
@click.pass_obj
def reload(directory: Path, as_json: bool) -> None:
    """Read the configuration again and touch only what changed.

    A wrong configuration is refused and the old one keeps running.
    """
    answer = ask_manager(home_of(directory), Reload(), timeout_s=_STOP_S)
    assert isinstance(answer, ControlAnswer)
    _tell(answer, as_json)
