"""Are the stores sound? Structure of the files, checksum of every chunk and of every archive."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.errors import StoreError
from data_layer.archive.parquet import crc32_of
from data_layer.operations.access import OWNER, Access
from data_layer.store import Damage, MarketStore
from data_layer.store.schema import HISTORY, MARKET, Schema
from data_layer.store.sqlite_file import errors_of, is_damage, open_reader

_SHOWN: Final = 100  # problems of a file

Say = Callable[[int, int, str], None]
T = TypeVar("T")


def check(access: Access, progress: Say, *, repair: bool = False, full: bool = False) -> dict[str, Any]:
    """Read everything and report what is wrong. Reads only, while others read and write, unless it repairs.

    Parameters
    ----------
    repair : bool
        Make gaps of damaged chunks, so that their bars can be fetched or imported again.
    full : bool
        Compare indexes with their tables too.

    Returns
    -------
    dict
        ``sound`` (bool), ``files`` (list of ``file, bytes, problems``), ``damaged`` (list of ``instrument, timeframe,
        first, last, rows, reason, repaired``), ``archives`` (files of the archive that are missing or damaged).
    """
    home, files = access.home, list[dict[str, Any]]()
    if access.place.directory is not None:
        files = [_file(path, schema, progress, full=full) for path, schema in _stores(home) if path.exists()]
    unreadable = {Path(file["file"]) for file in files if file["unreadable"]}
    damaged = [] if home.market_store in unreadable else _chunks(access, progress, repair=repair)
    archives = [] if home.history_store in unreadable else _archives(access, progress)
    left = [one for one in damaged if not one["repaired"]]
    sound = not (any(file["problems"] for file in files) or left or archives)
    return {"sound": sound, "files": files, "damaged": damaged, "archives": archives}


def _stores(home: Home) -> list[tuple[Path, Schema]]:
    return [(home.market_store, MARKET), (home.history_store, HISTORY)]


def _file(path: Path, schema: Schema, progress: Say, *, full: bool) -> dict[str, Any]:
    progress(0, 0, f"reading {path.name}")
    found: dict[str, Any] = {"file": str(path), "bytes": path.stat().st_size, "problems": [], "unreadable": False}
    try:
        db = open_reader(path, schema)
    except StoreError as error:
        return found | {"problems": [error.message], "unreadable": True}
    try:
        rows = db.execute(f"PRAGMA {'integrity_check' if full else 'quick_check'}({_SHOWN})").fetchall()
        found["problems"] = [str(row[0]) for row in rows if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            with errors_of(path):
                raise
        found["problems"] = [str(error)]
    finally:
        db.close()
    return found


def _chunks(access: Access, progress: Say, *, repair: bool) -> list[dict[str, Any]]:
    reader = _opened(access.place.market_reader)
    if reader is None:
        return []
    try:
        series = reader.series()
        total, done, found = sum(info.count for info in series), 0, list[Damage]()
        for info, wrong in reader.damages():
            progress(done, total, f"checksums of {info.instrument} {info.timeframe}")
            done += info.count
            found += wrong
    finally:
        reader.close()
    if repair:
        for instrument, timeframe in sorted({(one.instrument, one.timeframe) for one in found}):
            access.with_market(partial(_mend, instrument, timeframe))
    return [
        {
            "instrument": one.instrument,
            "timeframe": one.timeframe,
            "first": iso_from_ns(one.first_ns),
            "last": iso_from_ns(one.last_ns),
            "rows": one.rows,
            "reason": one.reason,
            "repaired": repair,
        }
        for one in found
    ]


def _mend(instrument: str, timeframe: str, store: MarketStore) -> None:
    store.mend(instrument, timeframe)


def _archives(access: Access, progress: Say) -> list[dict[str, str]]:
    reader = _opened(access.place.history_reader)
    if reader is None:
        return []
    try:
        files = reader.archives()
    finally:
        reader.close()
    wrong = []
    for number, file in enumerate(files):
        progress(number, len(files), "checksums of the archive")
        path = access.home.archive / file.file
        if not path.exists():
            wrong.append({"file": str(path), "problem": "is missing"})
        elif crc32_of(path) != file.crc32:
            wrong.append({"file": str(path), "problem": "has a wrong checksum"})
    return wrong


def _opened(opener: Callable[[str], T]) -> T | None:
    """Open a store; None when there is none yet."""
    try:
        return opener(OWNER)
    except StoreError as error:
        if error.details.get("missing"):
            return None
        raise
