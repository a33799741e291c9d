"""One Parquet file of history rows: written, verified, read. Needs the extra ``arrow``."""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sqlalchemy import JSON, Float, Integer

from atrader.errors import StoreError
from atrader.extras import imported
from atrader.runtime.whole_file import sync
from data_layer.store.history_schema import metadata

_READ_BYTES: Final = 1 << 20

Row = Mapping[str, Any]


def pyarrow() -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and its Parquet part.

    Raises
    ------
    ConfigError
        When it is not installed; says how to.
    """
    missing = "archives are Parquet files, and pyarrow is not installed"
    return imported("pyarrow", "arrow", missing), imported("pyarrow.parquet", "arrow", missing)


def write_rows(path: Path, table_name: str, rows: Sequence[Row]) -> int:
    """Write rows to a new file, read it back and compare, and only then give it its name.

    Everything is synced to the disk before this returns; a crash leaves a file with a leading dot, or none.

    Returns
    -------
    int
        Checksum of the file.

    Raises
    ------
    StoreError
        When the file cannot be written, or does not read back as what was written.
    ConfigError
        When pyarrow is not installed.
    """
    arrow, files = pyarrow()
    table = metadata.tables[table_name]
    draft = path.with_name(f".{path.name}")
    columns = {
        column.name: arrow.array([_packed(column.type, row[column.name]) for row in rows], _type(arrow, column.type))
        for column in table.columns
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_table(arrow.table(columns), draft, compression="zstd")
        sync(draft)
        wanted = [{column.name: row[column.name] for column in table.columns} for row in rows]
        if read_rows(draft, table_name) != wanted:
            raise StoreError(f"{draft} does not read back as it was written: nothing was deleted; is the disk sound?")
        crc32 = crc32_of(draft)
        os.replace(draft, path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        text = f"{path} cannot be written: {error}; nothing was deleted"
        raise StoreError(text, details={"read_only": True}) from error
    return crc32


def read_rows(path: Path, table_name: str) -> list[dict[str, Any]]:
    """Read the rows of a file; columns that its release did not have are None.

    Raises
    ------
    StoreError
        When the file is missing or damaged.
    ConfigError
        When pyarrow is not installed.
    """
    arrow, files = pyarrow()
    table = metadata.tables[table_name]
    try:
        with path.open("rb") as handle:
            found = files.read_table(handle, use_threads=False).to_pylist()
    except (OSError, arrow.ArrowException) as error:
        text = f"archive {path} cannot be read: {error}; put a copy from a backup in its place"
        raise StoreError(text) from error
    kinds = {column.name: column.type for column in table.columns}
    return [{name: _unpacked(kind, row.get(name)) for name, kind in kinds.items()} for row in found]


def crc32_of(path: Path) -> int:
    """Return the checksum of a file's bytes."""
    crc32 = 0
    with path.open("rb") as handle:
        while part := handle.read(_READ_BYTES):
            crc32 = zlib.crc32(part, crc32)
    return crc32


def _type(arrow: ModuleType, kind: Any) -> Any:
    if isinstance(kind, Integer):
        return arrow.int64()
    return arrow.float64() if isinstance(kind, Float) else arrow.string()


def _packed(kind: Any, value: Any) -> Any:
    """Money stays the text it is; free-form values become JSON."""
    return json.dumps(value) if isinstance(kind, JSON) and value is not None else value


def _unpacked(kind: Any, value: Any) -> Any:
    return json.loads(value) if isinstance(kind, JSON) and value is not None else value
