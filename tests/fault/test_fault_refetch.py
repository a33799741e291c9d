"""Bars that the disk damaged come back from the source that serves them, and the others were there all the time."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.market import Bars
from atrader.messages.history import QueryHistory
from data_layer.client import DataClient
from data_layer.store.market_sqlite import SqliteMarketReader, SqliteMarketStore
from tests.support.bar_sources import market_bars, same, without
from tests.support.candle_server import CandleServer
from tests.support.data_layer import DataLayerProcess, wait_until
from tests.support.market_files import CHUNK, spoil_chunk

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR, KEY = "BTC/USDT", "BTC-USDT"


def one_price(bars: Bars) -> Bars:
    """Make bars of one price, as the service gives them."""
    return Bars(*bars.columns[:5], *bars.columns[1:5], bars.columns[9])


def with_a_damaged_chunk(root: Path, server: CandleServer, bars: Bars) -> DataLayerProcess:
    """Make a data layer, not started, whose second chunk of bars is damaged."""
    sources = {"backend": server.configuration(page_bars=1000, timeframes={"1m": "1m"})}
    layer = DataLayerProcess(root, {"data": {"base_timeframe": "1m"}, "sources": sources})
    store = SqliteMarketStore(layer.home.market_store, "the test")
    told = int(bars.open_time_ns[0]), int(bars.open_time_ns[-1]) + 1
    store.put_bars(PAIR, "1m", "backend", bars, answered=told)
    store.close()
    spoil_chunk(layer.home.market_store, 2)
    return layer


def test_a_corrupt_chunk_is_fetched_again_from_the_source_and_the_rest_is_served_meanwhile(tmp_path: Path) -> None:
    bars = one_price(market_bars(Calendar.get("24/7"), "2024-01-01T00:00Z", "2024-01-10T00:00Z"))
    damaged = range(CHUNK, 2 * CHUNK)
    with CandleServer() as server:
        server.bars[KEY, "1m"] = bars
        layer = with_a_damaged_chunk(tmp_path, server, bars)
        server.faults += ["500"] * 2  # the source is busy when it is asked
        with layer, DataClient(layer.home) as client:
            assert same(client.bars(PAIR, "1m", mapped=False)[0], without(bars, damaged)), "the rest"
            alert = wait_until(lambda: client.history(QueryHistory(table="alerts")), "the alert")[0]
            assert alert["kind"] == "chunk-damaged"
            for words in (f"{PAIR} 1m", iso_from_ns(int(bars.open_time_ns[CHUNK])), "they are fetched again"):
                assert words in str(alert["text"])
            [job] = client.backfill()
            first_ns, end_ns = (int(bars.open_time_ns[at]) for at in (CHUNK, 2 * CHUNK))
            assert (job.start_ns, job.end_ns, job.replace) == (first_ns, end_ns, True)
            wait_until(lambda: same(client.bars(PAIR, "1m", mapped=False)[0], bars), "the bars to be whole again")
            assert len(client.history(QueryHistory(table="alerts"))) == 1
            assert layer.stop() == 0
    reader = SqliteMarketReader(layer.home.market_store)
    assert [found for _, found in reader.damages()] == [[]]
    assert same(reader.bars(PAIR, "1m"), bars)
    reader.close()


def test_a_refetch_that_is_killed_half_way_goes_on_and_leaves_no_hole_that_looks_whole(tmp_path: Path) -> None:
    bars = one_price(market_bars(Calendar.get("24/7"), "2024-01-01T00:00Z", "2024-01-10T00:00Z"))
    with CandleServer() as server:
        server.bars[KEY, "1m"] = bars
        layer, end_ns = with_a_damaged_chunk(tmp_path, server, bars), int(bars.open_time_ns[-1]) + 1
        server.faults += ["", ""] + ["500"] * 1000  # two pages are answered
        with layer, DataClient(layer.home) as client:
            client.bars(PAIR, "1m", mapped=False)
            wait_until(lambda: any(job.pages == 2 and job.reason for job in client.backfill()), "two pages")
            left = len(bars) - len(client.bars(PAIR, "1m", mapped=False)[0])
            assert 0 < left < CHUNK
            assert client.coverage(PAIR, "1m", end_ns=end_ns).missing == left, "what is not back yet is a gap"
            layer.kill()
            server.faults.clear()
            layer.start()
            wait_until(lambda: same(client.bars(PAIR, "1m", mapped=False)[0], bars), "the bars to be whole again")
            assert client.coverage(PAIR, "1m", end_ns=end_ns).missing == 0
