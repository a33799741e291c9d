"""The data layer dies while it fetches history, and goes on where it was."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S
from atrader.market import Bars
from atrader.messages.data import RequestBars
from data_layer.client import DataClient
from data_layer.store.market_sqlite import SqliteMarketReader
from tests.support.bar_sources import market_bars, same, without
from tests.support.candle_server import CandleServer
from tests.support.data_layer import DataLayerProcess, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "BTC/USDT"
BARS = market_bars(Calendar.get("24/7"), "2024-03-12T00:00Z", "2024-03-12T01:00Z", "1s")
SERVED = without(Bars(*BARS.columns[:5], *BARS.columns[1:5], BARS.columns[9]), range(500, 560))
REQUEST = RequestBars(
    instrument=PAIR,
    timeframe="1s",
    start_ns=int(BARS.open_time_ns[0]),
    end_ns=int(BARS.open_time_ns[-1]) + NS_PER_S,
)


def _asked(server: CandleServer, pages: int) -> bool:
    return len(server.seen) >= pages


@pytest.mark.parametrize("replace", [False, True])
def test_killed_again_and_again_while_history_is_fetched_it_ends_with_the_same_store(
    tmp_path: Path, replace: bool
) -> None:
    with CandleServer() as server:
        server.bars["BTC-USDT", "1s"] = SERVED
        paced = server.configuration(page_bars=100, requests_per_second=40, burst=1)
        fleet = {"data": {"base_timeframe": "1s"}, "sources": {"backend": paced}}
        killed = DataLayerProcess(tmp_path, fleet)
        with killed, DataClient(killed.home) as client:
            client.request_bars(REQUEST.model_copy(update={"replace": replace}))
            for pages in (3, 11, 19):
                wait_until(partial(_asked, server, pages), f"{pages} pages")
                killed.kill()
                killed.start()
            wait_until(lambda: client.backfill() and client.backfill()[0].state == "done", "the rest")
            assert client.coverage(PAIR, "1s", start_ns=REQUEST.start_ns, end_ns=REQUEST.end_ns).missing == 0
            killed.stop()
        twice = {path: times for path, times in Counter(server.seen).items() if times > 1}
        assert len(twice) <= 3, "only the page that was under way is asked for again"
        reader = SqliteMarketReader(killed.home.market_store)
        try:
            assert same(reader.bars(PAIR, "1s"), SERVED)
            assert reader.backfills() == []
            assert reader.revisions(PAIR, "1s") == []
            [origin] = reader.origins(PAIR, "1s")
            [answered] = reader.answered(PAIR, "1s")
        finally:
            reader.close()
        assert origin == answered == (REQUEST.start_ns, REQUEST.end_ns, "backend")
