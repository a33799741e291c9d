"""Bars of long series once more, as files that can be mapped: a copy of chunks, which may be missing or wrong.

To copy a million bars out of a database takes three times as long as to map a file and check it. So whoever reads many
chunks of a series leaves them behind as an *image*, column by column, and whoever reads them next maps it. An image is
never believed: each chunk in it must be one that the database lists in the same moment, and have the checksum that the
database says. So it needs no care when bars are replaced, when its writer is killed, or when the disk is full, and may
be deleted at any time.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.market import BAR_COLUMNS
from data_layer.store.blobs import CHUNK_ROWS, checksums_of

FEWEST_ROWS: Final = 64 * CHUNK_ROWS
"""Rows that are worth an image: to read 260,000 bars from the database takes 10 ms."""

_MAGIC: Final = int.from_bytes(b"atrimag1", "little")
_HEADER: Final = Struct("<4q")  # magic, columns, chunks, rows that a column has room for
_COLUMNS: Final = len(BAR_COLUMNS)
_PLACE: Final = 4  # words of a chunk in the list: first and last time, rows, checksum
_PAGE: Final = 4096
_ROOM_FRAC: Final = 8  # an image is an eighth longer than its bars: later ones are put into a reader's own pages
_MOST_BYTES: Final = 4 * 2**30
_LEFT_BYTES: Final = 4 * 2**30  # with less than that free there are none
_OF_FREE: Final = 10  # of what is free beyond that, images take no more than a tenth


class Chunk(NamedTuple):
    """A chunk as the database lists it."""

    first_ns: int
    last_ns: int
    rows: int
    crc32: int


class Found(NamedTuple):
    """The beginning of what was asked for.

    Attributes
    ----------
    room : ndarray of int64, shape (columns, n)
        Its memory; what is written into it stays with this process.
    chunks, rows : int
        How many of the chunks are there already, and their rows.
    """

    room: NDArray[np.int64]
    chunks: int
    rows: int


class Images:
    """The images of one store; for any number of processes at once.

    Parameters
    ----------
    directory : Path
        Where they are; made when it is missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, series: int, chunks: Sequence[Chunk], rows: int) -> Found | None:
        """Map the image of a series that begins with these chunks, or with most of them, and check it.

        Parameters
        ----------
        chunks : sequence of Chunk
            In order; all there are of the period.
        rows : int
            To have room for; more than the chunks have, when there is a tail.

        Returns
        -------
        Found or None
            None when there is no image of most of them, or it is not what the database holds.
        """
        try:
            descriptor = os.open(self._path(series), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            room = self._mapped(descriptor, chunks, rows)
            if room is not None:
                os.utime(descriptor)  # the least used are the first to go
            return room
        except (OSError, ValueError):  # not ours to read, or no such file: the database has it all
            return None
        finally:
            os.close(descriptor)

    def keep(self, series: int, chunks: Sequence[Chunk], room: NDArray[np.int64]) -> None:
        """Write the image of a series, if there is space for it; whoever maps the one before is not disturbed.

        Parameters
        ----------
        chunks : sequence of Chunk
            In order.
        room : ndarray of int64, shape (columns, n)
            Begins with their rows.
        """
        rows = sum(chunk.rows for chunk in chunks)
        capacity = -(-(rows + rows // _ROOM_FRAC) // _PAGE) * _PAGE
        at = _columns_at(len(chunks))
        path = self._path(series)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            if not self._has_space(at + _COLUMNS * rows * 8, path):
                return
            with tempfile.NamedTemporaryFile(dir=self._directory, prefix=f"{path.name}.", delete=False) as file:
                try:
                    file.write(_HEADER.pack(_MAGIC, _COLUMNS, len(chunks), capacity))
                    file.write(np.array(chunks, "<i8").tobytes())
                    for number in range(_COLUMNS):
                        file.seek(at + number * capacity * 8)
                        file.write(np.ascontiguousarray(room[number, :rows]).data)
                    file.truncate(at + _COLUMNS * capacity * 8)
                    os.replace(file.name, path)
                except BaseException:
                    os.unlink(file.name)
                    raise
        except OSError:
            return  # without space or rights: it is only a copy

    def _path(self, series: int) -> Path:
        return self._directory / f"bars-{series}.image"

    def _mapped(self, descriptor: int, chunks: Sequence[Chunk], rows: int) -> Found | None:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, _HEADER.size, 0)
        if len(head) != _HEADER.size:
            return None
        magic, columns, count, capacity = _HEADER.unpack(head)
        at = _columns_at(count)
        if magic != _MAGIC or columns != _COLUMNS or count < 1 or size != at + columns * capacity * 8:
            return None
        listed = np.frombuffer(os.pread(descriptor, count * _PLACE * 8, _HEADER.size), "<i8").reshape(count, _PLACE)
        first = int(np.searchsorted(listed[:, 0], chunks[0].first_ns))
        begin = int(listed[:first, 2].sum())
        same = _same(listed[first:], chunks)
        ready = sum(chunk.rows for chunk in chunks[:same])
        if 2 * same < len(chunks) or begin + rows > capacity:
            return None
        mapping = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
        whole = np.frombuffer(mapping, np.int64, columns * capacity, at).reshape(columns, capacity)
        room = whole[:, begin : begin + rows]
        return Found(room, same, ready) if _is_sound(room, chunks[:same]) else None

    def _has_space(self, size: int, instead: Path) -> bool:
        """Look for space; make it from images that nobody has used for longest."""
        status = os.statvfs(self._directory)
        limit = min(_MOST_BYTES, (status.f_bavail * status.f_frsize - _LEFT_BYTES) // _OF_FREE)
        if size > limit:
            return False
        others = [(path.stat(), path) for path in self._directory.iterdir() if path != instead]
        used = sum(found.st_blocks * 512 for found, _ in others)
        for found, path in sorted(others, key=lambda other: other[0].st_mtime_ns):
            if used + size <= limit:
                break
            path.unlink(missing_ok=True)
            used -= found.st_blocks * 512
        return True


def _columns_at(chunks: int) -> int:
    return -(-(_HEADER.size + chunks * _PLACE * 8) // _PAGE) * _PAGE


def _same(listed: NDArray[np.int64], chunks: Sequence[Chunk]) -> int:
    """Return how many chunks from the first on are those of a list."""
    count = min(len(listed), len(chunks))
    differs = (listed[:count] != np.array(chunks[:count], np.int64)).any(axis=1)
    return int(np.argmax(differs)) if differs.any() else count


def _is_sound(room: NDArray[np.int64], chunks: Sequence[Chunk]) -> bool:
    found = checksums_of(room, accumulate(chunk.rows for chunk in chunks))
    return all(one == chunk.crc32 for one, chunk in zip(found, chunks, strict=True))
