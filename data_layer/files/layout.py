"""How the rows of one text file are to be read: what a format finds out from the first lines, or a person says."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from atrader.market import BAR_COLUMNS
from data_layer.files.rows import Kind
from data_layer.files.times import TimeForm

BID_PRICES: Final[tuple[str, ...]] = ("open", "high", "low", "close")
ASK_PRICES: Final[tuple[str, ...]] = ("ask_open", "ask_high", "ask_low", "ask_close")
QUOTE_PRICES: Final[tuple[str, ...]] = ("bid", "ask")
VALUES: Final[tuple[str, ...]] = (*BAR_COLUMNS[1:], "spread", *QUOTE_PRICES, "received")
"""What a column other than the time can be."""

MARKS: Final = ",;\t"
"""What is between cells, as a rule."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are read.

    Attributes
    ----------
    format : str
        Name of the format.
    kind : str
        ``bars`` or ``quotes``.
    delimiter : str
        Between cells.
    skip : int
        Lines before the first row.
    times : sequence of (int, TimeForm)
        Columns that make the time, in their forms; two are added up (a day and a time of day).
    values : mapping of str to int
        Columns by our names.
    zone : str, optional
        Zone of times without one, where the format defines it.
    in_order : bool
        Whether the order of the rows tells the two passes of a repeated hour apart.
    carries : bool
        Whether an empty price means that it did not change.
    symbol : int, optional
        Column that names the instrument.
    timeframe : str, optional
        Of the bars, where format or name say it.
    decimal : str
        What stands before the decimals of a number: a point, or a comma where a person says so.
    """

    format: str
    kind: Kind
    delimiter: str
    skip: int
    times: tuple[tuple[int, TimeForm], ...]
    values: Mapping[str, int]
    zone: str | None = None
    in_order: bool = False
    carries: bool = False
    symbol: int | None = None
    timeframe: str | None = None
    decimal: str = "."


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a text file.

    Attributes
    ----------
    name : str
        Of the file, without folders.
    lines : sequence of str
        The first lines, whole.
    marks : str
        What may be between cells.
    """

    name: str
    lines: tuple[str, ...]
    marks: str = MARKS
    _tables: dict[str, Table] = field(default_factory=dict, init=False, repr=False, compare=False)

    def table(self, delimiter: str | None = None) -> Table:
        """Take the lines apart; once for each delimiter, as every format looks at them."""
        first = self.lines[0] if self.lines else ""
        mark = delimiter or max(self.marks, key=first.count)
        if mark not in self._tables:
            rows = [cells_of(line, mark) for line in self.lines if line.strip()]
            self._tables[mark] = Table(mark, [cell.lower().strip("<>") for cell in rows[0]] if rows else [], rows)
        return self._tables[mark]


@dataclass(frozen=True, slots=True)
class Table:
    """A sample cut into cells.

    Attributes
    ----------
    delimiter : str
        Between cells.
    names : list of str
        The first row in lower case, without angle brackets.
    rows : list of list of str
        All rows, the first included.
    """

    delimiter: str
    names: list[str]
    rows: list[list[str]]

    def find(self, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
        """Return the columns of our names whose other names stand in the header."""
        return {
            ours: self.names.index(found)
            for ours, theirs in wanted.items()
            if (found := next((name for name in theirs if name in self.names), None)) is not None
        }

    def reads(self, row: int, times: tuple[tuple[int, TimeForm], ...]) -> bool:
        """Whether the times of a row are written so; a table that ends before is taken at its word."""
        if row >= len(self.rows):
            return True
        cells = self.rows[row]
        try:
            for column, form in times:
                form.read(cells[column])
        except (ValueError, IndexError):
            return False
        return True


def cells_of(line: str, delimiter: str) -> list[str]:
    """Cut one line into cells without blanks and quotation marks around them.

    A line is a row: a quotation mark that never ends spoils its own line only.
    """
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return [line]


def lines_in(block: bytes) -> int:
    """Count the ends of lines; numpy lets other threads run meanwhile, and is faster."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == ord("\n")))
