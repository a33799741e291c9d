"""The data layer as a process: real sockets, real files, real signals."""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from atrader.bus import BeatSender, Gap, Message, StreamClient
from atrader.clock import NS_PER_S, SystemClock, parse_time
from atrader.errors import AtraderError, ConfigError, DeadlineExceeded, Rejected, StoreError
from atrader.exit_codes import ExitCode
from atrader.market import PRICES_PHASE, REPLAY_STEP, Bar, Bars, Tick, bar_topic, replay_topic, tick_topic
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from data_layer.client import DataClient, to_frame
from data_layer.offline import open_history, open_market
from data_layer.store.market_sqlite import SqliteMarketStore
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "EUR/USD"
FLEET = {"data": {"base_timeframe": "1s", "late_quotes": "200ms"}}
clock = SystemClock()


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[DataLayerProcess]:
    with DataLayerProcess(tmp_path, FLEET) as layer:
        yield layer


@pytest.fixture
def client(layer: DataLayerProcess) -> Iterator[DataClient]:
    with DataClient(layer.home) as client:
        yield client


class Listener:
    """Collects what the data stream brings."""

    def __init__(self, layer: DataLayerProcess, *topics: str) -> None:
        self.stream = StreamClient(layer.home.endpoint("data.stream"))
        for topic in topics:
            self.stream.subscribe(topic)
        self.items: list[Message | Gap] = []
        # Only after a heartbeat do we know that the subscription has arrived.
        wait_until(
            lambda: self.stream.poll(50) and self.read() is not None and self.stream.counters["heartbeats"],
            "a heartbeat",
        )

    def read(self) -> list[Message | Gap]:
        self.items += self.stream.drain()
        return self.items

    def bars(self, timeframe: str) -> list[Bar]:
        topic = bar_topic(PAIR, timeframe)
        rows = [item.values for item in self.read() if isinstance(item, Message) and item.topic == topic]
        return [Bar(row.open_time_ns, *row[3:-1]) for row in rows]

    def close(self) -> None:
        self.stream.close()


def test_quotes_become_prices_bars_on_the_stream_and_bars_in_the_store(
    layer: DataLayerProcess, client: DataClient
) -> None:
    client.subscribe_bars(PAIR, "3s")
    listener = Listener(layer, bar_topic(PAIR, "1s"), bar_topic(PAIR, "3s"), tick_topic(PAIR))
    quotes = Quotes(layer)
    quotes.until(lambda: len(listener.bars("3s")) >= 2, "two bars of 3 s")
    (price,) = client.prices([PAIR])
    assert price.age_s < 60
    assert client.prices(["GBP/USD"]) == ()
    for timeframe in ("1s", "3s"):
        published = listener.bars(timeframe)
        bars, epoch, seq = client.bars(PAIR, timeframe)
        stored = {bars.open_time_ns[index]: bars.row(index) for index in range(len(bars))}
        assert published
        assert all(stored[bar.open_time_ns] == bar for bar in published)
        assert seq >= len(published)
        assert epoch == client.subscribe_bars(PAIR, timeframe)
    assert not bars.close.flags.writeable
    assert len(to_frame(bars)) == len(bars)
    assert not any(isinstance(item, Gap) for item in listener.items)
    assert any(isinstance(item, Message) and item.topic == tick_topic(PAIR) for item in listener.items)
    assert layer.stop() == ExitCode.OK
    with open_market(layer.home) as market:
        for timeframe in ("1s", "3s"):
            after = market.bars(PAIR, timeframe)
            kept = {after.open_time_ns[index]: after.row(index) for index in range(len(after))}
            assert all(kept[bar.open_time_ns] == bar for bar in listener.bars(timeframe))
    quotes.close()
    listener.close()


def test_a_bar_completes_by_the_clock_and_unsound_quotes_change_nothing(
    layer: DataLayerProcess, client: DataClient
) -> None:
    quotes = Quotes(layer)
    quotes.send(1.1)
    wait_until(lambda: len(client.bars(PAIR, "1s")[0]) == 1, "the bar of a single quote")
    quotes.send(float("nan"))
    quotes.send(-1.0)
    quotes.send(1.2, symbol="NO/SUCH")
    quotes.send(5.0, clock.now_ns() - 3600 * NS_PER_S)
    quotes.send(5.0, clock.now_ns() + 3600 * NS_PER_S)
    quotes.send(1.3)
    price = wait_until(lambda: [p for p in client.prices() if p.bid == 1.3], "the last quote")
    assert len(price) == 1
    assert [one.instrument for one in client.prices()] == [PAIR]
    quotes.close()


def test_killed_and_started_again_it_never_publishes_a_bar_in_two_versions(layer: DataLayerProcess) -> None:
    published: dict[int, Bar] = {}
    quotes = Quotes(layer)
    listener = Listener(layer, bar_topic(PAIR, "1s"))
    for _ in range(4):
        count = len(published)

        def grown(before: int = count) -> bool:
            for bar in listener.bars("1s"):
                assert published.setdefault(bar.open_time_ns, bar) == bar
            return len(published) >= before + 2

        quotes.until(grown, "two more bars")
        layer.kill()
        layer.start()
    with DataClient(layer.home) as client:
        bars = client.bars(PAIR, "1s")[0]
    stored = {int(bars.open_time_ns[index]): bars.row(index) for index in range(len(bars))}
    assert {time_ns: stored.get(time_ns) for time_ns in published} == published
    quotes.close()
    listener.close()


def outbox(first: int, count: int) -> list[OutboxRow]:
    body: dict[str, object] = {"kind": "test", "text": "x" * 50}
    return [OutboxRow(seq=seq, table="events", time_ns=seq, body=body) for seq in range(first, first + count)]


def test_kill_9_while_appending_history_loses_nothing_that_was_answered(layer: DataLayerProcess) -> None:
    with DataClient(layer.home) as client:
        acknowledged = client.append_history("gateway:test", outbox(1, 5))
    moments = random.Random(7)
    for _ in range(6):
        killer = threading.Timer(moments.uniform(0.02, 0.15), layer.kill)
        with DataClient(layer.home, timeout_s=0.3) as client:
            killer.start()
            try:
                while True:
                    acknowledged = client.append_history(
                        "gateway:test", outbox(acknowledged + 1, moments.randint(1, 50))
                    )
            except AtraderError:
                killer.join()
        layer.start()
        with DataClient(layer.home) as client:
            on_disk = client.last_seq("gateway:test")
            assert on_disk >= acknowledged
            rows = client.history(QueryHistory(table="events"))
        assert sorted(row["time_ns"] for row in rows) == list(range(1, on_disk + 1))
        acknowledged = on_disk
    assert acknowledged > 5


def test_the_last_price_is_read_from_memory_across_the_death_of_the_data_layer(
    layer: DataLayerProcess,
) -> None:
    client = DataClient(layer.home, timeout_s=1)
    assert client.last_price(PAIR) is None
    quotes = Quotes(layer)

    def shows(price: float) -> bool:
        quotes.send(price)
        found = client.last_price(PAIR)
        return found is not None and found.bid == price and found.age_s < 2

    wait_until(lambda: shows(1.1), "the first price")
    calls = client._calls.counters["sent"]
    for _ in range(1000):
        client.last_price(PAIR)
    assert client._calls.counters["sent"] <= calls + 2, "it is not read from memory"
    layer.kill()
    with pytest.raises(DeadlineExceeded):  # as from the bus, once its silence is noticed
        wait_until(lambda: client.last_price(PAIR) is None, "the end")
    layer.start()
    wait_until(lambda: shows(1.2), "a price of the next data layer")
    assert client.last_price("GBP/USD") is None
    quotes.close()
    client.close()


def test_appending_the_same_rows_again_changes_nothing(client: DataClient) -> None:
    rows = outbox(1, 5)
    assert client.append_history("manager", rows) == 5
    assert client.append_history("manager", rows) == 5
    assert client.append_history("manager", outbox(3, 4)) == 6
    assert len(client.history(QueryHistory(table="events"))) == 6
    assert client.last_seq("manager") == 6
    assert client.last_seq("nobody") == 0


def has_read(listener: Listener, count: int) -> bool:
    return sum(isinstance(item, Message) for item in listener.read()) >= count


def test_a_subscriber_that_does_not_read_costs_nobody_anything(layer: DataLayerProcess, client: DataClient) -> None:
    lazy = Listener(layer, "tick", "bar")
    keen = Listener(layer, tick_topic(PAIR))
    quotes = Quotes(layer)
    now_ns = clock.now_ns()
    for number in range(300):
        quotes.send_all([Tick(PAIR, now_ns + number * 100 + index, now_ns, 1.1, 1.2) for index in range(100)])
        # Never further ahead than its queue is long, or a keen one loses some as well when the machine is busy.
        wait_until(partial(has_read, keen, 100 * number - 400), "the quotes so far")
    wait_until(partial(has_read, keen, 30_000), "all quotes")
    assert not any(isinstance(item, Gap) for item in keen.items)
    assert client.prices([PAIR])
    for part in (lazy, keen, quotes):
        part.close()


def test_imports_are_seen_at_once_in_every_timeframe(client: DataClient) -> None:
    start_ns = 1_370_044_800 * NS_PER_S
    times = start_ns + np.arange(7200, dtype=np.int64) * 60 * NS_PER_S
    values = [np.linspace(1, 2, len(times)) + number for number in range(9)]
    assert client.import_bars(PAIR, "1m", "a.csv", Bars(times, *values)).new == 7200
    hours = client.bars(PAIR, "1h")[0]
    assert len(hours) == 120
    revised = Bars(times[:60], *(column[:60] + 100 for column in values))
    assert client.import_bars(PAIR, "1m", "b.csv", revised).new == 0
    assert client.bars(PAIR, "1h", count=120)[0].open[0] == 101.0
    assert hours.open[0] == 1.0
    assert len(client.bars(PAIR, "4h", count=5)[0]) == 5
    assert [(one.timeframe, one.source) for one in client.series()] == [("1m", "a.csv, b.csv")]


def test_what_cannot_be_answered_is_refused_with_the_reason(client: DataClient) -> None:
    with pytest.raises(Rejected, match="expected a count"):
        client.subscribe_bars(PAIR, "7x")
    with pytest.raises(ConfigError, match="unknown instrument"):
        client.bars("NO/SUCH", "1m")
    with pytest.raises(Rejected):
        client.bars(PAIR, "nonsense")
    assert len(client.bars(PAIR, "1h")[0]) == 0


def test_history_reads_the_same_with_and_without_the_process(layer: DataLayerProcess, client: DataClient) -> None:
    client.append_history("manager", outbox(1, 3))
    query = QueryHistory(table="events", limit=2)
    with open_history(layer.home) as source:
        running = source.query(query)
    layer.stop()
    with open_history(layer.home) as source:
        stopped = source.query(query)
    assert running == stopped
    assert [row["time_ns"] for row in stopped] == [2, 3]


def test_a_store_in_use_is_named_and_the_process_ends_with_locked(tmp_path: Path) -> None:
    layer = DataLayerProcess(tmp_path, FLEET)
    store = SqliteMarketStore(layer.home.market_store, "somebody else")
    with pytest.raises(AssertionError, match="somebody else"):
        layer.start()
    assert layer.wait() == ExitCode.LOCKED
    store.close()


def test_a_damaged_store_ends_the_process_with_the_remedy(tmp_path: Path) -> None:
    layer = DataLayerProcess(tmp_path, FLEET)
    layer.home.history_store.write_bytes(b"garbage " * 4096)
    with pytest.raises(AssertionError, match="is damaged"):
        layer.start()
    assert layer.wait() == ExitCode.STORE


def test_a_full_disk_stops_no_price_and_no_bar_and_everything_is_stored_afterwards(layer: DataLayerProcess) -> None:
    process = psutil.Process(layer.pid)
    listener = Listener(layer, bar_topic(PAIR, "1s"))
    quotes = Quotes(layer)
    with DataClient(layer.home) as client:
        quotes.until(lambda: listener.bars("1s"), "a bar")
        process.rlimit(psutil.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        with pytest.raises(StoreError, match="cannot be written") as refusal:
            client.append_history("gateway:test", outbox(1, 10))
        assert refusal.value.details["read_only"]
        before = len(listener.bars("1s"))
        quotes.until(lambda: len(listener.bars("1s")) >= before + 2, "two bars while the disk is full")
        wait_until(lambda: "market-store-read-only" in layer.log, "the note of it")
        assert client.prices([PAIR])
        published = listener.bars("1s")
        shown = client.bars(PAIR, "1s")[0]
        assert [shown.row(index) for index in range(len(shown))][: len(published)] == published
        process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        quotes.until(lambda: "market-store-writable" in layer.log, "the store to be written again")
        assert client.append_history("gateway:test", outbox(1, 10)) == 10
    layer.kill()
    with open_market(layer.home) as market:
        stored = market.bars(PAIR, "1s")
    assert [stored.row(index) for index in range(len(stored))][: len(published)] == published
    quotes.close()
    listener.close()


REPLAY = {
    "data": {"base_timeframe": "1m"},
    "market": {"feed": "replay", "instruments": [PAIR], "replay": {"timeframe": "1m", "start": "2013-06-03T12:00Z"}},
}
ACCOUNTS = {"paper": {"name": "paper", "broker": "paper", "paper": {"initial_balance": 1000}}}


def test_a_replay_shows_nothing_later_than_its_clock_and_waits_for_everybody(tmp_path: Path) -> None:
    layer = DataLayerProcess(tmp_path, REPLAY, accounts=ACCOUNTS)
    start_ns, minute = parse_time("2013-06-03T10:00Z"), 60 * NS_PER_S
    times = start_ns + np.arange(160, dtype=np.int64) * minute
    bars = Bars(times, *(np.linspace(1, 2, 160) + side for side in (0, 0.1, -0.1, 0, 0.2, 0.3, 0.1, 0.2, 0)))
    store = SqliteMarketStore(layer.home.market_store, "the test")
    store.put_bars(PAIR, "1m", "a.csv", bars)
    store.close()
    with layer, DataClient(layer.home) as client:
        stream = StreamClient(layer.home.endpoint("data.stream"))
        for topic in (replay_topic(PRICES_PHASE), bar_topic(PAIR, "5m"), bar_topic(PAIR, "1m")):
            stream.subscribe(topic)
        client.subscribe_bars(PAIR, "5m")
        assert client.replay().waiting_for == ("gateway-paper",)
        assert int(client.bars(PAIR, "1m")[0].open_time_ns[-1]) == parse_time("2013-06-03T11:59Z")
        assert len(client.bars(PAIR, "1h")[0]) == 2
        push = BeatSender(layer.home.endpoint("data.push"), "gateway-paper")
        wait_until(
            lambda: stream.poll(50) and stream.drain() is not None and stream.counters["heartbeats"], "a heartbeat"
        )
        wait_until(lambda: push.send("replay-ready", {"name": "gateway-paper"}), "the push socket")
        published: dict[str, list[Bar]] = {"1m": [], "5m": []}
        steps: set[int] = set()
        while client.replay().state != "finished":
            for item in stream.drain() if stream.poll(100) else ():
                assert isinstance(item, Message), "nothing is missed in a replay"
                if item.kind != REPLAY_STEP.kind:
                    published[item.values.timeframe].append(Bar(item.values.open_time_ns, *item.values[3:-1]))
                    continue
                step = item.values
                steps.add(step.step)
                shown = client.bars(PAIR, "1m", count=1)[0]
                assert int(shown.open_time_ns[-1]) + minute < step.market_ns
                (price,) = client.prices([PAIR])
                assert price.time_ns < step.market_ns
                push.send("replay-ack", {"name": "gateway-paper", "step": step.step, "phase": step.phase})

        def is_all_there() -> bool:
            for item in stream.drain() if stream.poll(100) else ():
                assert isinstance(item, Message)
                published[item.values.timeframe].append(Bar(item.values.open_time_ns, *item.values[3:-1]))
            return len(published["1m"]) >= 40 and len(published["5m"]) >= 8

        wait_until(is_all_there, "the bars of the last step")
        assert steps == set(range(40))
        assert published["1m"] == [bars.row(index) for index in range(120, 160)]
        fives = client.bars(PAIR, "5m", start_ns=parse_time("2013-06-03T12:00Z"))[0]
        assert published["5m"] == [fives.row(index) for index in range(len(fives))]
        assert len(fives) == 8
        with pytest.raises(Rejected, match="must not change"):
            client.import_bars(PAIR, "1m", "b.csv", bars)
        stream.close()
        push.close()
    with open_market(layer.home) as market:
        assert [one.source for one in market.series()] == ["a.csv"], "a replay writes nothing"


def test_a_store_that_fails_for_good_ends_the_process_with_its_exit_code(layer: DataLayerProcess) -> None:
    with sqlite3.connect(layer.home.market_store) as db:
        db.execute("DROP TABLE forming")
    db.close()
    quotes = Quotes(layer)
    quotes.send(1.1)
    assert layer.wait() == ExitCode.STORE
    assert "no such table" in layer.log
    quotes.close()
