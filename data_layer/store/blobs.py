"""Columns as blobs: each column whole, one after the other, little-endian, eight bytes a value; with a checksum."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 4096
"""Rows of a full chunk: large enough to read fast, small enough to write often."""


def pack(columns: Sequence[NDArray[np.generic]]) -> tuple[bytes, int]:
    """Return the blob of columns (int64 or float64, equally long) and its crc32."""
    blob = b"".join(np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes() for column in columns)
    return blob, zlib.crc32(blob)


def unpack(blob: bytes, crc32: int, columns: Sequence[NDArray[np.generic]], where: slice) -> None:
    """Write a blob into prepared columns at a place.

    Parameters
    ----------
    blob : bytes
        As `pack` made it.
    crc32 : int
        Its checksum.
    columns : sequence of ndarray
        As many columns as were packed; their dtypes say how to read.
    where : slice
        Rows to fill.

    Raises
    ------
    ValueError
        When checksum or length are wrong.
    """
    rows = where.stop - where.start
    if len(blob) != rows * 8 * len(columns):
        raise ValueError(f"a chunk of {rows} rows has {len(blob)} bytes")
    if zlib.crc32(blob) != crc32:
        raise ValueError("a chunk has a wrong checksum")
    for number, column in enumerate(columns):
        little = column.dtype.newbyteorder("<")
        column[where] = np.frombuffer(blob, little, rows, number * rows * 8)
