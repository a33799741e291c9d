"""Gives the disk back what deleted rows took."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from atrader.errors import StoreError
from data_layer.operations.access import Access, require_files
from data_layer.store.history_sqlite import SqliteHistoryStore
from data_layer.store.market_sqlite import SqliteMarketStore

_COPIES: Final = 2  # of the file: the compacted one beside it, and on its way back in the log


def compact(access: Access, progress: Callable[[int, int, str], None]) -> dict[str, Any]:
    """Rewrite both stores without holes. Nobody can write to a store meanwhile; readers are not disturbed.

    Returns
    -------
    dict
        ``files``: list of ``file, bytes_before, bytes_after``.

    Raises
    ------
    StoreError
        When there is too little room; nothing was changed then.
    """
    require_files(access, "compacting")
    home, found = access.home, list[dict[str, Any]]()
    for path, let in ((home.market_store, access.with_market), (home.history_store, access.with_history)):
        if not path.exists():
            continue
        progress(len(found), 2, f"compacting {path.name}")
        before = path.stat().st_size
        _require_room(path, access.config.min_free_disk)
        let(_compact)
        found.append({"file": str(path), "bytes_before": before, "bytes_after": path.stat().st_size})
    return {"files": found}


def _compact(store: object) -> None:
    assert isinstance(store, SqliteMarketStore | SqliteHistoryStore)
    store.compact()


def _require_room(path: Path, kept_free: int) -> None:
    needed = _COPIES * path.stat().st_size + kept_free
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreError(
            f"{path} cannot be compacted: that needs {needed / 1e6:.0f} MB free in {path.parent} for a while, and there"
            f" are {free / 1e6:.0f} MB; nothing was changed"
        )
