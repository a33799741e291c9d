"""Small files that a reader sees whole, the old content or the new one, whatever dies in between."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Replace the content of a file; on disk before this returns. May be repeated.

    Raises
    ------
    OSError
        When it cannot be written; the old file is unharmed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Have what a file holds, or the names in a folder, on disk before this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def overwrite(path: Path, text: str) -> None:
    """Write over a file where it lies: on most file systems that needs no room, as long as the text is short.

    For a disk that is full. On disk before this returns; may be repeated. The first byte is ``!`` until all else is on
    disk: so nobody takes a mixture of old and new for content, neither a reader meanwhile nor one after a power cut. It
    has a later time stamp each time.

    Raises
    ------
    OSError
        When there is no such file, or no room: it is unharmed then. Or when it cannot be written: it begins with ``!``.
    """
    with open(path, "r+b", buffering=0) as file:
        descriptor = file.fileno()
        before = os.fstat(descriptor)
        content = text.encode().ljust(before.st_size)  # shorter: the rest becomes blanks
        if len(content) > before.st_size:
            _take_room(descriptor, before.st_size, len(content))
        for part, at in ((b"!", 0), (content[1:], 1), (content[:1], 0)):
            _write_at(descriptor, part, at)
            os.fsync(descriptor)
        stamp_ns = max(before.st_mtime_ns, os.fstat(descriptor).st_mtime_ns) + 1  # the kernel's clock moves in steps
        os.utime(descriptor, ns=(stamp_ns, stamp_ns))


def _take_room(descriptor: int, old_size: int, size: int) -> None:
    """Make a file longer, or leave it as it is: half of a text would be written without an error."""
    try:
        os.posix_fallocate(descriptor, old_size, size - old_size)
    except OSError:
        os.ftruncate(descriptor, old_size)
        raise


def _write_at(descriptor: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, at)
        content, at = content[written:], at + written
