"""Tables for people: whole words always; what does not fit into a terminal is left out, least important first."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple, TypeAlias

import click

from atrader.instruments import KNOWN, Instrument
from atrader.wording import price_text
from manager.commands.text_lines import folded, width_of

_GAP = 2  # spaces between columns
PROSE = 24
"""Characters of a line of prose that are worth reading."""
_SECONDS = len("2024-03-10T06:59:59")

Cell = Callable[[Any, Mapping[str, Any]], str]
Said: TypeAlias = tuple[str, str]
"""A sentence and its style, see `styled`."""


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


def styled(text: str, style: str) -> str:
    """Return a text in a style: a colour, ``bold``, both or neither; what is no terminal is written without it."""
    words = style.split()
    colour = next((word for word in words if word != "bold"), None)
    return click.style(text, fg=colour, bold="bold" in words) if words and text else text


def price_cell(instruments: Mapping[str, Instrument]) -> Cell:
    """Show prices with one digit more than the instrument of the row has: averages lie between its steps."""
    known = {**KNOWN, **instruments}

    def show(value: Any, row: Mapping[str, Any]) -> str:
        instrument = known.get(str(row.get("instrument")))
        if value is None or instrument is None:
            return plain(value, row)
        return price_text(Decimal(str(value)), instrument)

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
) -> tuple[list[str], list[str]]:
    """Lay rows out in a number of characters (None: as many as they need).

    Returns
    -------
    list of str
        The lines, the headings first; styled.
    list of str
        Headings of the columns that were left out.
    """
    texts = [{column.key: column.cell(row.get(column.key), row) for column in columns} for row in rows]
    widths = {
        column.key: max([width_of(column.heading), *(width_of(text[column.key]) for text in texts)])
        for column in columns
    }
    least = {column.key: min(widths[column.key], PROSE) if column.prose else widths[column.key] for column in columns}
    kept = list(columns)
    if space is not None:
        kept = fitting(columns, least, space)
        _narrow({column.key for column in kept}, widths, least, space)
    lines = _row(kept, widths, {column.key: column.heading for column in kept}, lambda column, part: "bold")
    for text in texts:
        lines += _row(kept, widths, text, lambda column, whole: column.style(whole))
    return lines, [column.heading for column in columns if column not in kept]


def _narrow(kept: set[str], widths: dict[str, int], least: Mapping[str, int], space: int) -> None:
    """Take from the widest columns, one character after the other, what does not fit."""
    over = sum(widths[key] + _GAP for key in kept) - _GAP - space
    while over > 0:
        widest = max((key for key in kept if widths[key] > least[key]), key=lambda key: widths[key], default=None)
        if widest is None:
            return
        widths[widest] -= 1
        over -= 1


def _row(
    columns: Sequence[Column],
    widths: Mapping[str, int],
    texts: Mapping[str, str],
    style: Callable[[Column, str], str],
) -> list[str]:
    """Return the lines of one row."""
    folds = [folded(texts[column.key], widths[column.key]) for column in columns]
    styles = [style(column, texts[column.key]) for column in columns]
    found = []
    for parts in zip_longest(*folds, fillvalue=""):
        shown = list(parts)
        while len(shown) > 1 and not shown[-1]:
            shown.pop()  # nothing stands behind the last text of a line
        cells = []
        for at, (column, part) in enumerate(zip(columns, shown, strict=False)):
            space = " " * (widths[column.key] - width_of(part))
            gap = "" if column.right or at == len(shown) - 1 else space
            cells.append((space if column.right else "") + styled(part, styles[at]) + gap)
        found.append((" " * _GAP).join(cells))
    return found


def said(sentences: Iterable[Said], space: int | None) -> list[str]:
    """Return sentences in lines of so many characters (None: a line each), each in its style."""
    return [styled(part, style) for text, style in sentences for part in folded(text, space)]


def print_rows(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Print maps as a table, or a sentence when there is nothing to show.

    On a terminal the least important columns are left out until the rest fits, and stderr says which; into a file or
    pipe everything is written.
    """
    if not rows:
        click.echo(empty)
        return
    lines, hidden = table_of(columns, rows, terminal_width())
    click.echo("\n".join(lines))
    if hidden:
        click.secho(f"not enough width for: {', '.join(hidden)}", dim=True, err=True)


def terminal_width() -> int | None:
    """Return the characters of a line of the terminal that is written to; None: it is none, and lines have no end."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
