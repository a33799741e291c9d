"""``status``: what runs, how it is, and what the accounts hold."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from atrader.configuration.home import Home
from atrader.messages.manager import GetStatus, StatusAnswer
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

_GOOD = {"RUNNING", "ACTIVE", "holds"}
_BAD = {"FAILED", "HALTED", "broken", "FLATTENING"}


def fetch(home: Home) -> dict[str, Any]:
    """Ask the manager for the status map of the script contract."""
    answer = ask_manager(home, GetStatus())
    assert isinstance(answer, StatusAnswer)
    return dict(answer.status)


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
    console = Console()
    if not watch:
        console.print(render(fetch(home)))
        return
    with Live(render(fetch(home)), console=console, auto_refresh=False, screen=console.is_terminal) as live:
        try:
            while True:
                time.sleep(1.0)
                live.update(render(fetch(home)), refresh=True)
        except KeyboardInterrupt:
            return


def promised(status: dict[str, Any]) -> dict[str, Any]:
    """Leave in the rows what is promised to other tools."""
    rows = {part: [{key: row[key] for key in keys} for row in status[part]] for part, keys in _PROMISE.items()}
    return {"manager": status["manager"], **rows}


def render(status: dict[str, Any]) -> Group:
    """Lay the status out for people."""
    manager = status["manager"]
    head = Text(f"manager {manager['state']}  pid {manager['pid']}  up {_duration(manager['uptime_s'])}")
    # No lines and little space: nine columns have to fit into 80 characters with whole names.
    processes = Table(header_style="bold", box=None, padding=(0, 1, 0, 0))
    for name in ("process", "state", "trading", "pid", "restarts", "beat", "progress", "memory", "cpu"):
        left = name in ("process", "state", "trading")
        processes.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=name == "process")
    for row in status["processes"]:
        processes.add_row(
            row["name"],
            _coloured(row["state"]),
            _coloured(row["trading_state"] or "-"),
            str(row["pid"] or "-"),
            str(row["restarts"]),
            _seconds(row["beat_age_s"]),
            _seconds(row["progress_age_s"]),
            "-" if row["uss_bytes"] is None else f"{row['uss_bytes'] / 1e6:.0f} MB",
            "-" if row["cpu_percent"] is None else f"{row['cpu_percent']:.1f} %",
        )
    accounts = Table(header_style="bold", box=None, padding=(0, 1, 0, 0))
    for name in ("account", "balance", "equity", "proof"):
        accounts.add_column(name, justify="left" if name in ("account", "proof") else "right")
    for row in status["accounts"]:
        accounts.add_row(row["name"], str(row["balance"]), str(row["equity"]), _coloured(row["proof"]))
    reasons = [
        Text(f"{row['name']} {row['state']}: {row['reason']}", style="yellow")
        for row in status["processes"]
        if row["state"] not in _GOOD and row.get("reason")
    ]
    return Group(head, Text(), processes, *reasons, Text(), accounts)


def _coloured(word: str) -> Text:
    return Text(word, style="green" if word in _GOOD else "bold red" if word in _BAD else "yellow")


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
