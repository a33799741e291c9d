"""How much room things take."""

from __future__ import annotations

from typing import Any, Final

from atrader.configuration.home import Home
from atrader.market import BAR_COLUMNS
from atrader.messages.series import SeriesInfo
from data_layer.store.schema import TICK_COLUMNS

_VALUE_BYTES: Final = 8


def bytes_of(info: SeriesInfo) -> int:
    """Return the bytes of a series' values; what the file needs beside them (pages, index) is about 1 %."""
    columns = TICK_COLUMNS if info.timeframe == "ticks" else BAR_COLUMNS
    return info.count * len(columns) * _VALUE_BYTES


def files_of(home: Home) -> list[dict[str, Any]]:
    """Return the files of the embedded stores with their logs, and the archive as one."""
    found: list[dict[str, Any]] = []
    for store in (home.market_store, home.history_store):
        for path in (store, store.with_name(f"{store.name}-wal")):
            if path.exists():
                found.append({"file": str(path), "bytes": path.stat().st_size})
    archive = [path.stat().st_size for path in home.archive.glob("*/*.parquet")]
    if archive:
        found.append({"file": str(home.archive), "bytes": sum(archive)})
    return found
