"""Columns as Parquet files, for tools. Needs the extra ``arrow``; without it nothing is written.

Columns are handed to pyarrow as buffers: its own conversion imports pandas wherever that is installed, which takes
longer than most backtests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from types import ModuleType
from typing import Any

import numpy as np

from atrader.errors import ConfigError
from atrader.extras import imported

Columns = Mapping[str, Sequence[Any]]


def files_of(tables: Mapping[str, Columns]) -> dict[str, bytes]:
    """Return a file for each table that has rows, by name; none when pyarrow is not installed.

    Texts are strings, truths booleans, whole numbers int64, everything else that is a number (money, too) float64.

    Parameters
    ----------
    tables : mapping of str to mapping of str to sequence
        By name, each its columns by key; all of a table are equally long.
    """
    try:
        arrow, parquet = (imported(name, "arrow", "Parquet needs pyarrow") for name in ("pyarrow", "pyarrow.parquet"))
    except ConfigError:
        return {}
    written = {}
    for name, columns in tables.items():
        if not columns:
            continue
        arrays = [_array(arrow, values) for values in columns.values()]
        table, out = arrow.Table.from_arrays(arrays, list(columns)), BytesIO()
        parquet.write_table(table, out, compression="zstd")
        written[f"{name}.parquet"] = out.getvalue()
    return written


def _array(arrow: ModuleType, values: Sequence[Any]) -> Any:
    kinds = set(map(type, values))
    nulls = None
    if type(None) in kinds:
        nulls = arrow.py_buffer(_bits([value is not None for value in values]))
        kinds.remove(type(None))
    if str in kinds:
        texts = ["" if value is None else str(value) for value in values]
        joined = "".join(texts)
        lengths = map(len, texts) if joined.isascii() else (len(text.encode()) for text in texts)
        ends = np.cumsum([0, *lengths]).astype(np.int32)
        buffers = [nulls, arrow.py_buffer(ends), arrow.py_buffer(joined.encode())]
        return arrow.Array.from_buffers(arrow.string(), len(values), buffers)
    if kinds == {bool}:
        truths = arrow.py_buffer(_bits([bool(value) for value in values]))
        return arrow.Array.from_buffers(arrow.bool_(), len(values), [nulls, truths])
    if kinds == {int}:
        whole = np.array(values if nulls is None else [value or 0 for value in values], np.int64)
        return arrow.Array.from_buffers(arrow.int64(), len(values), [nulls, arrow.py_buffer(whole)])
    given = values if nulls is None else [np.nan if value is None else value for value in values]
    numbers = np.fromiter(map(float, given), np.float64, len(given))
    return arrow.Array.from_buffers(arrow.float64(), len(values), [nulls, arrow.py_buffer(numbers)])


def _bits(truths: Sequence[bool]) -> bytes:
    return np.packbits(np.array(truths, bool), bitorder="little").tobytes()
