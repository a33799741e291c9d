"""Copies of long series make reading faster and change no answer, whatever becomes of them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from atrader.market import BAR_COLUMNS, Bars
from data_layer.store import MarketBatch, MarketReader, MarketStore, column_table, images
from data_layer.store.blobs import CHUNK_ROWS
from data_layer.store.images import Chunk, Images
from data_layer.store.places import StorePlace

MINUTE = 60_000_000_000
START = 1_370_044_800_000_000_000
COUNT = 6 * CHUNK_ROWS + 100


def made(count: int, first: int = 0, price: float = 1.0) -> Bars:
    times = START + (np.arange(count, dtype=np.int64) + first) * MINUTE
    values = np.random.default_rng(abs(first)).uniform(price, price + 1, (len(BAR_COLUMNS) - 1, count))
    return Bars(times, *values)


def same(left: Bars, right: Bars) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left.columns, right.columns, strict=True))


@pytest.fixture(autouse=True)
def short_series_are_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_table, "FEWEST_ROWS", 2 * CHUNK_ROWS)
    monkeypatch.setattr(images, "_LEFT_BYTES", 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def store(store_place: StorePlace) -> Iterator[MarketStore]:
    store = store_place.market("test", 0.0)
    store.put_bars("EUR/USD", "1m", "a", made(COUNT))
    yield store
    store.close()


@pytest.fixture
def reader(store_place: StorePlace, store: MarketStore, folder: Path) -> Iterator[MarketReader]:
    reader = store_place.market_reader("reader")
    reader._images = Images(folder)  # type: ignore[attr-defined]
    yield reader
    reader.close()


@pytest.fixture
def image(reader: MarketReader, folder: Path) -> Path:
    assert same(reader.bars("EUR/USD", "1m"), made(COUNT))
    [path] = folder.iterdir()
    return path


def is_used(path: Path) -> bool:
    """Tell whether the image was mapped since the last time somebody asked."""
    used = path.stat().st_mtime_ns != 0
    os.utime(path, ns=(0, 0))
    return used


def test_what_is_read_again_comes_from_the_image_bit_by_bit(reader: MarketReader, image: Path) -> None:
    is_used(image)
    assert same(reader.bars("EUR/USD", "1m"), made(COUNT))
    assert is_used(image)
    for first, last in ((0, 5 * CHUNK_ROWS), (CHUNK_ROWS + 7, COUNT - 3), (3 * CHUNK_ROWS, COUNT)):
        found = reader.bars("EUR/USD", "1m", START + first * MINUTE, START + last * MINUTE)
        assert same(found, made(COUNT)[first:last])
        assert is_used(image)
    reader.bars("EUR/USD", "1m", START, START + CHUNK_ROWS * MINUTE)
    assert not is_used(image), "a short answer needs none"


def test_later_bars_follow_those_of_the_image(store: MarketStore, reader: MarketReader, image: Path) -> None:
    later = [("EUR/USD", made(500, COUNT).row(number)) for number in range(500)]
    store.write(MarketBatch("1m", "feed", later, [], {}))
    is_used(image)
    expected = made(COUNT).append(made(500, COUNT))
    assert same(reader.bars("EUR/USD", "1m"), expected)
    assert is_used(image)
    chunk = made(CHUNK_ROWS, COUNT + 500)
    store.put_bars("EUR/USD", "1m", "a", chunk)
    size = image.stat().st_size
    assert same(reader.bars("EUR/USD", "1m"), expected.append(chunk))
    assert same(reader.bars("EUR/USD", "1m"), expected.append(chunk))
    assert image.stat().st_size > size, "one that has become too short is made again"


@pytest.mark.parametrize("first", [10, 3 * CHUNK_ROWS, COUNT - 50])
def test_bars_that_were_replaced_are_not_taken_from_an_image(
    store: MarketStore, reader: MarketReader, image: Path, first: int
) -> None:
    store.put_bars("EUR/USD", "1m", "b", made(20, first, price=5.0))
    expected = made(COUNT)[:first].append(made(20, first, price=5.0)).append(made(COUNT)[first + 20 :])
    assert same(reader.bars("EUR/USD", "1m"), expected)
    assert same(reader.bars("EUR/USD", "1m"), expected)


def test_older_bars_may_come_before_those_of_an_image(store: MarketStore, reader: MarketReader, image: Path) -> None:
    older = made(CHUNK_ROWS, -CHUNK_ROWS - 5)
    store.put_bars("EUR/USD", "1m", "b", older)
    for _ in range(2):
        assert same(reader.bars("EUR/USD", "1m"), older.append(made(COUNT)))


def test_what_a_reader_writes_into_its_bars_nobody_else_sees(reader: MarketReader, image: Path) -> None:
    content = image.read_bytes()
    reader.bars("EUR/USD", "1m").close[:] = 0.0
    assert image.read_bytes() == content
    assert same(reader.bars("EUR/USD", "1m"), made(COUNT))


def test_an_image_that_is_damaged_or_cut_off_anywhere_changes_no_answer(reader: MarketReader, image: Path) -> None:
    content, generator = image.read_bytes(), random.Random(1)
    places = [*range(0, 300, 7), *(generator.randrange(len(content)) for _ in range(40))]
    for number, place in enumerate(places):
        broken = bytearray(content)
        if number % 3:
            broken[place] ^= 1 << generator.randrange(8)
        else:
            del broken[place:]
        image.write_bytes(broken)  # nobody has it mapped
        assert same(reader.bars("EUR/USD", "1m"), made(COUNT)), place


def test_views_of_an_image_stay_when_it_is_replaced_or_deleted(
    store: MarketStore, reader: MarketReader, image: Path
) -> None:
    held = reader.bars("EUR/USD", "1m")
    store.put_bars("EUR/USD", "1m", "b", made(COUNT, price=5.0))
    assert same(reader.bars("EUR/USD", "1m"), made(COUNT, price=5.0))
    assert same(held, made(COUNT))
    image.unlink()
    assert same(held, made(COUNT))


def test_a_place_that_cannot_be_written_costs_no_answer(reader: MarketReader, folder: Path) -> None:
    folder.write_text("no folder")
    for _ in range(2):
        assert same(reader.bars("EUR/USD", "1m"), made(COUNT))
    assert folder.read_text() == "no folder"


def test_without_space_there_are_no_images(reader: MarketReader, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_LEFT_BYTES", 2**62)
    assert same(reader.bars("EUR/USD", "1m"), made(COUNT))
    assert list(folder.iterdir()) == []


def test_images_that_nobody_used_for_longest_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = np.zeros((len(BAR_COLUMNS), CHUNK_ROWS), np.int64)
    kept = Images(folder)
    for series in (1, 2, 3):
        kept.keep(series, [Chunk(0, 1, CHUNK_ROWS, 0)], room)
        os.utime(folder / f"bars-{series}.image", ns=(series, series))
    os.utime(folder / "bars-1.image", ns=(9, 9))
    one = (folder / "bars-1.image").stat().st_blocks * 512
    monkeypatch.setattr(images, "_MOST_BYTES", 3 * one + one // 2)
    kept.keep(4, [Chunk(0, 1, CHUNK_ROWS, 0)], room)
    assert sorted(path.name for path in folder.iterdir()) == ["bars-1.image", "bars-3.image", "bars-4.image"]
