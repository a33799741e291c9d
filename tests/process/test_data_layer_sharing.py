"""Prices and bars in shared memory, from a real data layer: the same as over the bus, across deaths and revisions."""

from __future__ import annotations

import asyncio
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from atrader.clock import NS_PER_S, parse_time
from atrader.market import Bar, Bars
from data_layer.client import AsyncDataClient, DataClient, to_frame
from data_layer.shared import NotShared
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "EUR/USD"
FLEET: dict[str, Any] = {"data": {"base_timeframe": "1s", "late_quotes": "200ms"}}
PAST_NS = parse_time("2024-01-02T00:00:00Z")
MINUTE_NS = 60 * 10**9


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[DataLayerProcess]:
    layer = DataLayerProcess(tmp_path, FLEET)
    store = SqliteMarketStore(layer.home.market_store, "a test", 1.0)
    store.put_bars(PAIR, "1m", "test", past(0, 5000))
    store.close()
    with layer:
        yield layer


@pytest.fixture
def client(layer: DataLayerProcess) -> Iterator[DataClient]:
    with DataClient(layer.home) as client:
        yield client


def past(first: int, last: int, add: float = 0.0) -> Bars:
    count = np.arange(first, last)
    return Bars(PAST_NS + count * MINUTE_NS, *(count + column + add for column in np.arange(9.0)))


def is_mapped(bars: Bars) -> bool:
    """Tell whether bars are views of shared memory."""
    base: object = bars.open
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap) or (isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap))


def same(one: Bars, two: Bars) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.columns, two.columns, strict=True))


def test_mapped_bars_are_those_of_the_bus_for_every_query(client: DataClient):
    for timeframe in ("1m", "5m", "1d"):
        queries: tuple[dict[str, Any], ...] = (
            {},
            {"count": 100},
            {"count": 100_000},
            {"start_ns": PAST_NS + 1},
            {"start_ns": PAST_NS + 1000 * MINUTE_NS, "count": 10},
            {"end_ns": PAST_NS + 1000 * MINUTE_NS, "count": 10},
            {"start_ns": PAST_NS + 10 * MINUTE_NS, "end_ns": PAST_NS + 1000 * MINUTE_NS},
        )
        for query in queries:
            mapped, bused = client.bars(PAIR, timeframe, **query), client.bars(PAIR, timeframe, **query, mapped=False)
            assert is_mapped(mapped[0]), (timeframe, query)
            assert not is_mapped(bused[0])
            assert same(mapped[0], bused[0]), (timeframe, query)
            assert mapped[1:] == bused[1:]
    frame = to_frame(mapped[0])
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"
    assert len(frame) == len(mapped[0])


def test_bars_of_the_live_market_grow_in_memory_and_are_never_half_there(layer: DataLayerProcess, client: DataClient):
    quotes = Quotes(layer)
    quotes.until(lambda: len(client.bars(PAIR, "1s", mapped=False)[0]) >= 1, "a first bar")
    for timeframe in ("1s", "2s"):
        quotes.until(lambda name=timeframe: is_mapped(client.bars(PAIR, name, count=50)[0]), "shared bars")

    calls = client._bulk.counters["sent"]
    first, _, first_seq = client.bars(PAIR, "1s")
    quotes.until(lambda: client.bars(PAIR, "1s")[2] >= first_seq + 2, "two more bars")
    quotes.until(lambda: client.forming_bar(PAIR) is not None, "the bar that forms")
    hour = client.forming_bar(PAIR, "1h")
    assert hour is not None
    assert hour.open_time_ns % (3600 * NS_PER_S) == 0
    assert hour.volume > 2.0
    assert client._bulk.counters["sent"] == calls, "they were read from memory"
    for timeframe in ("1s", "2s"):
        mapped, _, seq = client.bars(PAIR, timeframe)
        bused, _, later = client.bars(PAIR, timeframe, mapped=False)
        assert same(mapped, bused[: len(mapped)])
        assert len(bused) - len(mapped) == later - seq
    assert same(first, mapped_again(client)[: len(first)])
    quotes.close()


def mapped_again(client: DataClient) -> Bars:
    return client.bars(PAIR, "1s")[0]


def test_a_revised_bar_is_in_the_next_answer_and_not_in_views_that_are_held(client: DataClient):
    held = client.bars(PAIR, "1m", count=3000)[0]
    before = [held.row(index) for index in range(len(held))]
    client.import_bars(PAIR, "1m", "test", past(4000, 4001, add=0.5))
    after = client.bars(PAIR, "1m", count=3000)[0]
    assert is_mapped(after)
    assert after.open[2000] == held.open[2000] + 0.5
    assert [held.row(index) for index in range(len(held))] == before


def test_readers_go_on_while_the_data_layer_dies_and_map_its_successor(layer: DataLayerProcess):
    client = DataClient(layer.home)
    held, epoch, _ = client.bars(PAIR, "1m")
    epochs = {epoch}
    for _ in range(3):
        layer.kill()
        assert same(held, past(0, 5000))
        layer.start()
        wait_until(lambda: client.bars(PAIR, "1m")[1] not in epochs, "the successor")
        again, epoch, _ = client.bars(PAIR, "1m")
        assert is_mapped(again)
        assert same(again, held)
        epochs.add(epoch)
    client.close()
    assert same(held, past(0, 5000))


def test_nothing_is_left_of_shared_memory_however_its_processes_die(layer: DataLayerProcess):
    with DataClient(layer.home) as client:
        held = client.bars(PAIR, "1m")[0]
        descriptors = len(os.listdir("/proc/self/fd"))
        layer.kill()
        del held
    assert not any("atrader-" in path for path in mapped_here()), "the reader lets go too"
    assert len(os.listdir("/proc/self/fd")) < descriptors


def mapped_here() -> list[str]:
    return [region.path for region in psutil.Process().memory_maps(grouped=False)]


def test_without_room_for_shared_bars_everything_goes_by_the_bus(tmp_path: Path):
    fleet = {"data": {**FLEET["data"], "shared_bars": 0}}
    with DataLayerProcess(tmp_path, fleet) as layer, DataClient(layer.home) as client:
        client.import_bars(PAIR, "1m", "test", past(0, 100))
        for _ in range(2):
            bars = client.bars(PAIR, "1m")[0]
            assert same(bars, past(0, 100))
            assert not is_mapped(bars)
        assert client.forming_bar(PAIR) is None


def test_bars_that_time_completes_without_anybody_publishing_them_are_not_shared(client: DataClient):
    client.import_bars("GBP/USD", "1m", "test", past(0, 100))
    assert is_mapped(client.bars("GBP/USD", "1m")[0])
    ahead_ns = parse_time("2099-01-02T00:00:00Z")
    client.import_bars("GBP/USD", "1m", "test", Bars.from_rows([Bar(ahead_ns, *[1.0] * 9)]))
    found = client.bars("GBP/USD", "1m")[0]
    assert not is_mapped(found)
    assert len(found) == 100


def test_the_client_for_asyncio_maps_the_same_memory(layer: DataLayerProcess):
    async def ask() -> None:
        async with AsyncDataClient(layer.home) as client:
            for _ in range(2):
                assert is_mapped((await client.bars(PAIR, "1m"))[0])
            assert await client.last_price(PAIR) is None
            assert not is_mapped((await client.bars(PAIR, "1m", mapped=False))[0])

    asyncio.run(ask())


def test_a_replay_shares_nothing(tmp_path: Path):
    layer = DataLayerProcess(
        tmp_path,
        {
            "data": {"base_timeframe": "1m"},
            "market": {"feed": "replay", "instruments": [PAIR], "replay": {"speed": 1, "stop_at_end": False}},
        },
    )
    store = SqliteMarketStore(layer.home.market_store, "a test", 1.0)
    store.put_bars(PAIR, "1m", "test", past(0, 5000))
    store.close()
    with layer, DataClient(layer.home) as client:
        for _ in range(2):
            found = client.bars(PAIR, "1m")[0]
            assert not is_mapped(found)
            assert len(found) < 5000, "nothing later than the present of the replay"
        client.last_price(PAIR)
        with pytest.raises(NotShared):
            client._memory.prices.read(PAIR)
