"""Files that appear whole or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from atrader.errors import ConfigError
from atrader.runtime.whole_file import sync


@contextmanager
def new_file(path: Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """Give a file to write; it gets its name when the block ends, synced, and never when the block fails.

    Parameters
    ----------
    path : Path
        Its name; ``.gz`` at the end compresses.
    force : bool
        Whether it may take the place of another.

    Raises
    ------
    ConfigError
        When there is a file of this name without `force` (looked at again at the end), or it cannot be written.
    """
    exists = ConfigError(f"{path} exists; --force replaces it")
    if path.exists() and not force:
        raise exists
    if path.exists() and not path.is_file():  # replacing a device or a directory would take it from everybody
        raise ConfigError(f"{path} is not a regular file and is not replaced")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with draft.open("xb") as handle:
                if path.suffix.lower() == ".gz":
                    with gzip.GzipFile(filename="", fileobj=handle, mode="wb", mtime=0) as inside:
                        yield inside  # type: ignore[misc]
                else:
                    yield handle
                handle.flush()
                os.fsync(handle.fileno())
            if force:
                os.replace(draft, path)
            else:
                os.link(draft, path)  # fails when somebody made the file meanwhile
        except FileExistsError:
            raise exists from None
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    sync(path.parent)
