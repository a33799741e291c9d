"""Columns as blobs: each column whole, one after the other, little-endian, eight bytes a value; with a checksum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from zlib_ng.zlib_ng import crc32 as crc32_of  # the crc32 of zlib, four times as fast

CHUNK_ROWS = 4096
"""Rows of a full chunk: large enough to read fast, small enough to write often."""


def pack(columns: Sequence[NDArray[np.generic]]) -> tuple[bytes, int]:
    """Return the blob of columns (int64 or float64, equally long) and its crc32."""
    blob = b"".join(np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes() for column in columns)
    return blob, crc32_of(blob)


def block(columns: int, rows: int) -> NDArray[np.int64]:
    """Return room for columns, one a row; in one piece, because the system gives large pieces faster than many."""
    return np.empty((columns, rows), np.int64)


def columns_of(block: NDArray[np.int64], integers: int) -> tuple[NDArray[np.generic], ...]:
    """Return the rows of a block as columns that share its memory: the first so many int64, the others float64."""
    return *block[:integers], *block[integers:].view(np.float64)


def checksums_of(block: NDArray[np.int64], ends: Iterable[int]) -> Iterator[int]:
    """Yield the crc32 that the blob of each part of a block would have; a part begins where the one before ends."""
    columns = [memoryview(column) for column in block]
    begin = 0
    for end in ends:
        crc32 = 0
        for column in columns:
            crc32 = crc32_of(column[begin:end], crc32)
        yield crc32
        begin = end


def unpack(blob: bytes, crc32: int, block: NDArray[np.int64], where: slice) -> None:
    """Write a blob into a prepared block at a place.

    Parameters
    ----------
    blob : bytes
        As `pack` made it.
    crc32 : int
        Its checksum.
    block : ndarray of int64, shape (columns, n)
        As many columns as were packed; gets the eight bytes of each value as they are.
    where : slice
        Which of the n to fill.

    Raises
    ------
    ValueError
        When checksum or length are wrong.
    """
    rows = where.stop - where.start
    if len(blob) != rows * 8 * len(block):
        raise ValueError(f"a chunk of {rows} rows has {len(blob)} bytes")
    if crc32_of(blob) != crc32:
        raise ValueError("a chunk has a wrong checksum")
    block[:, where] = np.frombuffer(blob, np.dtype("<i8")).reshape(len(block), rows)
