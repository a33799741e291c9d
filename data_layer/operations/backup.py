"""Copies of the stores while they are in use, with SQLite's own backup: each one moment of its store, and verified."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.home import Home
from atrader.errors import ConfigError, StoreError
from atrader.runtime.whole_file import sync
from data_layer.archive.parquet import crc32_of
from data_layer.store.market_sqlite import SqliteMarketReader
from data_layer.store.schema import HISTORY, MARKET, Schema
from data_layer.store.sqlite_file import damaged, errors_of, open_reader

MANIFEST: Final = "backup.json"
_PAGES: Final = 2048  # a step: 32 MB, short enough to show progress
_KEPT_FREE: Final = 50_000_000  # bytes that stay free beside the copy


def back_up(
    home: Home, target: Path, progress: Callable[[int, int, str], None], min_free_disk: int = 0
) -> dict[str, Any]:
    """Copy both stores and the archive into a new directory.

    It appears under its name when everything in it is synced and verified; a crash leaves one with ``.partial``.

    Parameters
    ----------
    min_free_disk : int
        Bytes that stay free on the disk of the stores, or the data layer would not write any more.

    Returns
    -------
    dict
        What is also in ``backup.json``: time, and size and checksum of each file.

    Raises
    ------
    ConfigError
        When the directory exists already.
    StoreError
        When there is too little room, or a store is damaged; the message names it.
    """
    if target.exists():
        raise ConfigError(f"{target} exists already: name a directory that does not, or move that one away")
    stores = [(path, schema) for path, schema in _stores(home) if path.exists()]
    archives = sorted(home.archive.glob("*/*.parquet"))
    sizes = {path: _size(path) for path in [*(path for path, _ in stores), *archives]}
    total, done = sum(sizes.values()), 0
    partial = target.with_name(f"{target.name}.partial")
    with errors_of(target):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        same_disk = partial.stat().st_dev == home.data.stat().st_dev
        _require_room(partial, total, max(_KEPT_FREE, min_free_disk if same_disk else 0))
    for path, schema in stores:
        before = done

        def copied(part: int, so_far: int = before, name: str = path.name) -> None:
            progress(so_far + part, total, f"copying {name}")

        _copy_store(path, partial / path.name, schema, copied)
        progress(before, total, f"verifying {path.name}")
        verify_store(partial / path.name, schema)
        done += sizes[path]
    # The archive after the history: a row that moved meanwhile is in both, and not in neither.
    for path in sorted(home.archive.glob("*/*.parquet")):
        copy = partial / "archive" / path.parent.name / path.name
        with errors_of(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            sync(copy)
        done += sizes.get(path, 0)
        progress(done, total, "copying the archive")
    return _finish(partial, target)


def verify_store(path: Path, schema: Schema) -> None:
    """Check a copy: the file's structure, and the checksum of every chunk.

    Raises
    ------
    StoreError
        When something is wrong with it.
    """
    db = open_reader(path, schema)
    try:
        with errors_of(path):
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    finally:
        db.close()
    if found != "ok":
        raise damaged(path, str(found))
    if schema is not MARKET:
        return
    reader = SqliteMarketReader(path)
    try:
        for info, wrong in reader.damages():
            if wrong:
                text = f"{len(wrong)} chunks of {info.instrument} {info.timeframe} are: run 'atrader data check'"
                raise damaged(path, text)
    finally:
        reader.close()


def _stores(home: Home) -> list[tuple[Path, Schema]]:
    return [(home.market_store, MARKET), (home.history_store, HISTORY)]


def _copy_store(source: Path, copy: Path, schema: Schema, copied: Callable[[int], None]) -> None:
    """Copy one moment of a file that may be written meanwhile."""
    page_bytes = 1

    def report(status: int, remaining: int, pages: int) -> None:
        copied((pages - remaining) * page_bytes)

    db = open_reader(source, schema)
    try:
        with errors_of(copy):
            target = sqlite3.connect(f"file:{quote(str(copy))}", uri=True, isolation_level=None)
            try:
                (page_bytes,) = db.execute("PRAGMA page_size").fetchone()
                db.execute("BEGIN")  # what is written from now on is not seen, so no step has to begin anew
                db.execute("SELECT count(*) FROM sqlite_master").fetchone()
                db.backup(target, pages=_PAGES, progress=report)
                db.execute("COMMIT")
                target.execute("PRAGMA journal_mode=DELETE")  # one whole file, without a log beside it
            finally:
                target.close()
            sync(copy)
    finally:
        db.close()


def _finish(partial: Path, target: Path) -> dict[str, Any]:
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    manifest = {
        "made": iso_from_ns(SystemClock().now_ns()),
        "files": {
            str(path.relative_to(partial)): {"bytes": path.stat().st_size, "crc32": crc32_of(path)} for path in files
        },
    }
    with errors_of(target):
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        sync(partial / MANIFEST)
        sync(partial)
        os.replace(partial, target)
        sync(target.parent)
    return {"directory": str(target), **manifest}


def _require_room(directory: Path, needed: int, kept_free: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed + kept_free:
        directory.rmdir()
        raise StoreError(
            f"{directory.parent} has {free / 1e6:.0f} MB free; a backup needs {needed / 1e6:.0f} MB, and"
            f" {kept_free / 1e6:.0f} MB have to stay free: name a directory on another disk, or make room"
        )


def _size(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
