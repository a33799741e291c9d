"""What all commands share: errors to exit codes, tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from atrader.errors import (
    AtraderError,
    ConfigError,
    DeadlineExceeded,
    InvariantBroken,
    Rejected,
    Retryable,
    StoreError,
    StrategyError,
)
from atrader.exit_codes import ExitCode

EXIT_CODES: tuple[tuple[type[AtraderError], ExitCode], ...] = (
    (ConfigError, ExitCode.CONFIG),
    (StoreError, ExitCode.STORE),
    (DeadlineExceeded, ExitCode.UNAVAILABLE),
    (Retryable, ExitCode.UNAVAILABLE),
    (InvariantBroken, ExitCode.INVARIANT),
    (StrategyError, ExitCode.STRATEGY),
    (Rejected, ExitCode.FAILURE),
    (AtraderError, ExitCode.FAILURE),
)
"""Exit code of a command by the error that ended it; the first match counts. ``docs/commands.md`` has it."""


class Locked(ConfigError):
    """Raised when somebody else holds what a command needs; exits with LOCKED."""

    code = "locked"


def run(command: click.Command) -> None:
    """Run a click command as a program: errors of ours become one message and a stable exit code."""
    try:
        command.main()
    except Locked as error:
        _fail(error, ExitCode.LOCKED)
    except AtraderError as error:
        _fail(error, next(code for kind, code in EXIT_CODES if isinstance(error, kind)))


def _fail(error: AtraderError, code: ExitCode) -> None:
    click.secho(f"error: {error.message}", fg="red", err=True)
    sys.exit(int(code))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of a table.")


def print_json(value: object) -> None:
    """Print a value as JSON; money stays a string, so no digit is lost."""
    click.echo(json.dumps(value, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or a sentence when there is nothing to show."""
    from rich.console import Console
    from rich.table import Table

    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not lines:
        click.echo(empty)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_rows(title: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Print maps as a table; ``columns`` maps keys to headings."""
    print_table(title, list(columns.values()), ([row.get(key) for key in columns] for row in rows), empty=empty)
