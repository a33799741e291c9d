"""The report of an import for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from framework_bridge.legacy.findings import Kind
from framework_bridge.legacy.old_text import printable
from manager.commands.data_import_work import show_imports
from manager.commands.tables import Column, print_rows
from manager.legacy.writing import incomplete_lines

_TITLES: Final[Mapping[Kind, str]] = {
    Kind.CONVERTED: "Converted",
    Kind.CHANGED: "Converted, and different now",
    Kind.OLD_DEFECT: "What the old program did wrong",
    Kind.NO_COUNTERPART: "Without a counterpart",
    Kind.UNKNOWN: "Unknown",
    Kind.PROBLEM: "Problems",
    Kind.TO_DO: "To do",
}
_FILES: Final = (Column("path", "file"), Column("state", "state"))
_TRADES: Final = (
    *(Column("account", "account"), Column("closed", "closed trades", right=True)),
    Column("new", "new in the history", right=True),
)
_TAKE_OVER: Final = (
    *(Column("account", "account", 2), Column("trade_id", "trade", 1), Column("instance", "instance")),
    *(Column("magic", "magic", 3, right=True), Column("instrument", "instrument"), Column("side", "side")),
    *(Column("units", "units", right=True), Column("open_price", "open price", 4, right=True)),
    *(Column("stop_loss", "stop", 5, right=True), Column("take_profit", "target", 6, right=True)),
)
_FINDINGS: Final = (Column("where", "where"), Column("what", "what", prose=True), Column("then", "then", prose=True))


def show(report: Mapping[str, Any]) -> None:
    """Print a report: what is left to do comes last, where it is read."""
    for title, columns, rows in (
        ("Files", _FILES, report["files"]),
        ("History", _TRADES, report["trades"]),
        ("Open trades that wait for the gateway", _TAKE_OVER, report["take_over"]),
    ):
        if rows:
            click.secho(f"\n{title}", bold=True)
            print_rows(columns, rows, empty="none")
    if report["bars"]:
        click.secho("\nBars", bold=True)
        show_imports(report["bars"], dry_run=report["dry_run"])
    for failure in report["bars_failed"]:
        click.secho(f"not imported: {failure}", fg="yellow", err=True)
    for kind, title in _TITLES.items():
        _show_findings(title, [row for row in report["findings"] if row["kind"] == kind.value])
    click.echo(f"\n{_ending(report)}")


def _show_findings(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    click.secho(f"\n{title} ({len(rows)})", bold=True)
    columns = _FINDINGS if any(row["remedy"] for row in rows) else _FINDINGS[:2]
    print_rows(columns, [_finding(row) for row in rows], empty="none")


def _finding(row: Mapping[str, Any]) -> dict[str, str]:
    place = f"{Path(row['file']).name}:{row['line']}" if row["line"] else Path(row["file"]).name
    key = f"{row['key']}: " if row["key"] else ""
    return {"where": place, "what": printable(f"{key}{row['text']}"), "then": row["remedy"]}


def _ending(report: Mapping[str, Any]) -> str:
    if report["dry_run"]:
        return "nothing was written (--dry-run)"
    changed = sum(one["state"] in ("new", "updated", "removed") for one in report["files"])
    here = f"atrader-manager -C {report['out']}"
    steps = [f"{here} check", f"{here} start   # or reload, when it runs"]
    waiting = "".join(f"{line}\n" for line in incomplete_lines(Path(report["out"])))
    return f"{waiting}files written: {changed}; next: " + "\n      ".join(steps)
