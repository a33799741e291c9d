"""``start stop restart reload``: of the whole fleet, or of named processes of a running one."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Literal

import click

from atrader.configuration.fleet import Installation
from atrader.configuration.home import Home
from atrader.configuration.loader import load_installation
from atrader.errors import ConfigError, DeadlineExceeded
from atrader.exit_codes import ExitCode
from atrader.messages.manager import Control, ControlAnswer, Reload
from manager.commands.completing import processes
from manager.commands.installed import ask_manager, home_of
from manager.commands.output import Locked, json_option, print_json
from manager.lock import owner_of
from manager.plan import plan

_WAIT_S = 120.0  # grace to stop and to start of every rank, plus what a busy machine adds
_GONE_POLL_S = 0.05


def _tell(answer: ControlAnswer, as_json: bool) -> None:
    """Print what was done; ends the command with FAILURE when a process is not as it was asked to be."""
    if as_json:
        print_json({"lines": list(answer.lines), "failed": list(answer.failed)})
    for line in () if as_json else answer.lines:
        click.echo(line)
    if answer.failed:
        sys.exit(int(ExitCode.FAILURE))


def _control(home: Home, verb: Literal["start", "stop", "restart"], names: tuple[str, ...], as_json: bool) -> None:
    if owner_of(home) is None:
        _refuse_unknown(home, names)
    answer = ask_manager(home, Control(verb=verb, names=names), timeout_s=_WAIT_S)
    assert isinstance(answer, ControlAnswer)
    _tell(answer, as_json)


def _refuse_unknown(home: Home, names: tuple[str, ...]) -> None:
    """Tell of a slip of the pen before anything else; a running manager does that itself."""
    processes = plan(load_installation(home.root))
    known = {*processes, *(process.subject for process in processes.values())}
    for name in names:
        if name not in known:
            raise ConfigError(f"no process {name!r}; there are: {', '.join(processes)}")


@click.command()
@click.argument("names", nargs=-1, shell_complete=processes)
@click.option("--daemon", is_flag=True, help="Detach; returns when the fleet is running, or says why it is not.")
@json_option
@click.pass_obj
def start(directory: Path, names: tuple[str, ...], daemon: bool, as_json: bool) -> None:
    """Start the fleet in the foreground, or NAMES of a running fleet."""
    home = home_of(directory)
    if names:
        if daemon:
            raise click.UsageError("--daemon starts the whole fleet; leave it out to start NAMES of a running one")
        _control(home, "start", names, as_json)
        return
    installation = load_installation(home.root)
    if (owner := owner_of(home)) is not None:
        raise Locked(f"{home.root} is in use by {owner} already: see 'atrader-manager -C {home.root} status'")
    if daemon:
        from manager.daemon import start_daemon

        code = start_daemon(home.root)
        if code == ExitCode.OK:
            click.echo(f"{_what_runs(installation)}, in {home.root}\n{_how_to_look(home)}")
        elif owner_of(home) is not None:
            click.echo(f"the rest goes on, in {home.root}\n{_how_to_look(home)}", err=True)
        sys.exit(code)
    from manager.service import run_manager

    on_up = (lambda trouble: _announce(home, installation, trouble)) if sys.stderr.isatty() else None
    sys.exit(run_manager(home.root, installation, foreground=True, on_up=on_up))


def _what_runs(installation: Installation) -> str:
    kinds = Counter(process.kind for process in plan(installation).values())
    return f"running: data layer, {_number(kinds['gateway'], 'gateway')}, {_number(kinds['worker'], 'worker')}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _how_to_look(home: Home) -> str:
    command = f"atrader-manager -C {home.root}"
    return f"look: {command} status --watch\n      {command} logs -f\nstop: {command} stop"


def _announce(home: Home, installation: Installation, trouble: str) -> None:
    """Say on a terminal what runs, where, and how to look; `trouble` says what does not run."""
    if trouble:
        click.secho(f"\nnot everything runs:\n{trouble}\nthe rest goes on", fg="red", err=True)
    else:
        click.secho(f"\n{_what_runs(installation)}, in {home.root}", fg="green", err=True)
    click.echo(f"{_how_to_look(home)}, or Ctrl-C\n", err=True)


@click.command()
@click.argument("names", nargs=-1, shell_complete=processes)
@json_option
@click.pass_obj
def stop(directory: Path, names: tuple[str, ...], as_json: bool) -> None:
    """Stop the fleet and wait until it is gone, or stop NAMES.

    Trades stay open with their stops at the broker; 'flatten' closes them. Stopping what does not run is no error.
    """
    home = home_of(directory)
    if names:
        _control(home, "stop", names, as_json)
        return
    if owner_of(home) is None:
        _tell(ControlAnswer(lines=(f"nothing runs in {home.root}",)), as_json)
        return
    answer = ask_manager(home, Control(verb="stop"), timeout_s=_WAIT_S)
    assert isinstance(answer, ControlAnswer)
    deadline_s = time.monotonic() + _WAIT_S
    while (owner := owner_of(home)) is not None:
        if time.monotonic() > deadline_s:
            raise DeadlineExceeded(f"{owner} is still there after {_WAIT_S:g} s: see 'atrader-manager logs manager'")
        time.sleep(_GONE_POLL_S)
    _tell(ControlAnswer(lines=("the fleet has stopped",)), as_json)


@click.command()
@click.argument("names", nargs=-1, shell_complete=processes)
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
    answer = ask_manager(home_of(directory), Reload(), timeout_s=_WAIT_S)
    assert isinstance(answer, ControlAnswer)
    _tell(answer, as_json)
