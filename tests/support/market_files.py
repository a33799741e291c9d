"""Files of embedded market stores, whole and damaged, for tests."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from atrader.market import BAR_COLUMNS, Bars, Tick
from data_layer.store import MarketReader
from data_layer.store.blobs import CHUNK_ROWS as CHUNK
from data_layer.store.market_sqlite import SqliteMarketStore
from data_layer.tick_pages import tick_pages

__all__ = ["CHUNK", "MINUTE", "START", "made", "same", "some_bars", "spoil_chunk", "ticks_of", "without_chunk"]

MINUTE = 60 * 10**9
START = 1_370_044_800 * 10**9


def some_bars(count: int, first: int = 0) -> Bars:
    """Return bars that follow from their numbers."""
    times = START + (np.arange(count, dtype=np.int64) + first) * MINUTE
    return Bars(times, *(np.arange(count) + first + float(number) for number in range(len(BAR_COLUMNS) - 1)))


def ticks_of(
    reader: MarketReader, instrument: str, start_ns: int | None = None, end_ns: int | None = None
) -> list[Tick]:
    """Return all stored quotes of a period."""
    pages = tick_pages(reader.tick_page, instrument, start_ns, end_ns)
    return [tick for quotes in pages for tick in quotes.ticks(instrument)]


def made(path: Path, chunks: int = 4) -> Path:
    """Make a market store of whole chunks, all in the file."""
    store = SqliteMarketStore(path, "test")
    store.put_bars("EUR/USD", "1m", "a", some_bars(chunks * CHUNK), answered=(START, START + chunks * CHUNK * MINUTE))
    store.put_bars("USD/JPY", "1m", "a", some_bars(100))
    store.tidy()
    store.close()
    return path


def spoil_chunk(path: Path, number: int) -> None:
    """Change a bit of a chunk, behind the back of its checksum."""
    with sqlite3.connect(path) as db:
        blob = bytearray(db.execute("SELECT data FROM bar_chunk WHERE id=?", (number,)).fetchone()[0])
        blob[1000] ^= 1
        db.execute("UPDATE bar_chunk SET data=? WHERE id=?", (bytes(blob), number))
    db.close()


def without_chunk(bars: Bars, number: int) -> Bars:
    """Return bars without those of one chunk."""
    kept = np.arange(len(bars)) // CHUNK != number
    return Bars(*(column[kept] for column in bars.columns))


def same(left: Bars, right: Bars) -> bool:
    """Tell whether all values are equal."""
    return all(np.array_equal(a, b) for a, b in zip(left.columns, right.columns, strict=True))
