"""Whether quotes are stored is a setting; bars always are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from atrader.bus import close_context
from atrader.clock import NS_PER_S, host_now_ns
from data_layer.client import DataClient
from tests.support.data_layer import DataLayerProcess, Quotes

PAIR = "EUR/USD"


@pytest.fixture(autouse=True)
def no_sockets_left() -> Iterator[None]:
    """End the ZeroMQ context of the test process, or its descriptors count as leaked."""
    yield
    close_context()


@pytest.mark.parametrize("keep_ticks", [True, False])
def test_quotes_are_stored_when_they_are_to_be_kept(tmp_path: Path, keep_ticks: bool) -> None:
    data = {"base_timeframe": "1s", "late_quotes": "200ms", "flush_interval": "50ms", "keep_ticks": keep_ticks}
    with DataLayerProcess(tmp_path, {"data": data}) as layer, DataClient(layer.home) as client:
        quotes = Quotes(layer)
        quotes.until(lambda: len(client.bars(PAIR, "1s")[0]) >= 1, "a bar")
        quotes.close()
        assert layer.stop() == 0  # what waits for the disk is written
        layer.start()
        stored = client.ticks(PAIR, 0, host_now_ns() + 60 * NS_PER_S)
        bars = client.bars(PAIR, "1s")[0]
    assert len(bars) >= 1
    assert bool(stored) is keep_ticks
    assert all(tick.bid < tick.ask for tick in stored)
