"""What the files of a result were when they were written: whoever reads them later sees that they are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from atrader.errors import StoreError

KEY: Final = "digests"
"""Of ``result.json``: by name of a file its ``bytes`` and ``sha256``; of itself (``OWN``) the latter, without this."""
OWN: Final = "result.json"

Digests: TypeAlias = dict[str, dict[str, Any]]

_REMEDY: Final = "run the backtest again, or put a copy of it in its place"
_MOVED: Final = {KEY, "folder"}  # a result may lie somewhere else by now


def digest_of(data: bytes) -> dict[str, Any]:
    """Return what is kept of a file's content."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def own_digest(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a summary, as JSON has it, beside itself."""
    kept = {key: value for key, value in summary.items() if key not in _MOVED}
    return {"sha256": hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()}


def check_own(path: Path, summary: Mapping[str, Any]) -> None:
    """Refuse a summary that is not as it was written; those of earlier versions say nothing of it.

    Raises
    ------
    StoreError
        Naming the file.
    """
    kept = summary.get(KEY)
    if kept is not None and kept.get(OWN) != own_digest(summary):
        raise _changed(path)


def check_sizes(folder: Path, summary: Mapping[str, Any]) -> None:
    """Refuse a result of which a file is gone, or shorter or longer than it was written; nothing is read.

    Raises
    ------
    StoreError
        Naming the file.
    """
    for name, kept in _files(summary):
        try:
            found = (folder / name).stat().st_size
        except OSError as error:
            raise _unread(folder / name, error) from error
        if found != kept["bytes"]:
            how = "is cut off" if found < kept["bytes"] else "was changed since it was written"
            raise StoreError(f"{folder / name}: {how}, {found:,} of {kept['bytes']:,} bytes: {_REMEDY}")


def check_content(folder: Path, summary: Mapping[str, Any]) -> None:
    """Refuse a result of which a file is not as it was written; reads all of them.

    Raises
    ------
    StoreError
        Naming the file.
    """
    check_sizes(folder, summary)
    for name, kept in _files(summary):
        try:
            found = digest_of((folder / name).read_bytes())
        except OSError as error:
            raise _unread(folder / name, error) from error
        if found != kept:
            raise _changed(folder / name)


def _files(summary: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, kept) for name, kept in summary.get(KEY, {}).items() if name != OWN]


def _changed(path: Path) -> StoreError:
    return StoreError(f"{path}: was changed since it was written (its sha256 differs): {_REMEDY}")


def _unread(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}")
