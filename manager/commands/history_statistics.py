"""Statistics of trades for people: one block of lines per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from atrader.wording import statistics_lines

Row = Mapping[str, Any]


def print_statistics(rows: Sequence[Row], by: str) -> None:
    """Print groups one below the other, with the same lines in each."""
    if not rows:
        click.echo("no trades")
    for number, row in enumerate(rows):
        if number:
            click.echo()
        name = f"account {row['account']}" if by == "account" else f"{by} {row[by]} on {row['account']}"
        click.secho(name, bold=True)
        for heading, text in statistics_lines(row):
            click.echo(f"  {heading:<18} {text}")
