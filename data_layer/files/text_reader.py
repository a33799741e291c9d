"""Text files: columns at once where the rows are plain, one by one where they are not."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import IO, Final, NamedTuple

from data_layer.files.column_reader import ColumnReader, column_reader
from data_layer.files.layout import Layout, cells_of, lines_in
from data_layer.files.row_reader import read_rows
from data_layer.files.rows import BadRow, Numbers, joined
from data_layer.files.sources import Blocks

_PIECE_BYTES: Final = 64 << 10
"""What is read row by row around a bad row: large enough for columns to pay, small enough not to matter."""

_MOST_THREADS: Final = 4  # more would wait for the one that cuts the file into blocks


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
    with closing(reader):
        for block in blocks:
            reader.take(block)
        reader.finish()
    if blocks.damage:
        reason = f"the file is damaged or cut off here ({blocks.damage}); nothing after it could be read"
        reader.bad.append(BadRow(file, reader.line, reason, "damaged file"))
    return joined(reader.parts), reader.bad, reader.symbol


class _Block(NamedTuple):
    """Lines that are being read by columns."""

    text: bytes
    line: int
    symbol: str | None
    columns: Future[Numbers | None]


class _Reader:
    """Reads blocks by columns in threads, which pyarrow and numpy let run at once; takes them in the file's order."""

    def __init__(self, layout: Layout, file: str, columns: ColumnReader) -> None:
        self._layout = layout
        self._file = file
        self._columns = columns
        self._skip = layout.skip
        self._threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="columns")
        self._ahead: deque[_Block] = deque()
        self.line = 1  # where the next block begins
        self.symbol: str | None = None
        self.bad: list[BadRow] = []
        # An empty part gives the columns their types when no row is good.
        self.parts: list[Numbers] = [read_rows(b"", layout, file, 1, None)[0]]

    def take(self, block: bytes) -> None:
        """Begin to read the next lines; take in the oldest that are under way when these are enough."""
        while self._skip and block:
            _, end, block = block.partition(b"\n")
            self._skip -= 1
            self.line += len(end)
        if not block:
            return
        if self._layout.symbol is not None and self.symbol is None:
            self.symbol = _first_symbol(block, self._layout)
        work = self._pool.submit(self._columns, block, self._layout, self.line, self.symbol)
        self._ahead.append(_Block(block, self.line, self.symbol, work))
        self.line += lines_in(block)
        if len(self._ahead) > self._threads:
            self._take_in(self._ahead.popleft())

    def finish(self) -> None:
        """Take in everything that is under way."""
        while self._ahead:
            self._take_in(self._ahead.popleft())

    def close(self) -> None:
        """End the threads; what nobody took in is dropped."""
        self._pool.shutdown(cancel_futures=True)

    def _take_in(self, block: _Block) -> None:
        whole = block.columns.result()
        if whole is not None:
            self.parts.append(whole)
            return
        line = block.line
        for piece in _pieces(block.text):
            is_all = len(piece) == len(block.text)
            numbers = None if is_all else self._columns(piece, self._layout, line, block.symbol)
            if numbers is None:
                numbers, bad = read_rows(piece, self._layout, self._file, line, block.symbol)
                self.bad += bad
            self.parts.append(numbers)
            line += lines_in(piece)


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
