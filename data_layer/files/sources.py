"""Bytes of files: plain, compressed, or members of an archive, read in blocks of whole lines."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from atrader.errors import ConfigError

BLOCK_BYTES: Final = 4 << 20
SAMPLE_BYTES: Final = 64 << 10
_PIECE_BYTES: Final = 1 << 20
_LONGEST_LINE: Final = 64 << 20  # bytes; small archives hold gigabytes of zeros
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_BYTE_ORDER_MARKS: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
DAMAGE: Final = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile, OSError, NotImplementedError, RuntimeError)
"""What compressed files that are cut, damaged or encrypted raise while they are read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or one member of an archive.

    Attributes
    ----------
    path : Path
        The file.
    member : str, optional
        Name within the archive.
    """

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def name(self) -> str:
        """Name without folders and without ``.gz``."""
        name = self.path.name if self.member is None else Path(self.member).name
        return re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)

    @contextmanager
    def open(self, progress: Callable[[int], None] | None = None) -> Iterator[IO[bytes]]:
        """Open what is inside, decompressed.

        Parameters
        ----------
        progress : callable, optional
            Called with the bytes of the file read so far, as they are on the disk.

        Raises
        ------
        ConfigError
            When the file cannot be opened.
        """
        try:
            with self.path.open("rb") as raw:
                counted: IO[bytes] = raw if progress is None else io.BufferedReader(_Counting(raw, progress))
                if self.member is not None:
                    with zipfile.ZipFile(raw) as archive, _opened(archive, self.member) as inside:
                        yield inside
                elif raw.peek(2)[:2] == _GZIP:
                    with gzip.GzipFile(fileobj=counted) as inside:
                        yield inside  # type: ignore[misc]
                else:
                    yield counted
        except OSError as error:
            raise ConfigError(f"{self}: {error.strerror or error}") from error
        except zipfile.BadZipFile as error:
            raise ConfigError(f"{self}: {error}") from error


def _opened(archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or compressed in an unknown way
        raise zipfile.BadZipFile(str(error)) from error


class _Counting(io.RawIOBase):
    def __init__(self, raw: IO[bytes], progress: Callable[[int], None]) -> None:
        self._raw = raw
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._progress(self._raw.tell())
        return len(data)


def sources_of(path: Path) -> list[Source]:
    """Return the file itself, or the members of an archive that may hold data (``.txt`` only when nothing else does).

    Raises
    ------
    ConfigError
        When the file cannot be read or the archive holds no file.
    """
    try:
        with path.open("rb") as handle:
            if handle.read(4) != _ZIP:
                return [Source(path)]
        with zipfile.ZipFile(path) as archive:
            names = sorted(one.filename for one in archive.infolist() if not one.is_dir() and one.file_size)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except zipfile.BadZipFile as error:
        raise ConfigError(f"{path}: {error}") from error
    data = [name for name in names if not name.lower().endswith(".txt")] or names
    if not data:
        raise ConfigError(f"{path}: the archive holds no file")
    return [Source(path, name) for name in data]


def sample_of(handle: IO[bytes]) -> bytes:
    """Read the beginning of a file, up to the last whole line; what can be read of a damaged one."""
    data = b""
    while len(data) < SAMPLE_BYTES:
        try:
            more = handle.read1(SAMPLE_BYTES - len(data))  # type: ignore[attr-defined]
        except DAMAGE:
            break
        if not more:
            return data
        data += more
    return data[: data.rfind(b"\n") + 1] or data


class Blocks:
    """Iterates over the lines of a file in blocks, as UTF-8.

    Parameters
    ----------
    handle : binary file
        Where to read.

    Attributes
    ----------
    damage : str
        Why nothing more was read before the end; empty when the end was reached.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._decoder: codecs.IncrementalDecoder | None = None
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        kept: list[bytes] = []
        size = 0
        for number, piece in enumerate(self._pieces()):
            text = self._begin(piece) if number == 0 else piece
            kept.append(text if self._decoder is None else self._decoder.decode(text).encode())
            size += len(kept[-1])
            if size >= BLOCK_BYTES and b"\n" in kept[-1]:
                whole, end, rest = b"".join(kept).rpartition(b"\n")
                yield whole + end
                kept, size = [rest], len(rest)
            elif size > _LONGEST_LINE:
                self.damage = f"a line of more than {_LONGEST_LINE >> 20} MB"
                whole, end, _ = b"".join(kept).rpartition(b"\n")
                if end:
                    yield whole + end
                return
        if size:
            yield b"".join(kept)

    def _pieces(self) -> Iterator[bytes]:
        while True:
            try:
                piece = self._handle.read1(_PIECE_BYTES)  # type: ignore[attr-defined]
            except DAMAGE as error:
                self.damage = str(error) or type(error).__name__
                return
            if not piece:
                return
            yield piece

    def _begin(self, piece: bytes) -> bytes:
        """Find out how the text is encoded; MetaTrader writes UTF-16."""
        for mark, encoding in _BYTE_ORDER_MARKS:
            if piece.startswith(mark):
                # A lone surrogate or half a character becomes a question mark and spoils its own row.
                self._decoder = codecs.getincrementaldecoder(encoding)("replace")
                return piece[len(mark) :]
        return piece.removeprefix(codecs.BOM_UTF8)


def text_of(sample: bytes) -> list[str]:
    """Return the lines of a sample, whatever its encoding."""
    for mark, encoding in (*_BYTE_ORDER_MARKS, (codecs.BOM_UTF8, "utf-8")):
        if sample.startswith(mark):
            return sample[len(mark) :].decode(encoding, "replace").split("\n")
    return sample.decode("utf-8", "replace").split("\n")
