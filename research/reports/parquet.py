"""Rows as Parquet files, for tools. Needs the extra ``arrow``; without it nothing is written.

Columns are handed to pyarrow as buffers: its own conversion imports pandas wherever that is installed, which takes
longer than most backtests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from atrader.errors import ConfigError
from atrader.extras import imported

Row = Mapping[str, Any]


def write_tables(folder: Path, tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """Write a file for each table that has rows, and return their names; none when pyarrow is not installed.

    Texts are strings, truths booleans, whole numbers int64, everything else that is a number (money, too) float64.
    """
    try:
        arrow, parquet = (imported(name, "arrow", "Parquet needs pyarrow") for name in ("pyarrow", "pyarrow.parquet"))
    except ConfigError:
        return []
    written = []
    for name, rows in tables.items():
        if not rows:
            continue
        keys = list(dict.fromkeys(key for row in rows for key in row))
        columns = [_array(arrow, [row.get(key) for row in rows]) for key in keys]
        parquet.write_table(arrow.Table.from_arrays(columns, keys), folder / f"{name}.parquet", compression="zstd")
        written.append(f"{name}.parquet")
    return written


def _array(arrow: ModuleType, values: Sequence[Any]) -> Any:
    known = [value is not None for value in values]
    nulls = None if all(known) else arrow.py_buffer(_bits(known))
    kinds = {type(value) for value in values} - {type(None)}
    if str in kinds:
        texts = [b"" if value is None else str(value).encode() for value in values]
        ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        buffers = [nulls, arrow.py_buffer(ends), arrow.py_buffer(b"".join(texts))]
        return arrow.Array.from_buffers(arrow.string(), len(values), buffers)
    if kinds == {bool}:
        truths = arrow.py_buffer(_bits([bool(value) for value in values]))
        return arrow.Array.from_buffers(arrow.bool_(), len(values), [nulls, truths])
    if kinds == {int}:
        whole = np.array([value or 0 for value in values], np.int64)
        return arrow.Array.from_buffers(arrow.int64(), len(values), [nulls, arrow.py_buffer(whole)])
    numbers = np.array([np.nan if value is None else float(value) for value in values], np.float64)
    return arrow.Array.from_buffers(arrow.float64(), len(values), [nulls, arrow.py_buffer(numbers)])


def _bits(truths: Sequence[bool]) -> bytes:
    return np.packbits(np.array(truths, bool), bitorder="little").tobytes()
