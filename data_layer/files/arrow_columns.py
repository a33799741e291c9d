"""Blocks of text cut into columns by pyarrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

from data_layer.files.layout import Layout, lines_in
from data_layer.files.times import Cells

# Blocks are read in milliseconds: the pipe by which pyarrow would notice Ctrl-C sooner than Python is not needed.
pa.enable_signal_handlers(False)


class ArrowColumns:
    """The columns of a block."""

    def __init__(self, columns: dict[int, Any], count: int) -> None:
        self._columns = columns
        self.count = count

    @classmethod
    def of(cls, block: bytes, layout: Layout) -> ArrowColumns | None:
        """Cut a block; None when its rows differ in length or a number is none."""
        first = block[: block.find(b"\n")] if b"\n" in block else block
        names = [str(number) for number in range(first.count(layout.delimiter.encode()) + 1)]
        types: dict[str, Any] = {str(number): pa.float64() for number in layout.values.values()}
        texts = [number for number, _ in layout.times]
        texts += [layout.values["received"]] if "received" in layout.values else []
        texts += [] if layout.symbol is None else [layout.symbol]
        types |= {str(number): pa.binary() for number in texts}
        if not types.keys() <= set(names):
            return None
        try:
            table = pc.read_csv(
                pa.BufferReader(block),
                read_options=pc.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=False),
                # No cell is quoted here: a quotation mark is part of its cell, which then is no number.
                parse_options=pc.ParseOptions(
                    delimiter=layout.delimiter, quote_char=False, double_quote=False, ignore_empty_lines=False
                ),
                convert_options=pc.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=[""] if layout.carries else [],
                    strings_can_be_null=False,
                    check_utf8=False,
                    decimal_point=layout.decimal,
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != lines_in(block) + (not block.endswith(b"\n")):
            return None  # it takes more characters for the end of a line than we do
        return cls({int(name): table.column(name).combine_chunks() for name in types}, table.num_rows)

    def cells(self, column: int) -> Cells | None:
        """Return a column as text."""
        array = self._columns[column]
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int32, len(array) + 1)[array.offset :].astype(np.int64)
        characters = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
        return Cells(characters, ends[:-1], ends[1:])

    def numbers(self, column: int, *, carries: bool) -> NDArray[np.float64] | None:
        """Return a column as numbers, an empty cell as NaN; None when another one is not finite."""
        array = self._columns[column]
        found = np.array(array.to_numpy(zero_copy_only=False), np.float64)
        return found if np.count_nonzero(~np.isfinite(found)) == array.null_count else None
