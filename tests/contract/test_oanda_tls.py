"""The transport of the OANDA adapter over TLS: straight to the broker, and through the tunnel of a proxy."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from atrader.clock import SystemClock
from atrader.configuration.oanda import OandaSettings
from atrader.errors import BrokerUnavailable
from broker_api.oanda import transport as transport_module
from broker_api.oanda.transport import HttpTransport

PEM = Path(__file__).parents[1] / "support" / "broker_test.pem"  # of broker.test and 127.0.0.1, until 2120


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OANDA_TEST", "secret-1")
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    transport_module._certificates.cache_clear()
    yield
    transport_module._certificates.cache_clear()


def settings(url: str) -> OandaSettings:
    values = {"account_id": "1-2-3-4", "token": "env:OANDA_TEST", "rest_url": url, "stream_url": url}
    return OandaSettings.model_validate({"read_timeout": "10s", "new_connections_per_s": 1000, **values})


class Broker:
    """Answers over TLS, straight or behind ``CONNECT``."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self._certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._certificates.load_cert_chain(PEM)
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, *, tunnel: int = 0) -> AsyncIterator[int]:
        """Listen; with ``tunnel``, the status of the answer to ``CONNECT``, as a proxy."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._serving.add(task)
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):  # the client went away
                await self._serve(reader, writer, tunnel)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

        certificates = None if tunnel else self._certificates
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=certificates)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await server.wait_closed()
            if self._serving:
                await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tunnel: int) -> None:
        if tunnel:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 %d Whatever\r\n\r\n" % tunnel)
            if tunnel != 200:
                return
            await writer.start_tls(self._certificates)
        while True:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.heads[-1].startswith("POST"):
                assert await reader.readexactly(2) == b"{}"
            if "/stream" in self.heads[-1]:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\n\n\r\n")
                await reader.read()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def test_requests_and_streams_go_over_tls_and_a_connection_is_kept() -> None:
    async def play() -> None:
        broker = Broker()
        async with broker.listening() as port:
            transport = HttpTransport(settings(f"https://127.0.0.1:{port}"), SystemClock())
            for _ in range(2):
                assert (await transport.request("POST", "/v3/x", body=b"{}")).data == b"{}"
            async with transport.stream("/v3/stream", silence_s=lambda: 10.0) as lines:
                assert not isinstance(lines, tuple)
                assert await anext(lines) == [b"{}"]
            await transport.close()
        assert [head.partition(" HTTP")[0] for head in broker.heads] == ["POST /v3/x"] * 2 + ["GET /v3/stream"]

    asyncio.run(play())


def test_a_host_with_the_certificate_of_another_gets_nothing() -> None:
    async def play() -> None:
        broker = Broker()
        async with broker.listening() as port:
            transport = HttpTransport(settings(f"https://localhost:{port}"), SystemClock())
            with pytest.raises(BrokerUnavailable, match=r"CERTIFICATE_VERIFY_FAILED.*nothing was sent"):
                await transport.request("POST", "/v3/x", body=b"{}")
            await transport.close()
        assert broker.heads == []

    asyncio.run(play())


def test_a_proxy_is_asked_for_a_tunnel_with_its_password_and_never_sees_the_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> None:
        proxy = Broker()
        async with proxy.listening(tunnel=200) as port:
            monkeypatch.setenv("https_proxy", f"http://user:pass%21@127.0.0.1:{port}")
            transport = HttpTransport(settings("https://broker.test"), SystemClock())
            for _ in range(2):
                assert (await transport.request("POST", "/v3/x", body=b"{}")).status == 200
            await transport.close()
        tunnel, *inside = proxy.heads
        assert tunnel.startswith("CONNECT broker.test:443 HTTP/1.1\r\n")
        assert base64.b64encode(b"user:pass!").decode() in tunnel
        assert "secret-1" not in tunnel
        assert [head.partition(" HTTP")[0] for head in inside] == ["POST /v3/x"] * 2

    asyncio.run(play())


def test_a_proxy_that_refuses_leaves_an_order_certainly_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        proxy = Broker()
        async with proxy.listening(tunnel=407) as port:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            transport = HttpTransport(settings("https://broker.test"), SystemClock())
            with pytest.raises(BrokerUnavailable, match=r"refuses: status 407; nothing was sent"):
                await transport.request("POST", "/v3/x", body=b"{}")
            await transport.close()

    asyncio.run(play())
