"""``status``: what runs, how it is, and what the accounts hold."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from atrader.configuration.home import Home
from atrader.errors import DeadlineExceeded
from atrader.messages.manager import GetStatus, StatusAnswer
from manager.commands.installed import ask_manager, home_of
from manager.commands.output import json_option, print_json
from manager.commands.tables import Column, console_for_people, table_of

_PROMISE: dict[str, tuple[str, ...]] = {
    "processes": (
        *("name", "kind", "state", "pid", "restarts", "beat_age_s", "progress_age_s", "uss_bytes", "cpu_percent"),
        "trading_state",
    ),
    "accounts": ("name", "balance", "equity", "proof"),
}
"""Keys of the rows of ``status --json``: a promise to other tools, no more and no less."""

_WATCH_S = 1.0
_UNKNOWN = "-"
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
    if not watch:
        print_status(fetch(home))
        return
    if not sys.stdout.isatty():
        raise click.UsageError("--watch needs a terminal; programs use --json")
    with Live(Text(), auto_refresh=False, screen=True) as live:
        try:
            while True:
                live.update(_watched(home, live.console.width), refresh=True)
                time.sleep(_WATCH_S)
        except KeyboardInterrupt:
            return


def print_status(status: dict[str, Any]) -> None:
    """Print the status for people."""
    console = console_for_people()
    console.print(render(status, console.width if console.is_terminal else None))


def _watched(home: Home, width: int) -> Group:
    """Return what to show now; a manager that is gone or busy may come back."""
    try:
        return render(fetch(home), width)
    except DeadlineExceeded as error:
        return Group(Text(error.message, style="bold red"), Text("still watching; Ctrl-C ends"))


def promised(status: dict[str, Any]) -> dict[str, Any]:
    """Leave in the rows what is promised to other tools."""
    rows = {part: [{key: row[key] for key in keys} for row in status[part]] for part, keys in _PROMISE.items()}
    return {"manager": status["manager"], **rows}


def render(status: dict[str, Any], width: int | None) -> Group:
    """Lay the status out for people, in so many characters (None: as many as it takes)."""
    manager = status["manager"]
    head = Text(f"manager {manager['state']}  pid {manager['pid']}  up {_duration(manager['uptime_s'])}")
    processes, _ = table_of(_PROCESSES, status["processes"], width)
    accounts, _ = table_of(_ACCOUNTS, status["accounts"], width)
    reasons = [
        Text(f"{row['name']} {row['state']}: {row['reason']}", style="yellow")
        for row in status["processes"]
        if row["state"] not in _GOOD and row.get("reason")
    ]
    breaks = [
        Text(f"{row['name']} proof broken: {', '.join(map(str, row['breaks']))}", style="bold red")
        for row in status["accounts"]
        if row.get("breaks")
    ]
    return Group(head, Text(), processes, *reasons, Text(), accounts, *breaks, *_orphans(status["accounts"]))


def _orphans(accounts: list[dict[str, Any]]) -> list[Text]:
    """Tell of trades and orders whose instance is gone from the configuration."""
    return [
        Text(
            f"{account['name']}: {orphan['instance']} (magic {orphan['magic']}) is in no strategy file and has"
            f" {orphan['open_trades']} open trades, {orphan['live_orders']} working orders:"
            f" 'flatten instance:{orphan['instance']}' closes them",
            style="yellow",
        )
        for account in accounts
        for orphan in account.get("orphans") or ()
    ]


def _style(word: str) -> str:
    return "green" if word in _GOOD else "bold red" if word in _BAD else "" if word == _UNKNOWN else "yellow"


def _known(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else str(value)


def _seconds(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f} s"


def _megabytes(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else f"{value / 1e6:.0f} MB"


def _percent(value: Any, row: Mapping[str, Any]) -> str:
    return _UNKNOWN if value is None else f"{value:.1f} %"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


_PROCESSES = (
    *(Column("name", "process"), Column("state", "state", cell=_known, style=_style)),
    *(Column("trading_state", "trading", cell=_known, style=_style), Column("pid", "pid", 0, True, _known)),
    *(Column("restarts", "restarts", 2, True, _known), Column("beat_age_s", "beat", 3, True, _seconds)),
    *(Column("progress_age_s", "progress", 4, True, _seconds), Column("uss_bytes", "memory", 1, True, _megabytes)),
    Column("cpu_percent", "cpu", 1, True, _percent),
)
_ACCOUNTS = (
    *(Column("name", "account"), Column("balance", "balance", 0, True, _known)),
    *(Column("equity", "equity", 0, True, _known), Column("proof", "proof", cell=_known, style=_style)),
)
