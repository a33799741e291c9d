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
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def overwrite(path: Path, text: str) -> None:
    """Write over a file where it lies: on most file systems that needs no room, as long as the text is short.

    For a disk that is full. On disk before this returns; may be repeated. A reader may see a mixture for a moment, and
    a power cut may leave one; the time stamp of the file changes once more when all is written.

    Raises
    ------
    OSError
        When there is no such file, or it cannot be written either.
    """
    with open(path, "r+b", buffering=0) as file:
        content = text.encode().ljust(os.fstat(file.fileno()).st_size)  # shorter: the rest becomes blanks
        file.write(content)
        os.fsync(file.fileno())
        stamp_ns = os.fstat(file.fileno()).st_mtime_ns + 1
        os.utime(file.fileno(), ns=(stamp_ns, stamp_ns))
