"""Whether quotes are stored is a setting; bars always are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from atrader.clock import NS_PER_S, host_now_ns
from atrader.market import Quotes as Columns
from data_layer.client import DataClient
from data_layer.tick_pages import tick_pages
from tests.support.data_layer import DataLayerProcess, Quotes

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "EUR/USD"
START_NS = 1_370_044_800 * NS_PER_S


@pytest.mark.parametrize("keep_ticks", [True, False])
def test_quotes_are_stored_when_they_are_to_be_kept(tmp_path: Path, keep_ticks: bool) -> None:
    data = {"base_timeframe": "1s", "late_quotes": "200ms", "flush_interval": "50ms", "keep_ticks": keep_ticks}
    with DataLayerProcess(tmp_path, {"data": data}) as layer, DataClient(layer.home) as client:
        quotes = Quotes(layer)
        quotes.until(lambda: len(client.bars(PAIR, "1s")[0]) >= 1, "a bar")
        quotes.close()
        assert layer.stop() == 0  # what waits for the disk is written
        layer.start()
        stored = client.ticks(PAIR, 0, host_now_ns() + 60 * NS_PER_S).quotes
        bars = client.bars(PAIR, "1s")[0]
    assert len(bars) >= 1
    assert bool(len(stored.bid)) is keep_ticks
    assert (stored.bid < stored.ask).all()


def test_one_call_brings_a_bounded_page_of_quotes_and_says_where_the_next_begins(tmp_path: Path) -> None:
    count = 250_000
    times = START_NS + np.arange(count, dtype=np.int64) // 2 * NS_PER_S
    quotes = Columns(times, times, np.arange(1.0, count + 1), np.arange(2.0, count + 2))
    with DataLayerProcess(tmp_path, {}) as layer, DataClient(layer.home) as client:
        client.import_quotes(PAIR, "made.csv", quotes)
        first = client.ticks(PAIR)
        assert first.next_ns == int(first.quotes.time_ns[-1]) + 1
        pages = list(tick_pages(client.ticks, PAIR))
        few = client.ticks(PAIR, START_NS + 5 * NS_PER_S, START_NS + 7 * NS_PER_S)
    assert max(len(page.time_ns) for page in pages) <= 100_000 + 2
    assert np.concatenate([page.bid for page in pages]).tolist() == quotes.bid.tolist()
    assert few.quotes.bid.tolist() == [11.0, 12.0, 13.0, 14.0]
    assert few.next_ns is None
