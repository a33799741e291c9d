"""Whoever writes an image may die at any moment: the others read what the store holds."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from atrader.market import BAR_COLUMNS, Bars
from data_layer.store import column_table, images
from data_layer.store.blobs import CHUNK_ROWS
from data_layer.store.images import Images
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore

MINUTE = 60_000_000_000
COUNT = 12 * CHUNK_ROWS


def test_an_image_whose_writer_is_killed_at_any_moment_changes_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_table, "FEWEST_ROWS", 2 * CHUNK_ROWS)
    monkeypatch.setattr(images, "_LEFT_BYTES", 0)
    path, folder, dice = tmp_path / "market.db", tmp_path / "images", random.Random(1)
    times = np.arange(COUNT, dtype=np.int64) * MINUTE
    columns = np.random.default_rng(1).uniform(1, 2, (len(BAR_COLUMNS) - 1, COUNT))
    store = SqliteMarketStore(path, "test")
    reads = writes = 0
    for number in range(30):
        columns[3, dice.randrange(COUNT)] = number
        bars = Bars(times, *columns)
        store.put_bars("EUR/USD", "1m", f"{number}.csv", bars)
        child = os.fork()
        if child == 0:
            _write_images_for_ever(path, folder)
        time.sleep(dice.uniform(0.005, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        writes += len(list(folder.glob("*"))) if folder.exists() else 0
        reader = SqliteMarketReader(path, Images(folder))
        found = reader.bars("EUR/USD", "1m")
        reader.close()
        for expected, column in zip(bars.columns, found.columns, strict=True):
            assert np.array_equal(expected, column)
        reads += 1
    store.close()
    assert reads == 30
    assert writes > 10, "the children were killed before they did anything"


def _write_images_for_ever(path: Path, folder: Path) -> None:
    try:
        while True:
            reader = SqliteMarketReader(path, Images(folder))
            reader.bars("EUR/USD", "1m")
            reader.close()
            for left in folder.glob("*.image"):
                left.unlink()
    finally:
        os._exit(1)
