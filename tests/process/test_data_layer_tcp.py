"""The data layer behind a port: everything that the client can do, for those with the right key, and nobody else."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from atrader.bus import CurveKeys, Message, StreamClient
from atrader.clock import host_now_ns
from atrader.errors import DeadlineExceeded, WireError
from atrader.exit_codes import ExitCode
from atrader.market import Bars, Tick, tick_topic
from atrader.messages.history import QueryHistory
from data_layer.client import DataAddress, DataClient, LastPrice
from tests.support.bus import raw_socket
from tests.support.data_layer import DataLayerProcess, Quotes, wait_until

pytestmark = pytest.mark.usefixtures("closed_context")

PAIR = "EUR/USD"
HOUR_NS = 3600 * 10**9
PAST = Bars(np.arange(1, 5001) * HOUR_NS, *(np.arange(5000.0) + column for column in range(9)))


@pytest.fixture
def port() -> int:
    """Return the first of three free ports."""
    for number in random.Random().sample(range(20_000, 32_000, 3), 100):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for offset, probe in enumerate((one, two, three)):
                    probe.bind(("127.0.0.1", number + offset))
            except OSError:
                continue
            return number
    raise AssertionError("no free ports")


@pytest.fixture
def layer(tmp_path: Path, port: int) -> Iterator[DataLayerProcess]:
    CurveKeys.generate(tmp_path / "etc" / "keys")
    fleet = {"data": {"base_timeframe": "1s"}, "bus": {"data_tcp": f"tcp://127.0.0.1:{port}"}}
    with DataLayerProcess(tmp_path, fleet) as layer:
        yield layer


def far(layer: DataLayerProcess, keys: CurveKeys | Path | None = None, timeout_s: float = 60.0) -> DataClient:
    """Return a client that comes through the port."""
    url = layer.installation.fleet.bus.data_tcp
    assert url is not None
    address = DataAddress.of_url(url, layer.home.root / "etc" / "keys" if keys is None else keys)
    return DataClient(address, timeout_s=timeout_s, bulk_timeout_s=timeout_s)


def last_price_of(client: DataClient, quotes: Quotes) -> LastPrice:
    """Quote, and return the price once no other is on its way."""
    quotes.send(1.25)
    found: LastPrice = wait_until(lambda: (now := client.last_price(PAIR)) and now.bid == 1.25 and now, "the price")
    return found


def test_a_client_with_the_key_gets_the_same_as_one_on_the_host(layer: DataLayerProcess):
    quotes = Quotes(layer)
    with far(layer) as client, DataClient(layer.home) as near:
        assert client.import_bars(PAIR, "1h", "test", PAST).new == len(PAST)
        stream = client.stream()
        stream.subscribe(tick_topic(PAIR))
        wait_until(partial(hears, stream), "a heartbeat")
        last_price_of(near, quotes)
        here, there = near.last_price(PAIR), client.last_price(PAIR)
        assert here is not None
        assert there is not None
        assert there[:5] == here[:5]
        assert there.age_s < 60
        for timeframe in ("1h", "1d"):
            for count in (None, 10):
                ours, theirs = near.bars(PAIR, timeframe, count=count)[0], client.bars(PAIR, timeframe, count=count)[0]
                assert len(ours) > 0
                assert all(np.array_equal(a, b) for a, b in zip(ours.columns, theirs.columns, strict=True))
        assert client.series() == near.series()
        assert client.history(QueryHistory(table="orders")) == []
        quotes.until(lambda: any(isinstance(item, Message) for item in stream.drain()), "a tick from afar")
        with pytest.raises(WireError, match="not answered"):
            client.append_history("gateway:x", [])
        stream.close()
    quotes.close()


def test_nobody_without_the_right_key_gets_an_answer_and_the_others_go_on(layer: DataLayerProcess, tmp_path: Path):
    own = CurveKeys.load(layer.home.root / "etc" / "keys")
    foreign = CurveKeys.generate(tmp_path / "foreign")
    not_admitted = CurveKeys(own.server_public, None, foreign.client_public, foreign.client_secret, frozenset())
    wrong_server = CurveKeys(foreign.server_public, None, own.client_public, own.client_secret, frozenset())
    for keys in (not_admitted, wrong_server):
        with far(layer, keys, timeout_s=0.5) as client, pytest.raises(DeadlineExceeded):
            client.series()
    import zmq

    assert layer.installation.fleet.bus.data_tcp is not None
    with raw_socket(zmq.DEALER) as plain:
        plain.connect(layer.installation.fleet.bus.data_tcp)
        plain.send_multipart([b"12345678", b"hello"])
        assert not plain.poll(300)
    with far(layer) as client:
        assert client.series() == ()


def test_a_further_client_is_admitted_by_its_own_pair(layer: DataLayerProcess):
    folder = CurveKeys.add_client(layer.home.root / "etc" / "keys", "laptop")
    with far(layer, folder, timeout_s=0.5) as client, pytest.raises(DeadlineExceeded):
        client.series()
    layer.stop()
    layer.start()
    with far(layer, folder) as client:
        assert client.series() == ()


GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01"


def test_garbage_at_the_ports_changes_nothing(layer: DataLayerProcess, port: int):
    chance = random.Random(5)
    openings: tuple[Callable[[], bytes], ...] = (
        lambda: chance.randbytes(chance.randrange(1, 2000)),
        lambda: GREETING + b"NULL".ljust(20, b"\0") + bytes(32) + chance.randbytes(200),
        lambda: GREETING + b"CURVE".ljust(20, b"\0") + bytes(32) + chance.randbytes(300),
        lambda: GREETING + b"PLAIN".ljust(20, b"\0") + bytes(32) + b"\x04\xff" + chance.randbytes(100),
        lambda: GREETING[:5],
        lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    process = psutil.Process(layer.pid)
    hanging = [socket.create_connection(("127.0.0.1", port + number % 3)) for number in range(30)]
    with far(layer) as client:
        client.series()
        before = process.memory_info().rss
        for number in range(300):
            with socket.create_connection(("127.0.0.1", port + number % 3)) as peer:
                try:
                    peer.sendall(openings[number % len(openings)]())
                    if number % 5 == 0:
                        peer.shutdown(socket.SHUT_WR)
                except OSError:
                    continue  # it hung up on us
            if number % 50 == 0:
                assert client.series() == ()
        assert client.series() == ()
        assert client.bars(PAIR, "1h")[0].columns[0].size == 0
    assert process.memory_info().rss < before + 30_000_000
    for peer in hanging:
        peer.close()


def test_a_far_subscriber_that_stops_reading_costs_others_nothing_and_learns_what_it_missed(layer: DataLayerProcess):
    with far(layer) as client, DataClient(layer.home) as near:
        lazy, keen = client.stream(), near.stream()
        for stream in (lazy, keen):
            stream.subscribe(tick_topic(PAIR))
            wait_until(partial(hears, stream), "a heartbeat")
        quotes, sent = Quotes(layer), 0
        now_ns = host_now_ns()
        while sent < 120_000:  # more than the queues of both sides and of the kernel hold
            ticks = [Tick(PAIR, now_ns + sent + index, now_ns, 1.1, 1.2) for index in range(1000)]
            quotes.send_all(ticks)
            sent += len(ticks)
            wait_until(partial(has_read, keen, sent), "all quotes")
        assert keen.counters["missed"] == 0
        near.series()
        wait_until(partial(has_read, lazy, sent), "the heartbeat that counts what is missing")
        assert lazy.counters["missed"] > 0
        price = client.last_price(PAIR)
        assert price is not None
        assert price.time_ns == now_ns + sent - 1, "a snapshot heals what it missed"
        for part in (lazy, keen, quotes):
            part.close()


def hears(stream: StreamClient) -> bool:
    """Tell whether a heartbeat came: only then the subscription has arrived."""
    return stream.poll(50) and not stream.drain() and stream.counters["heartbeats"] > 0


def has_read(stream: StreamClient, count: int) -> bool:
    """Tell whether so many messages arrived or are known to be missing."""
    stream.drain()
    return stream.counters["received"] + stream.counters["missed"] >= count


@pytest.fixture
def other_host() -> Iterator[tuple[str, str]]:
    """Give a network namespace that reaches ours by a cable of its own: its name, and our address there."""
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and iproute2")
    name, net = f"atr{os.getpid()}", f"10.213.{os.getpid() % 250}"
    for command in (
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b netns {name}",
        f"ip addr add {net}.1/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} addr add {net}.2/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
    ):
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        if done.returncode:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            pytest.skip(f"{command}: {done.stderr}")
    yield name, f"{net}.1"
    subprocess.run(["ip", "netns", "del", name], check=True)


CLIENT = """
import sys
from data_layer.client import DataAddress, DataClient, LastPrice
with DataClient(DataAddress.of_url(sys.argv[1], sys.argv[2])) as client:
    bars, _, seq = client.bars("EUR/USD", "1h")
    print(len(bars), bars.close.sum(), client.last_price("EUR/USD").bid)
"""


def test_a_worker_in_another_network_uses_the_same_client(tmp_path: Path, port: int, other_host: tuple[str, str]):
    namespace, address = other_host
    keys, url = tmp_path / "etc" / "keys", f"tcp://{address}:{port}"
    CurveKeys.generate(keys)
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("server.public", "client.public", "client.secret"):
        shutil.copy(keys / name, copied / name)
    with DataLayerProcess(tmp_path, {"bus": {"data_tcp": url}}) as layer, DataClient(layer.home) as near:
        near.import_bars(PAIR, "1h", "test", PAST)
        quotes = Quotes(layer)
        price = last_price_of(near, quotes)
        command = ["ip", "netns", "exec", namespace, sys.executable, "-P", "-c", CLIENT, url, str(copied)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        assert told.split() == [str(len(PAST)), str(PAST.close.sum()), str(price.bid)]
        quotes.close()


def test_without_keys_the_port_is_refused_with_the_remedy(tmp_path: Path, port: int):
    layer = DataLayerProcess(tmp_path, {"bus": {"data_tcp": f"tcp://127.0.0.1:{port}"}})
    with pytest.raises(AssertionError, match="atrader-manager keys"):
        layer.start()
    assert layer.wait() == ExitCode.CONFIG
    CurveKeys.generate(tmp_path / "etc" / "keys")
    (tmp_path / "etc" / "keys" / "server.secret").unlink()
    with pytest.raises(AssertionError, match=r"server\.secret.*atrader-manager keys"):
        layer.start()
    assert layer.wait() == ExitCode.CONFIG


def test_a_port_in_use_is_refused_and_named(tmp_path: Path, port: int):
    CurveKeys.generate(tmp_path / "etc" / "keys")
    layer = DataLayerProcess(tmp_path, {"bus": {"data_tcp": f"tcp://127.0.0.1:{port}"}})
    with socket.create_server(("127.0.0.1", port + 1)):
        with pytest.raises(AssertionError, match=str(port + 1)):
            layer.start()
        assert layer.wait() == ExitCode.CONFIG
