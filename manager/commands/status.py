"""``status``: what runs, how it is, and what the accounts hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from atrader.configuration.home import Home
from atrader.wire_frame import PlainRequest
from manager.commands.installed import ask_manager, home_of
from manager.commands.output import json_option, print_json

_PROMISE: dict[str, tuple[str, ...]] = {
    "processes": (
        *("name", "kind", "state", "pid", "restarts", "beat_age_s", "progress_age_s", "uss_bytes", "cpu_percent"),
        "trading_state",
    ),
    "accounts": ("name", "balance", "equity", "proof"),
}
"""Keys of the rows of ``status --json``: a promise to other tools, no more and no less."""


GET_STATUS = PlainRequest("manager.status")
"""`GetStatus` of `atrader.messages.manager` without that import: scripts ask for the status all the time."""


def fetch(home: Home) -> dict[str, Any]:
    """Ask the manager for the status map of the script contract."""
    return dict(ask_manager(home, GET_STATUS)["status"])


@click.command()
@click.option("--watch", is_flag=True, help="Keep showing it, once a second, until Ctrl-C.")
@json_option
@click.pass_obj
def status(directory: Path, watch: bool, as_json: bool) -> None:
    """Show the processes of the fleet and its accounts."""
    home = home_of(directory)
    if as_json:
        print_json(promised(fetch(home)))
        return
    from manager.commands import status_view  # programs do not wait for what only people look at

    if not watch:
        status_view.print_status(fetch(home))
        return
    if not sys.stdout.isatty():
        raise click.UsageError("--watch needs a terminal; programs use --json")
    status_view.watch(lambda: fetch(home))


def promised(status: dict[str, Any]) -> dict[str, Any]:
    """Leave in the rows what is promised to other tools."""
    rows = {part: [{key: row[key] for key in keys} for row in status[part]] for part, keys in _PROMISE.items()}
    return {"manager": status["manager"], **rows}
