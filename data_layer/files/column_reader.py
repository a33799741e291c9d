"""Whole columns at once, for blocks without a flaw: with pyarrow where it is installed, else with numpy.

Both give up on a block (None) when anything in it is unusual; `data_layer.files.row_reader` then says what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data_layer.files.decimals import read_decimals
from data_layer.files.layout import Layout
from data_layer.files.rows import Numbers
from data_layer.files.times import ISO, Cells

ColumnReader = Callable[[bytes, Layout, int, "str | None"], "Numbers | None"]
"""Takes a block, its layout, the number of its first line and the symbol its rows must name."""


class _Columns(Protocol):
    """A block cut into columns."""

    count: int

    def cells(self, column: int) -> Cells | None: ...

    def numbers(self, column: int, *, carries: bool) -> NDArray[np.float64] | None: ...


def read_with_arrow(block: bytes, layout: Layout, first_line: int, symbol: str | None) -> Numbers | None:
    """Read a block with pyarrow; None when it is not plain."""
    from data_layer.files.arrow_columns import ArrowColumns

    columns = ArrowColumns.of(block, layout)
    return None if columns is None else _numbers(columns, layout, first_line, symbol)


def read_with_numpy(block: bytes, layout: Layout, first_line: int, symbol: str | None) -> Numbers | None:
    """Read a block with numpy alone; None when it is not plain."""
    if layout.decimal != ".":
        return None
    columns = _SplitColumns.of(block, layout.delimiter)
    return None if columns is None else _numbers(columns, layout, first_line, symbol)


def column_reader() -> ColumnReader:
    """Return the fastest that works here."""
    try:
        import data_layer.files.arrow_columns  # noqa: F401  # here, not in a thread
    except ImportError:
        return read_with_numpy
    return read_with_arrow


def _numbers(columns: _Columns, layout: Layout, first_line: int, symbol: str | None) -> Numbers | None:
    time_ns: NDArray[np.int64] = np.zeros(columns.count, np.int64)
    is_utc: NDArray[np.bool_] = np.zeros(columns.count, np.bool_)
    for number, form in layout.times:
        cells = columns.cells(number)
        found = None if cells is None else form.read_all(cells)
        if found is None:
            return None
        time_ns, is_utc = time_ns + found.time_ns, is_utc | found.is_utc
    values: dict[str, NDArray[np.generic]] = {}
    for name, number in layout.values.items():
        if name == "received":
            cells = columns.cells(number)
            received = None if cells is None else ISO.read_all(cells)
            if received is None or not received.is_utc.all():
                return None
            values[name] = received.time_ns
        else:
            numbers = columns.numbers(number, carries=layout.carries)
            if numbers is None:
                return None
            values[name] = numbers
    if layout.symbol is not None and symbol is not None and not _all_are(columns.cells(layout.symbol), symbol):
        return None
    line = np.arange(first_line, first_line + columns.count, dtype=np.int64)
    return Numbers(line, time_ns, is_utc, values)


def _all_are(cells: Cells | None, text: str) -> bool:
    wanted = np.frombuffer(text.encode(), np.uint8)
    if cells is None or not len(wanted) or bool((cells.ends - cells.starts != len(wanted)).any()):
        return False
    return bool((cells.matrix(np.arange(len(cells.ends)), len(wanted)) == wanted).all())


class _SplitColumns:
    """The columns of a block of ASCII text in which every line has the same number of cells."""

    def __init__(self, block: bytes, characters: NDArray[np.uint8], ends: NDArray[np.int64], delimiter: str) -> None:
        self._block = block
        self._characters = characters
        self._ends = ends  # of cells, one line a row
        self._delimiter = delimiter
        self._texts: list[str] = []
        self.count = len(ends)

    @classmethod
    def of(cls, block: bytes, delimiter: str) -> _SplitColumns | None:
        # Python's numbers may have underscores; quotation marks and NUL characters need a closer look.
        if any(mark in block for mark in (b"_", b'"', b"\0")) or not block.isascii():
            return None
        block = block.removesuffix(b"\n") + b"\n"
        width = block.count(delimiter.encode(), 0, block.find(b"\n")) + 1
        characters = np.frombuffer(block, np.uint8)
        is_end = characters == ord("\n")
        ends = np.flatnonzero(is_end | (characters == ord(delimiter)))
        if len(ends) % width:
            return None
        of_lines = is_end[ends].reshape(-1, width)
        if not of_lines[:, -1].all() or of_lines[:, :-1].any():
            return None
        return cls(block, characters, ends.reshape(-1, width), delimiter)

    def cells(self, column: int) -> Cells | None:
        if column >= self._ends.shape[1]:
            return None
        ends = self._ends[:, column]
        starts = self._ends[:, column - 1] + 1 if column else np.append(0, self._ends[:-1, -1] + 1)
        returns = (self._characters[ends - 1] == ord("\r")) & (ends > starts)
        return Cells(self._characters, starts, ends - returns)

    def numbers(self, column: int, *, carries: bool) -> NDArray[np.float64] | None:
        width = self._ends.shape[1]
        if column >= width:
            return None
        cells = self.cells(column)
        plain = None if cells is None else read_decimals(cells)
        if plain is not None:
            return plain
        if not self._texts:
            self._texts = self._block.decode("ascii").replace("\n", self._delimiter).split(self._delimiter)
        texts = self._texts[column : self.count * width : width]
        empty = 0
        if carries:
            empty = texts.count("")
            texts = [text or "nan" for text in texts]
        try:
            found = np.fromiter(map(float, texts), np.float64, self.count)
        except ValueError:
            return None
        return found if np.count_nonzero(~np.isfinite(found)) == empty else None
