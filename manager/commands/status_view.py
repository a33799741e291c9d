"""The status for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click

from atrader.errors import DeadlineExceeded
from manager.commands.tables import Column, Said, said, table_of, terminal_width

_WATCH_S: Final = 1.0
_UNKNOWN: Final = "-"
_GOOD: Final = {"RUNNING", "ACTIVE", "holds"}
_BAD: Final = {"FAILED", "HALTED", "broken", "FLATTENING"}


def print_status(status: dict[str, Any]) -> None:
    """Print the status for people."""
    click.echo("\n".join(render(status, terminal_width())))


def watch(fetch: Callable[[], dict[str, Any]]) -> None:
    """Show the status once a second, until Ctrl-C; a manager that is gone or busy may come back."""
    from rich.live import Live  # only for what stays: it takes as long to import as a status takes
    from rich.text import Text

    with Live(Text(), auto_refresh=False, screen=True) as live:
        try:
            while True:
                lines = _watched(fetch, live.console.width)
                live.update(Text.from_ansi("\n".join(lines)), refresh=True)
                time.sleep(_WATCH_S)
        except KeyboardInterrupt:
            return


def _watched(fetch: Callable[[], dict[str, Any]], width: int) -> list[str]:
    try:
        return render(fetch(), width)
    except DeadlineExceeded as error:
        return [*said([(error.message, "bold red")], width), "still watching; Ctrl-C ends"]


def render(status: dict[str, Any], width: int | None) -> list[str]:
    """Lay the status out for people, in so many characters (None: as many as it takes)."""
    manager = status["manager"]
    head = f"manager {manager['state']}  pid {manager['pid']}  up {_duration(manager['uptime_s'])}"
    processes, _ = table_of(_PROCESSES, status["processes"], width)
    accounts, _ = table_of(_ACCOUNTS, status["accounts"], width)
    reasons = [
        (f"{row['name']} {row['state']}: {row['reason']}", "yellow")
        for row in status["processes"]
        if row.get("reason") and (row["state"] not in _GOOD or row.get("trouble"))
    ]
    reasons += [
        (f"{row['name']}: {row['warm_up_missing']} bars of its warm-up are missing", "yellow")
        for row in status["processes"]
        if row.get("warm_up_missing")
    ]
    reasons += [
        (f"{row['name']}: {line}", "yellow" if row["selection"]["state"] not in _GOOD else "")
        for row in status["processes"]
        if row.get("selection")
        for line in (selection_line(row["selection"]),)
    ]
    reasons += [(f"being fetched: {line}", "") for row in status["processes"] for line in row.get("backfill", ())]
    breaks = [
        (f"{row['name']} proof broken: {', '.join(map(str, row['breaks']))}", "bold red")
        for row in status["accounts"]
        if row.get("breaks")
    ]
    breaks += [
        (f"{row['name']}: the stream of {stream['name']} is down; 'account {row['name']}' has more", "yellow")
        for row in status["accounts"]
        for stream in (row.get("health") or {}).get("streams", ())
        if not stream["connected"]
    ]
    breaks += [
        (
            f"{row['name']}: for {row['proof_age_s']:.0f} s the broker has not told what it holds: nobody knows whether"
            " the proof holds",
            "yellow",
        )
        for row in status["accounts"]
        if row.get("proof") is None and row.get("proof_age_s") is not None
    ]
    ownerless = (*orphan_lines(status["accounts"]), *_foreign(status["accounts"]))
    return [head, "", *processes, *said(reasons, width), "", *accounts, *said([*breaks, *ownerless], width)]


def selection_line(selection: Mapping[str, Any]) -> str:
    """Say what was selected for an instance, why, and what its market is like now."""
    since = "" if selection["since"] is None else f" since {selection['since']}"
    return f"{selection['state']} by selection{since}: {selection['reason']}; now {selection['market']}"


def orphan_lines(accounts: Iterable[Mapping[str, Any]]) -> list[Said]:
    """Tell of trades and orders whose instance is gone from the configuration."""
    return [
        (
            f"{account['name']}: {orphan['instance']} (magic {orphan['magic']}) is in no strategy file;"
            f" open trades: {orphan['open_trades']}, working orders: {orphan['live_orders']};"
            f" 'orphans close {account['name']} {orphan['instance']}' closes them,"
            f" 'orphans assign {account['name']} {orphan['instance']} INSTANCE' gives them to another",
            "yellow",
        )
        for account in accounts
        for orphan in account.get("orphans") or ()
    ]


def _foreign(accounts: list[dict[str, Any]]) -> list[Said]:
    """Tell of trades that nobody of us opened."""
    return [
        (f"{account['name']}: nobody of us opened {line}; never touched, 'adopt' gives it to an instance", "")
        for account in accounts
        for line in account.get("foreign") or ()
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
