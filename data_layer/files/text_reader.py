"""Text files: columns at once where the rows are plain, one by one where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from data_layer.files.column_reader import ColumnReader, column_reader
from data_layer.files.layout import Layout, cells_of
from data_layer.files.row_reader import read_rows
from data_layer.files.rows import BadRow, Numbers, joined
from data_layer.files.sources import Blocks

_PIECE_BYTES: Final = 64 << 10
"""What is read row by row around a bad row: large enough for columns to pay, small enough not to matter."""


def read_text(
    handle: IO[bytes], layout: Layout, file: str, columns: ColumnReader | None = None
) -> tuple[Numbers, list[BadRow], str | None]:
    """Read a whole file.

    Parameters
    ----------
    handle : binary file
        At its beginning.
    layout : Layout
        How its rows are written.
    file : str
        For errors.
    columns : callable, optional
        How plain blocks are read; default: the fastest that works here. All give the same.

    Returns
    -------
    tuple of (Numbers, list of BadRow, str or None)
        The rows, those that could not be read, and the instrument the rows name. Of a damaged file all rows before
        the damage, which is the last bad row.
    """
    reader = _Reader(layout, file, columns or column_reader())
    blocks = Blocks(handle)
    for block in blocks:
        reader.take(block)
    if blocks.damage:
        reason = f"the file is damaged or cut off here ({blocks.damage}); nothing after it could be read"
        reader.bad.append(BadRow(file, reader.line, reason, "damaged file"))
    return joined(reader.parts), reader.bad, reader.symbol


class _Reader:
    def __init__(self, layout: Layout, file: str, columns: ColumnReader) -> None:
        self._layout = layout
        self._file = file
        self._columns = columns
        self._skip = layout.skip
        self.line = 1
        self.symbol: str | None = None
        self.bad: list[BadRow] = []
        # An empty part gives the columns their types when no row is good.
        self.parts: list[Numbers] = [read_rows(b"", layout, file, 1, None)[0]]

    def take(self, block: bytes) -> None:
        """Read the next lines."""
        while self._skip and block:
            _, end, block = block.partition(b"\n")
            self._skip -= 1
            self.line += len(end)
        if not block:
            return
        if self._layout.symbol is not None and self.symbol is None:
            self.symbol = _first_symbol(block, self._layout)
        if not self._at_once(block):
            for piece in _pieces(block):
                if len(piece) == len(block) or not self._at_once(piece):
                    numbers, bad = read_rows(piece, self._layout, self._file, self.line, self.symbol)
                    self.parts.append(numbers)
                    self.bad += bad
                    self.line += piece.count(b"\n")

    def _at_once(self, block: bytes) -> bool:
        numbers = self._columns(block, self._layout, self.line, self.symbol)
        if numbers is None:
            return False
        self.parts.append(numbers)
        self.line += block.count(b"\n")
        return True


def _pieces(block: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(block):
        end = block.find(b"\n", start + _PIECE_BYTES - 1) + 1 or len(block)
        yield block[start:end]
        start = end


def _first_symbol(block: bytes, layout: Layout) -> str | None:
    """Return the instrument of the first row that names one."""
    assert layout.symbol is not None
    for line in block[:_PIECE_BYTES].decode("utf-8", "replace").split("\n"):
        cells = cells_of(line, layout.delimiter)
        if layout.symbol < len(cells) and cells[layout.symbol]:
            return cells[layout.symbol]
    return None
