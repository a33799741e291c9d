"""Tables for people: whole words always; what does not fit into a terminal is left out, least important first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from atrader.instruments import KNOWN, Instrument

_GAP = 2  # spaces between columns
_PROSE = 24  # characters of a line of prose that are worth reading
_ENDLESS = 10_000
_SECONDS = len("2024-03-10T06:59:59")

Cell = Callable[[Any, Mapping[str, Any]], str]


def plain(value: Any, row: Mapping[str, Any]) -> str:
    """Show a value as it is."""
    return "" if value is None else str(value)


def time_cell(value: Any, row: Mapping[str, Any]) -> str:
    """Show an ISO 8601 UTC time to the second."""
    return "" if value is None else f"{str(value)[:_SECONDS].rstrip('Z')}Z"


def pairs_cell(value: Any, row: Mapping[str, Any]) -> str:
    """Show a map of figures as ``name=value`` with six digits."""
    if not isinstance(value, Mapping):
        return plain(value, row)
    return " ".join(
        f"{key}={figure:.6g}" if isinstance(figure, float) else f"{key}={figure}" for key, figure in value.items()
    )


def no_style(text: str) -> str:
    """Show every text alike."""
    return ""


def price_cell(instruments: Mapping[str, Instrument]) -> Cell:
    """Show prices with one digit more than the instrument of the row has: averages lie between its steps."""
    known = {**KNOWN, **instruments}

    def show(value: Any, row: Mapping[str, Any]) -> str:
        instrument = known.get(str(row.get("instrument")))
        if value is None or instrument is None:
            return plain(value, row)
        price, exponent = Decimal(str(value)), instrument.price_tick.as_tuple().exponent
        assert isinstance(exponent, int)  # a price step is a number
        usual = price.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_EVEN)
        shown = usual if usual == price else price.quantize(Decimal(1).scaleb(exponent - 1), ROUND_HALF_EVEN)
        return f"{shown:f}"

    return show


class Column(NamedTuple):
    """One column: a key of the rows and how it is shown."""

    key: str
    heading: str
    rank: int = 0
    """The higher, the sooner it is left out for lack of space; 0 stays."""
    right: bool = False
    cell: Cell = plain
    prose: bool = False
    """Free text, which may be broken into lines when space is short."""
    style: Callable[[str], str] = no_style


def fitting(columns: Sequence[Column], widths: Mapping[str, int], space: int) -> list[Column]:
    """Return the columns that fit into a number of characters, in their order."""
    kept = list(columns)
    while sum(widths[column.key] + _GAP for column in kept) - _GAP > space:
        least = max(reversed(kept), key=lambda column: column.rank)
        if least.rank == 0:
            break
        kept.remove(least)
    return kept


def table_of(
    columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], space: int | None
) -> tuple[Table, list[str]]:
    """Lay rows out in a number of characters (None: as many as they need).

    Returns
    -------
    Table
        For a rich console of that width.
    list of str
        Headings of the columns that were left out.
    """
    lines = [{column.key: column.cell(row.get(column.key), row) for column in columns} for row in rows]
    widths = {column.key: max([len(column.heading), *(len(line[column.key]) for line in lines)]) for column in columns}
    least = {column.key: min(widths[column.key], _PROSE) if column.prose else widths[column.key] for column in columns}
    kept = list(columns) if space is None else fitting(columns, least, space)
    table = Table(header_style="bold", box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for column in kept:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        width = widths[column.key] if space is None else least[column.key]
        table.add_column(column.heading, justify=justify, no_wrap=not column.prose or space is None, min_width=width)
    for line in lines:
        table.add_row(*(Text(line[column.key], column.style(line[column.key])) for column in kept))
    return table, [column.heading for column in columns if column not in kept]


def print_rows(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Print maps as a table, or a sentence when there is nothing to show.

    On a terminal the least important columns are left out until the rest fits, and stderr says which; into a file or
    pipe everything is written.
    """
    if not rows:
        click.echo(empty)
        return
    console = console_for_people()
    table, hidden = table_of(columns, rows, console.width if sys.stdout.isatty() else None)
    console.print(table)
    if hidden:
        click.secho(f"not enough width for: {', '.join(hidden)}", dim=True, err=True)


def console_for_people() -> Console:
    """Return a console as wide as the terminal, or without end where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=_ENDLESS)
