"""A store on a server that dies in the middle of everything: trading goes on, nothing is lost, nothing doubled."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from atrader.bus import close_context
from atrader.clock import host_now_ns
from atrader.configuration.home import Home
from atrader.errors import AtraderError, StoreUnavailable
from atrader.exit_codes import ExitCode
from atrader.market import Bars
from atrader.messages.gateway import OutboxRow
from atrader.messages.history import QueryHistory
from data_layer.client import DataClient
from data_layer.offline import open_market
from tests.fixtures import make_stores as made
from tests.support.books import check_books, history_rows, orders_so_far, wait_until_decided
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until
from tests.support.fleet import Fleet, wait_for
from tests.support.postgresql import PostgresServer, database, started


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """Give a server of our own, with everything synced: it is to be killed."""
    server = started(durable=True)
    try:
        yield server
    finally:
        close_context()
        server.close()


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with database(server.url()) as url:
        yield url


def layer_on(url: str, root: Path) -> DataLayerProcess:
    return DataLayerProcess(root, {"data": {"base_timeframe": "1s", "store": url}})


def wait_for_orders(fleet: Fleet) -> None:
    before = orders_so_far(fleet)
    wait_for(lambda: orders_so_far(fleet) > before + 3, "orders to flow")


def test_a_server_killed_while_a_fleet_trades_stops_no_order_and_costs_no_history(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    fleet = Fleet(tmp_path / "home")
    fleet.store_url = url
    try:
        fleet.write_busy(instances=2, text=fleet.unlimited())
        fleet.start()
        pid = fleet.pid("data-layer")
        for _ in range(2):
            wait_for_orders(fleet)
            server.kill()
            wait_for(lambda: "store is away" in str(fleet.process("data-layer").get("reason")), "status to show it")
            wait_for_orders(fleet)
            server.start()
            wait_for(lambda: not fleet.process("data-layer").get("trouble"), "the store to be back")
        wait_until_decided(fleet)
        # At its end a gateway has a second for what waits; more than that stays in its journal.
        wait_for(lambda: fleet.json("account", "paper")["outbox"] < 20, "the history to have what waited meanwhile")
        assert fleet.pid("data-layer") == pid, "the data layer went on all the time"
        alerts = wait_for(
            lambda: [row for row in fleet.history("alerts") if "the store is back" in str(row["text"])], "the alert"
        )
        assert {row["level"] for row in alerts} == {"warning"}  # the end of a trouble is none
        assert fleet.stop() == 0
        check_books(fleet)
        bars = history_rows(fleet, "SELECT time_ns FROM (SELECT open_time_ns AS time_ns FROM bar_tail) AS tail")
        times = sorted(row[0] for row in bars)
        assert np.all(np.diff(times) == 10**9), "a bar for each second of the market, also of those without a store"
    finally:
        fleet.end()


class CountedQuotes(Quotes):
    """Knows which seconds have so many quotes of EUR/USD that one of them came in time, however busy the machine."""

    def __init__(self, layer: DataLayerProcess) -> None:
        super().__init__(layer)
        self.counts: Counter[int] = Counter()

    def send(self, price: float, time_ns: int | None = None, symbol: str = "EUR/USD") -> None:
        """Send a quote and count it."""
        now_ns = host_now_ns() if time_ns is None else time_ns
        super().send(price, now_ns, symbol)
        self.counts[now_ns // 10**9 * 10**9] += symbol == "EUR/USD"

    def full_seconds(self, start_ns: int, end_ns: int) -> set[int]:
        """Return the open times of these seconds between two times."""
        return {open_ns for open_ns, count in self.counts.items() if count >= 10 and start_ns <= open_ns < end_ns}


def test_a_server_that_hangs_without_a_word_holds_no_price_up_and_no_bar_of_quotes_is_lost(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    with layer_on(url, tmp_path / "home") as layer, DataClient(layer.home, timeout_s=60) as client:
        quotes = CountedQuotes(layer)
        quotes.until(lambda: client.bars("EUR/USD", "1s", count=1)[0], "a bar")
        server.freeze()
        try:
            began_ns = host_now_ns()
            for symbol in ("GBP/USD", "USD/JPY", "AUD/USD", "EUR/USD"):  # three of them for the first time
                quotes.send(1.25, symbol=symbol)
                wait_until(partial(_is_priced_since, client, symbol, began_ns), f"the price of {symbol}")
            with pytest.raises(StoreUnavailable):
                client.subscribe_bars("EUR/USD", "1m")
            quotes.until(lambda: host_now_ns() > began_ns + 3 * 10**9, "three seconds")
        finally:
            server.thaw()
        wait_until(lambda: _subscribes(client), "the store to answer")
        last_ns = host_now_ns()
        quotes.until(lambda: client.bars("EUR/USD", "1s", start_ns=last_ns)[0], "a bar of the time after it")
        times = client.bars("EUR/USD", "1s", mapped=False)[0].open_time_ns.tolist()
        expected = quotes.full_seconds(began_ns, times[-1])
        assert len(expected) >= 2
        assert expected <= set(times)
        quotes.close()
        assert layer.stop() == 0


def _subscribes(client: DataClient) -> bool:
    try:
        client.subscribe_bars("EUR/USD", "1m")
    except StoreUnavailable:
        return False
    return True


def _is_priced_since(client: DataClient, symbol: str, time_ns: int) -> bool:
    price = client.last_price(symbol)
    return price is not None and price.time_ns >= time_ns


def test_a_second_data_layer_on_one_store_is_refused_and_told_who_has_it(url: str, tmp_path: Path) -> None:
    with layer_on(url, tmp_path / "first") as first:
        second = layer_on(url, tmp_path / "second")
        with pytest.raises(AssertionError, match="the data layer ended"):
            second.start()
        assert second.wait() == ExitCode.LOCKED
        assert f"in use by data-layer (pid {first.pid} on " in second.log
        assert first.stop() == 0
    with layer_on(url, tmp_path / "second") as second:
        assert second.stop() == 0


def test_kill_9_of_the_data_layer_while_it_writes_loses_and_doubles_nothing(url: str, tmp_path: Path) -> None:
    moments = random.Random(11)
    acknowledged = 0
    with layer_on(url, tmp_path / "home") as layer:
        for _ in range(4):
            killer = threading.Timer(moments.uniform(0.05, 0.5), layer.kill)
            with DataClient(layer.home, timeout_s=0.5) as client:
                killer.start()
                try:
                    while True:
                        rows = [
                            OutboxRow(seq=seq, table="events", time_ns=seq, body={"kind": "test", "text": "x"})
                            for seq in range(acknowledged + 1, acknowledged + moments.randint(2, 50))
                        ]
                        acknowledged = client.append_history("gateway:test", rows)
                except AtraderError:
                    killer.join()
            layer.start()
            with DataClient(layer.home) as client:
                stored = client.last_seq("gateway:test")
                assert stored >= acknowledged
                found = client.history(QueryHistory(table="events"))
            assert sorted(row["time_ns"] for row in found) == list(range(1, stored + 1))
            acknowledged = stored
        assert acknowledged > 0
        assert layer.stop() == 0


@pytest.mark.parametrize("running", [False, True], ids=["no data layer", "through the data layer"])
def test_an_import_over_which_the_server_is_killed_goes_on_when_it_is_back(
    server: PostgresServer, url: str, tmp_path: Path, *, running: bool
) -> None:
    layer = layer_on(url, tmp_path / "home")
    home: Home = layer.home
    home.etc.mkdir()
    (home.etc / "atrader.toml").write_text(f"[data]\nbase_timeframe = '1s'\nstore = '{url}'\n")
    bars = made.bars(200_000)
    parts = [bars[start : start + 10_000] for start in range(0, len(bars), 10_000)]
    half = threading.Event()

    def load() -> Bars:
        with open_market(home) as market:
            for number, part in enumerate(parts):
                if number == len(parts) // 2:
                    half.set()
                assert market.import_bars("EUR/USD", "1m", "file.csv", part).rows == len(part)
            return market.bars("EUR/USD", "1m")

    try:
        if running:
            layer.start()
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(load)
            assert half.wait(180)
            server.kill()
            server.start()
            found = loaded.result(180)
        assert np.array_equal(found.open_time_ns, bars.open_time_ns)
        assert np.array_equal(found.close, bars.close)
        if running:
            assert layer.stop() == 0
    finally:
        layer.__exit__()
