"""What all commands share: errors to exit codes, tables for people, JSON for programs."""

from __future__ import annotations

import csv
import json
import os
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
from atrader.runtime.no_plugins import without_plugins

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
    without_plugins()
    try:
        command.main(color=_colour())
    except Locked as error:
        _fail(error, ExitCode.LOCKED)
    except AtraderError as error:
        _fail(error, next(code for kind, code in EXIT_CODES if isinstance(error, kind)))


def _colour() -> bool | None:
    """Tell whether colours are written (None: to terminals only), as https://no-color.org has it."""
    return False if os.environ.get("NO_COLOR") else None


def _fail(error: AtraderError, code: ExitCode) -> None:
    click.secho(f"error: {error.message}", fg="red", err=True, color=_colour())
    sys.exit(int(code))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV with every column instead of a table.")


def print_csv(keys: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV with a heading; maps become JSON, None becomes nothing."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(keys)
    for row in rows:
        values = (row[key] for key in keys)
        writer.writerow(json.dumps(value) if isinstance(value, Mapping) else value for value in values)


def print_json(value: object) -> None:
    """Print a value as JSON; money stays a string, so no digit is lost."""
    click.echo(json.dumps(value, indent=2, default=str))
