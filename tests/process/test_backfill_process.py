"""History from a real service into a real data layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrader.bus import Message, StreamClient
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock, iso_from_ns
from atrader.errors import Rejected
from atrader.market import Bars, bar_topic, revision_topic
from atrader.messages.data import RequestBars
from atrader.timeframes import Timeframe
from data_layer.bars import aggregate
from data_layer.client import DataClient
from data_layer.store.market_sqlite import SqliteMarketReader
from tests.support.bar_sources import market_bars, same, without
from tests.support.candle_server import CandleServer
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR, KEY = "BTC/USDT", "BTC-USDT"
ALWAYS = Calendar.get("24/7")
MINUTES = 60 * NS_PER_S


@pytest.fixture
def server() -> Iterator[CandleServer]:
    """A service with seconds of BTC/USDT from 20 minutes ago until long after the test; some have no candle."""
    now_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S
    with CandleServer() as server:
        bars = market_bars(ALWAYS, iso_from_ns(now_ns - 20 * MINUTES), iso_from_ns(now_ns + 10 * MINUTES), "1s")
        one_price = Bars(*bars.columns[:5], *bars.columns[1:5], bars.columns[9])
        server.bars[KEY, "1s"] = without(one_price, [100, 101, 102, 700])
        yield server


def fleet(server: CandleServer, source: dict[str, Any] | None = None, **backfill: Any) -> dict[str, Any]:
    """Return etc/atrader.toml."""
    return {
        "data": {"base_timeframe": "1s", "late_quotes": "100ms", "backfill": {"check": "200ms", **backfill}},
        "sources": {"backend": server.configuration(**(source or {}))},
    }


def whole(client: DataClient, **period: Any) -> bool:
    return not client.coverage(PAIR, "1s", **period).missing


def test_bars_of_a_live_source_are_published_as_they_complete(tmp_path: Path, server: CandleServer) -> None:
    with (
        DataLayerProcess(tmp_path, fleet(server, {"live": True}, keep=[PAIR], live_window="5m")) as layer,
        DataClient(layer.home) as client,
    ):
        stream = StreamClient(layer.home.endpoint("data.stream"))
        try:
            for timeframe in ("1s", "5s"):
                stream.subscribe(bar_topic(PAIR, timeframe))
            client.subscribe_bars(PAIR, "5s")
            got: dict[str, list[int]] = {"1s": [], "5s": []}

            def both() -> bool:
                for item in stream.drain():
                    if isinstance(item, Message):
                        got[item.values.timeframe].append(item.values.open_time_ns)
                return len(got["5s"]) >= 2

            wait_until(both, "bars of a live source")
        finally:
            stream.close()
        assert got["1s"] == sorted(set(got["1s"])), "each once, in order"
        assert all(b - a == NS_PER_S for a, b in zip(got["1s"], got["1s"][1:], strict=False))
        bars, _, _ = client.bars(PAIR, "5s", start_ns=got["5s"][0], end_ns=got["5s"][1] + 1)
        service = server.bars[KEY, "1s"]
        expected = aggregate(service, Timeframe.parse("5s"), ALWAYS)
        at = int(expected.open_time_ns.searchsorted(got["5s"][0]))
        assert same(bars, expected[at : at + 2])
        assert [(one.instrument, one.reason) for one in client.watched()] == [(PAIR, "configured")]
        wait_until(lambda: whole(client, count=200), "the live window to be whole")


def test_what_a_person_asks_for_is_fetched_and_seconds_without_candles_are_no_gap(
    tmp_path: Path, server: CandleServer
) -> None:
    settings = fleet(server, {"timeframes": {"1s": "1s"}})
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        service = server.bars[KEY, "1s"]
        start_ns = -(-int(service.open_time_ns[0]) // MINUTES) * MINUTES
        period: Any = {"start_ns": start_ns, "end_ns": start_ns + 15 * MINUTES}
        first, last = service.open_time_ns.searchsorted((start_ns, start_ns + 15 * MINUTES))
        assert client.coverage(PAIR, "1s", **period).missing == 900
        job = client.request_bars(RequestBars(instrument=PAIR, timeframe="1s", **period))
        assert (job.priority, job.source, job.state) == ("requested", "backend", "waiting")
        wait_until(lambda: client.backfill()[0].state == "done", "the request to be done")
        assert client.backfill()[0].bars == last - first < 900
        found, _, _ = client.bars(PAIR, "1s", **period)
        assert same(found, service[first:last])
        assert client.coverage(PAIR, "1s", **period).missing == 0
        assert client.coverage(PAIR, "1m", **period).missing == 0
        with pytest.raises(Rejected, match="no source has 1m bars of BTC/USDT"):
            client.request_bars(RequestBars(instrument=PAIR, timeframe="1m", **period))


def test_a_revised_bar_is_announced_in_every_timeframe_that_is_published(tmp_path: Path, server: CandleServer) -> None:
    with DataLayerProcess(tmp_path, fleet(server)) as layer, DataClient(layer.home) as client:
        service = server.bars[KEY, "1s"]
        start_ns = int(service.open_time_ns[200]) // MINUTES * MINUTES
        request = RequestBars(
            instrument=PAIR, timeframe="1s", start_ns=start_ns, end_ns=start_ns + 5 * MINUTES, replace=True
        )
        client.request_bars(request)
        wait_until(lambda: client.backfill()[0].state == "done", "the first version")
        client.subscribe_bars(PAIR, "1m")
        stream = StreamClient(layer.home.endpoint("data.stream"))
        try:
            for timeframe in ("1s", "1m"):
                stream.subscribe(revision_topic(PAIR, timeframe))
            wait_until(lambda: client.bars(PAIR, "1m", start_ns=start_ns, count=5)[0], "bars")
            at = int(service.open_time_ns.searchsorted(start_ns + 90 * NS_PER_S))
            service.high[at] = service.ask_high[at] = 1000.0
            told: list[tuple[str, int, int, int]] = []

            def announced() -> bool:
                for item in stream.drain():
                    if isinstance(item, Message):
                        told.append(tuple(item.values)[1:])
                return len(told) >= 2

            # The subscription may still be on its way: what nobody listened to is not announced again.
            client.request_bars(request)
            wait_until(lambda: client.bars(PAIR, "1m", start_ns=start_ns, count=5)[0].high.max() == 1000.0, "the bar")
            wait_until(announced, "the revisions")
        finally:
            stream.close()
        assert sorted(told) == [
            ("1m", start_ns + MINUTES, start_ns + 2 * MINUTES, 1),
            ("1s", start_ns + 90 * NS_PER_S, start_ns + 91 * NS_PER_S, 1),
        ]
        found, _, _ = client.bars(PAIR, "1m", start_ns=start_ns, end_ns=start_ns + 5 * MINUTES)
        assert found.high.tolist().index(1000.0) == 1


def test_bars_around_a_start_are_those_of_the_source_since_nobody_heard_all_their_quotes(
    tmp_path: Path, server: CandleServer
) -> None:
    settings = fleet(server, keep=[PAIR], live_window="10s")
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        quotes = Quotes(layer)
        reader = None

        def built() -> int:
            quotes.send(5.0, symbol=PAIR)
            return int((client.bars(PAIR, "1s")[0].close == 5.0).sum())

        try:
            wait_until(built, "a bar of quotes")
            reader = SqliteMarketReader(layer.home.market_store)
            wait_until(lambda: reader.revisions(PAIR, "1s"), "the bar of the start to be replaced")
            wait_until(lambda: built() >= 3, "bars whose quotes were all heard")
            [revision] = reader.revisions(PAIR, "1s")
            assert (revision.source, len(revision.replaced), revision.replaced.close[0]) == ("backend", 1, 5.0)
            begun_ns = int(revision.replaced.open_time_ns[0])
            service = server.bars[KEY, "1s"]
            at = int(service.open_time_ns.searchsorted(begun_ns))
            assert same(reader.bars(PAIR, "1s", begun_ns, begun_ns + 1), service[at : at + 1])
        finally:
            quotes.close()
            if reader is not None:
                reader.close()


def test_a_screener_names_what_is_kept_and_its_last_list_survives_it(tmp_path: Path, server: CandleServer) -> None:
    server.picked = [KEY, "ETH-USDT", "DOGE-USDT"]
    settings = fleet(server, {"screener": {"refresh": "1s"}}, screener="backend", live_window="1m")
    kept = [("BTC/USDT", "screener"), ("ETH/USDT", "screener")]
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        wait_until(lambda: [(one.instrument, one.reason) for one in client.watched()] == kept, "the screener's list")
        wait_until(lambda: len(client.bars(PAIR, "1s")[0]) > 30, "bars of what it picked")
        assert "DOGE-USDT" in layer.log
        server.picked = ["ETH-USDT"]
        wait_until(lambda: [one.instrument for one in client.watched()] == ["ETH/USDT"], "the shorter list")
    server.token = "nobody gets in"
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        assert [(one.instrument, one.reason) for one in client.watched()] == [("ETH/USDT", "screener")]


def test_nothing_is_fetched_in_a_replay(tmp_path: Path, server: CandleServer) -> None:
    settings = fleet(server, keep=[PAIR])
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        wait_until(lambda: len(client.bars(PAIR, "1s")[0]) > 100, "something to play")
        layer.stop()  # in order: no request of its is under way afterwards
    asked = len(server.seen)
    settings["market"] = {"feed": "replay", "instruments": [PAIR], "replay": {"timeframe": "1s", "speed": 1}}
    with DataLayerProcess(tmp_path, settings) as layer, DataClient(layer.home) as client:
        with pytest.raises(Rejected, match="a replay is running"):
            client.request_bars(RequestBars(instrument=PAIR, timeframe="1s", start_ns=0, end_ns=NS_PER_S))
        assert client.backfill() == ()
        assert client.watched() == ()
    assert len(server.seen) == asked
