"""Searches of a strategy that lie beside one: whoever runs ten and keeps the best has tried ten times as much."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from research.reports.saved import write_bytes
from research.reports.search_notes import Beside

_SAME: Final = ("strategy", "instrument", "timeframe")
_MOST: Final = 500  # searches that are looked at, the latest
_KEYS: Final = ".tried"
"""What a search tried, in little: a line of JSON (`_head`), then 8 bytes for each set. Made again when it is not of the
file of trials beside it, which takes reading all of that."""

Keys = NDArray[np.uint64]


def beside(path: Path, study: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Beside:
    """Count what was tried beside a search, in the other folders of its folder.

    What cannot be read as a file of trials is passed over: this is a remark, no figure.

    Parameters
    ----------
    path : Path
        Its file of trials.
    parameters : list of dict
        The sets that it tried itself.
    """
    own, same = _keys(study["fixed"], parameters), [study["instance"][key] for key in _SAME]
    _keep(path, same, own)
    found: list[Keys] = []
    others = sorted(path.parent.parent.glob(f"*/{path.name}"), key=lambda one: one.parent.name)
    for other in others[-_MOST:]:
        if other.parent == path.parent:
            continue
        try:
            its, keys = _kept(other) or _read(other)
        except (OSError, sqlite3.Error, TypeError, KeyError, ValueError):
            continue
        if its == same:
            found.append(keys)
    return Beside(len(found), len(np.setdiff1d(np.concatenate(found), own)) if found else 0)


def _keys(fixed: Mapping[str, Any], sets: Iterable[Mapping[str, Any]]) -> Keys:
    """Return a number for each set that is the same for the same parameters, whether they vary or stay."""
    texts = (json.dumps({**fixed, **one}, sort_keys=True) for one in sets)
    return np.frombuffer(b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts), np.uint64)


def _kept(path: Path) -> tuple[list[str], Keys] | None:
    """Return what is kept of a search beside its file of trials; None where it is not of that file as it is now."""
    try:
        line, data = path.with_name(_KEYS).read_bytes().split(b"\n", 1)
        head = json.loads(line)
        return (head["same"], np.frombuffer(data, np.uint64)) if head == _head(path, head["same"]) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read(path: Path) -> tuple[list[str], Keys]:
    """Read what a search tried, and keep that beside its file of trials."""
    before = _head(path, [])
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        (text,) = connection.execute("SELECT value FROM study WHERE key = 'study'").fetchone()
        study = json.loads(text)
        rows = connection.execute("SELECT parameters FROM trial").fetchall()
    same = [study["instance"][key] for key in _SAME]
    keys = _keys(study["fixed"], (json.loads(row) for (row,) in rows))
    if _head(path, []) == before:  # nobody wrote meanwhile
        _keep(path, same, keys)
    return same, keys


def _keep(path: Path, same: list[str], keys: Keys) -> None:
    with contextlib.suppress(OSError):  # it saves time, no more
        new = path.with_name(f"{_KEYS}.new")
        write_bytes(new, json.dumps(_head(path, same)).encode() + b"\n" + keys.tobytes())
        new.replace(path.with_name(_KEYS))


def _head(path: Path, same: list[str]) -> dict[str, Any]:
    """Return what tells of which file of trials something is kept; raises as `Path.stat`."""
    its = path.stat()
    return {"size": its.st_size, "mtime_ns": its.st_mtime_ns, "same": same}
