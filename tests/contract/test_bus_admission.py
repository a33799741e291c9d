"""Endpoints and keys: who may talk to whom, and what is refused before anything is opened."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from atrader.bus import (
    BeatSender,
    BeatServer,
    CallClient,
    Caller,
    CallServer,
    CurveKeys,
    Endpoint,
    StreamClient,
    StreamServer,
)
from atrader.errors import ConfigError, DeadlineExceeded
from tests.support.bus import Echo, EchoAnswer, raw_socket

pytestmark = pytest.mark.usefixtures("closed_context")


@pytest.fixture
def keys(tmp_path: Path) -> CurveKeys:
    return CurveKeys.generate(tmp_path / "keys")


def echo(request: Echo, _: Caller) -> EchoAnswer:
    return EchoAnswer(text=request.text)


@pytest.mark.parametrize(
    "text",
    [
        "ipc:///run/atrader/data.sock",
        "tcp://127.0.0.1:5555",
        "tcp://data.example.org:1",
        "tcp://[::1]:5555",
        "tcp://*:0",
    ],
)
def test_a_good_endpoint_is_taken_as_it_is(text: str):
    endpoint = Endpoint.parse(text)
    assert str(endpoint) == text
    assert Endpoint.parse(endpoint) is endpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ipc://",
        "ipc://relative/path",
        "ipc:///run/",
        "ipc:///a\0b",
        "ipc://*",
        "tcp://",
        "tcp://host",
        "tcp://:5555",
        "tcp://host:70000",
        "tcp://host:x",
        "tcp://user@host:1",
        "tcp://host:1/path",
        "inproc://x",
        "pgm://x",
        "http://x:1",
        "/run/x",
    ],
)
def test_a_bad_endpoint_is_a_configuration_error(text: str):
    with pytest.raises(ConfigError, match="endpoint"):
        Endpoint.parse(text)


def test_a_path_too_long_for_the_kernel_is_refused_with_the_remedy():
    assert Endpoint.parse("ipc:///" + "x" * 106).path == Path("/" + "x" * 106)
    with pytest.raises(ConfigError, match=r"108 bytes.*107.*shorter run directory"):
        Endpoint.parse("ipc:///" + "x" * 107)
    with pytest.raises(ConfigError, match="bytes"):
        Endpoint.parse("ipc:///" + "é" * 54)


@pytest.mark.parametrize(
    "make",
    [
        lambda address: CallServer(address, {}),
        CallClient,
        StreamServer,
        StreamClient,
        lambda address: BeatServer(address, print),
        lambda address: BeatSender(address, "w"),
    ],
)
def test_tcp_without_keys_is_refused_by_everything(make):
    with pytest.raises(ConfigError, match="atrader-manager keys"):
        make("tcp://127.0.0.1:0")


def test_a_host_without_the_servers_secret_can_connect_but_not_serve(keys: CurveKeys, tmp_path: Path):
    (tmp_path / "keys" / "server.secret").unlink()
    client_only = CurveKeys.load(tmp_path / "keys")
    with pytest.raises(ConfigError, match="needs CURVE keys"):
        StreamServer("tcp://127.0.0.1:0", curve=client_only)
    StreamClient("tcp://127.0.0.1:1", curve=client_only).close()


def test_generated_keys_are_files_only_their_owner_reads_and_come_back_by_loading(keys: CurveKeys, tmp_path: Path):
    directory = tmp_path / "keys"
    assert CurveKeys.load(directory) == keys
    assert sorted(path.name for path in directory.iterdir()) == [
        "client.public",
        "client.secret",
        "server.public",
        "server.secret",
    ]
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert keys.admitted == {keys.client_public}


def test_secrets_do_not_show_in_a_log(keys: CurveKeys):
    assert keys.server_secret
    assert keys.server_secret not in repr(keys)
    assert keys.client_secret not in repr(keys)


def test_existing_keys_are_never_overwritten(keys: CurveKeys, tmp_path: Path):
    with pytest.raises(ConfigError, match="has keys already"):
        CurveKeys.generate(tmp_path / "keys")
    assert CurveKeys.load(tmp_path / "keys") == keys


@pytest.mark.parametrize("name", ["server.public", "server.secret", "client.public", "client.secret"])
def test_a_key_that_others_may_read_is_refused_with_file_mode_and_remedy(keys: CurveKeys, tmp_path: Path, name: str):
    path = tmp_path / "keys" / name
    path.chmod(0o640)
    with pytest.raises(ConfigError, match=rf"{name}: mode is 0640, must be 0600; run: chmod 600"):
        CurveKeys.load(tmp_path / "keys")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40, b"~" * 40, b"0" * 41])
def test_a_malformed_key_is_refused_by_name(keys: CurveKeys, tmp_path: Path, content: bytes):
    (tmp_path / "keys" / "client.secret").write_bytes(content)
    with pytest.raises(ConfigError, match=r"client\.secret"):
        CurveKeys.load(tmp_path / "keys")


def test_a_missing_key_is_refused_by_name(keys: CurveKeys, tmp_path: Path):
    (tmp_path / "keys" / "server.public").unlink()
    with pytest.raises(ConfigError, match=r"server\.public: no such key"):
        CurveKeys.load(tmp_path / "keys")


async def is_answered(server: CallServer, keys: CurveKeys, timeout_s: float) -> bool:
    client = CallClient(server.endpoint, curve=keys)
    try:
        return bool((await client.call(Echo(text="x"), timeout_s)).text == "x")
    except DeadlineExceeded:
        return False
    finally:
        await client.close()


def test_our_client_is_admitted_and_a_stranger_or_an_impostor_of_the_server_is_not(keys: CurveKeys, tmp_path: Path):
    other = CurveKeys.generate(tmp_path / "other")

    async def scene() -> None:
        server = CallServer("tcp://127.0.0.1:0", {Echo: echo}, curve=keys)
        await server.start()
        stranger = replace(keys, client_public=other.client_public, client_secret=other.client_secret)
        assert not await is_answered(server, stranger, 0.5)
        assert not await is_answered(server, replace(keys, server_public=other.server_public), 0.5)
        assert server.counters["received"] == 0
        assert await is_answered(server, keys, 10)
        await server.close()

    asyncio.run(scene())


def test_a_second_client_is_admitted_by_putting_its_public_key_beside(keys: CurveKeys, tmp_path: Path):
    other = CurveKeys.generate(tmp_path / "other")
    friend = tmp_path / "keys" / "client-desk.public"
    friend.write_text(other.client_public + "\n")
    friend.chmod(0o600)
    server_keys = CurveKeys.load(tmp_path / "keys")
    assert server_keys.admitted == {keys.client_public, other.client_public}

    async def scene() -> None:
        server = CallServer("tcp://127.0.0.1:0", {Echo: echo}, curve=server_keys)
        await server.start()
        theirs = replace(keys, client_public=other.client_public, client_secret=other.client_secret)
        assert await is_answered(server, theirs, 10)
        await server.close()

    asyncio.run(scene())


def test_plaintext_and_noise_on_a_tcp_port_are_refused_and_do_no_harm(keys: CurveKeys):
    async def scene() -> None:
        server = CallServer("tcp://127.0.0.1:0", {Echo: echo}, curve=keys)
        await server.start()
        with raw_socket(zmq.DEALER) as plain:
            plain.connect(str(server.endpoint))
            plain.send_multipart([b"12345678", b"hello"])
            _, writer = await asyncio.open_connection("127.0.0.1", int(str(server.endpoint).rpartition(":")[2]))
            writer.write(os.urandom(10_000))
            await asyncio.sleep(0)
            assert await is_answered(server, keys, 10)
            assert not plain.poll(300)
            writer.close()
        assert server.counters["received"] == 1
        await server.close()

    asyncio.run(scene())


def test_two_servers_of_one_process_admit_each_their_own_clients(keys: CurveKeys, tmp_path: Path):
    other = CurveKeys.generate(tmp_path / "other")

    async def scene() -> None:
        first = CallServer("tcp://127.0.0.1:0", {Echo: echo}, curve=keys)
        second = CallServer("tcp://127.0.0.1:0", {Echo: echo}, curve=other)
        await first.start()
        await second.start()
        assert await is_answered(first, keys, 10)
        await first.close()
        assert await is_answered(second, other, 10)
        trespasser = replace(other, client_public=keys.client_public, client_secret=keys.client_secret)
        assert not await is_answered(second, trespasser, 0.5)
        await second.close()

    asyncio.run(scene())


def test_a_socket_file_is_for_its_owner_only_and_its_directory_must_exist(tmp_path: Path):
    server = StreamServer(f"ipc://{tmp_path}/s")
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    server.close()
    with pytest.raises(ConfigError, match="does not exist"):
        StreamServer(f"ipc://{tmp_path}/none/s")


def test_a_file_that_is_no_socket_is_never_replaced(tmp_path: Path):
    precious = tmp_path / "ledger"
    precious.write_text("money")
    with pytest.raises(ConfigError, match="is no socket"):
        StreamServer(f"ipc://{precious}")
    assert precious.read_text() == "money"


def test_an_address_of_another_host_cannot_be_bound(keys: CurveKeys):
    with pytest.raises(ConfigError, match="cannot bind"):
        StreamServer("tcp://192.0.2.1:0", curve=keys)
