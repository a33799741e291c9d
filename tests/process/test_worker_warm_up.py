"""A worker's share of the market, on a real data layer that lacks bars."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from atrader.bus import Gap, Message
from atrader.bus.questions import Question
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, SystemClock, iso_from_ns
from atrader.market import BAR, Bars, Tick, bar_topic, revision_topic, tick_topic
from data_layer.client import DataClient
from tests.support.bar_sources import market_bars, rows, same
from tests.support.candle_server import CandleServer
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until
from worker.market_feed import MarketFeed

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "BTC/USDT"
ALWAYS = Calendar.get("24/7")
T = TypeVar("T")


class _CountingClient(DataClient):
    asked = 0

    def ask(self, question: Question[T]) -> T:
        self.asked += 1
        return super().ask(question)


@pytest.fixture
def server() -> Iterator[CandleServer]:
    now_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S
    with CandleServer() as server:
        bars = market_bars(ALWAYS, iso_from_ns(now_ns - 900 * NS_PER_S), iso_from_ns(now_ns + 600 * NS_PER_S), "1s")
        server.bars["BTC-USDT", "1s"] = Bars(*bars.columns[:5], *bars.columns[1:5], bars.columns[9])
        yield server


def test_what_is_missing_of_a_warm_up_is_fetched_and_no_bar_is_handed_out_twice(
    tmp_path: Path, server: CandleServer
) -> None:
    fleet = {
        "data": {
            "base_timeframe": "1s",
            "late_quotes": "100ms",
            "backfill": {"keep": [PAIR], "live_window": "60s", "check": "200ms"},
        },
        "sources": {"backend": server.configuration(live=True)},
    }
    with DataLayerProcess(tmp_path, fleet) as layer, DataClient(layer.home) as client:
        wait_until(lambda: len(client.bars(PAIR, "1s")[0]) >= 30, "the live window")
        feed = MarketFeed(layer.home, client, PAIR, "1s", 400, ALWAYS, quotes=False)
        try:
            feed.start()
            before = feed.warm_up
            assert before.wanted == 400
            assert before.missing > 200
            assert not before.whole
            handed = []

            def whole() -> bool:
                for bar in feed.take(feed.stream.drain())[0]:
                    feed.advance(bar)
                    handed.append(bar)
                return feed.warm_up.whole and len(handed) >= 3

            wait_until(whole, "the warm-up to be whole")
        finally:
            feed.close()
        times = [bar.open_time_ns for bar in handed]
        assert times == sorted(set(times))
        service = server.bars["BTC-USDT", "1s"]
        last = int(service.open_time_ns.searchsorted(times[-1])) + 1
        assert same(feed.bars, service[last - 400 : last])
        assert handed == rows(service[last - len(handed) : last]), "history was not handed out as news"


def test_a_bar_that_came_late_is_in_the_window_after_the_next_one_was_handled(tmp_path: Path) -> None:
    pair = "EUR/USD"
    now_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S
    history = market_bars(ALWAYS, iso_from_ns(now_ns - 20 * NS_PER_S), iso_from_ns(now_ns), "1s")
    fleet = {"data": {"base_timeframe": "1s", "late_quotes": "100ms"}}
    with DataLayerProcess(tmp_path, fleet) as layer, DataClient(layer.home) as client:
        client.import_bars(pair, "1s", "file", history[:-1])
        quotes = Quotes(layer)
        feed = MarketFeed(layer.home, client, pair, "1s", 20, ALWAYS, quotes=False)
        handed: list[int] = []
        items: list[Message | Gap] = []

        def has_news() -> bool:
            items[:] = feed.stream.drain()
            for bar in feed.take(items)[0]:
                feed.advance(bar)
                handed.append(bar.open_time_ns)
            return bool(items)

        try:
            feed.start()
            late_ns = int(history.open_time_ns[-1])
            client.import_bars(pair, "1s", "file", history)
            wait_until(has_news, "the revision")
            assert late_ns not in feed.bars.open_time_ns, "a later bar must come to be handled first"
            quotes.until(lambda: has_news() and handed and late_ns in feed.bars.open_time_ns, "the late bar")
        finally:
            feed.close()
            quotes.close()
        assert late_ns not in handed


def test_bars_that_were_missed_while_the_data_layer_is_away_come_once_it_is_back_and_none_after_them_before(
    tmp_path: Path,
) -> None:
    now_ns = SystemClock().now_ns() // NS_PER_S * NS_PER_S
    history = market_bars(ALWAYS, iso_from_ns(now_ns - 40 * NS_PER_S), iso_from_ns(now_ns - 20 * NS_PER_S), "1s")
    layer = DataLayerProcess(tmp_path, {"data": {"base_timeframe": "1s"}})
    with layer, _CountingClient(layer.home) as client:
        client.import_bars("EUR/USD", "1s", "file", history[:10])
        feed = MarketFeed(layer.home, client, "EUR/USD", "1s", 20, ALWAYS, quotes=False)
        topic = bar_topic("EUR/USD", "1s")
        try:
            feed.start()
            client.import_bars("EUR/USD", "1s", "file", history[10:])
            layer.kill()
            client.bulk_timeout_s = 0.05
            values = BAR.values_type("EUR/USD", "1s", *history.row(15), complete=True)
            after = Message(topic, "bar", 9, values, 1)
            quote = Message(tick_topic("EUR/USD"), "tick", 1, Tick("EUR/USD", now_ns, now_ns, 1.1, 1.2), 1)
            assert feed.only_quote([quote]) == feed.tick == quote.values
            others: tuple[list[Message | Gap], ...] = ([], [after], [quote, quote], [quote, after])
            assert [feed.only_quote(items) for items in others] == [None] * 4
            assert feed.take([Gap(topic, 1, 9, epoch_changed=False), after]) == ([], None)
            assert feed.is_behind
            assert feed.only_quote([quote]) is None, "the missed bars have to be asked for"
            assert feed.take([]) == ([], None), "it is still away"
            before = client.asked
            assert feed.take([Gap(revision_topic("EUR/USD", "1s"), 1, 2, epoch_changed=True)]) == ([], None)
            assert client.asked == before + 1, "each wait is half of the time a worker may be silent"
            layer.start()
            client.bulk_timeout_s = 30.0
            assert feed.take([])[0] == rows(history[10:])
            assert not feed.is_behind
        finally:
            feed.close()
