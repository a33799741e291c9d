"""The transport of the OANDA adapter over real sockets: what it sends again, what it never does, and how it fails."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from atrader.clock import SystemClock
from atrader.configuration.oanda import OandaSettings
from atrader.errors import BrokerUnavailable, ConfigError, DeadlineExceeded, UnknownOutcome
from broker_api.oanda.transport import Answer, HttpTransport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ORDER = b'{"order":{}}'


def settings(port: int, **more: Any) -> OandaSettings:
    url = f"http://127.0.0.1:{port}"
    values = {"account_id": "1-2-3-4", "token": "env:OANDA_TEST", "rest_url": url, "stream_url": url, **more}
    return OandaSettings.model_validate({"read_timeout": "300ms", "new_connections_per_s": 1000, **values})


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OANDA_TEST", "secret-1")


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    serving: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # the client went away
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        if serving:
            await asyncio.wait(serving)


@contextlib.asynccontextmanager
async def served(serve: Serve, **more: Any) -> AsyncIterator[HttpTransport]:
    async with listening(serve) as port:
        transport = HttpTransport(settings(port, **more), SystemClock())
        try:
            yield transport
        finally:
            await transport.close()


async def request_of(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:")), 0)
    return head, await reader.readexactly(length)


def test_a_request_carries_token_time_format_and_the_id_of_the_intent() -> None:
    async def play() -> None:
        seen: list[tuple[str, bytes]] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await request_of(reader))
            writer.write(b"HTTP/1.1 201 Created\r\nRequestID: 42\r\nContent-Length: 2\r\n\r\n{}")
            writer.close()

        async with served(serve) as transport:
            answer = await transport.request("POST", "/v3/x", {"a": 1}, ORDER, request_id="a000007w1")
        assert answer.status == 201
        assert answer.headers["requestid"] == "42"
        head, body = seen[0]
        assert head.startswith("POST /v3/x?a=1 HTTP/1.1\r\n")
        for line in ("Authorization: Bearer secret-1", "Accept-Datetime-Format: RFC3339", "ClientRequestID: a000007w1"):
            assert line.lower() in head.lower()
        assert body == ORDER

    asyncio.run(play())


@pytest.mark.parametrize(("bypass", "heads"), [("", 1), ("oanda.com", 0)])
def test_the_proxy_of_the_environment_is_the_way_to_a_broker_unless_it_is_excepted(
    monkeypatch: pytest.MonkeyPatch, bypass: str, heads: int
) -> None:
    async def play() -> None:
        seen: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((await request_of(reader))[0])
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

        async with listening(serve) as port:
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
            monkeypatch.setenv("no_proxy", bypass)
            there = OandaSettings.model_validate({"account_id": "1-2-3-4", "token": "env:OANDA_TEST"})
            transport = HttpTransport(there.model_copy(update={"connect_timeout": 0.2}), SystemClock())
            with pytest.raises((BrokerUnavailable, DeadlineExceeded)):
                await transport.request("GET", "/v3/x")
            await transport.close()
        assert len(seen) == heads
        assert all(head.startswith("CONNECT api-fxpractice.oanda.com:443 ") for head in seen)

    asyncio.run(play())


def test_a_compressed_answer_is_read() -> None:
    async def play() -> None:
        seen: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((await request_of(reader))[0])
            data = gzip.compress(b'{"candles":[]}')
            head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(data)}\r\n\r\n"
            writer.write(head.encode() + data)

        async with served(serve) as transport:
            answer = await transport.request("GET", "/v3/x")
        assert answer.data == b'{"candles":[]}'
        assert "accept-encoding: gzip" in seen[0].lower()

    asyncio.run(play())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_there_is_certainly_not_sent(method: str) -> None:
    async def play() -> None:
        async with served(_refuse) as transport:
            pass
        with pytest.raises(BrokerUnavailable, match="nothing was sent"):
            await transport_to_nobody().request(method, "/v3/x", body=ORDER if method == "POST" else None)
        await transport.close()

    asyncio.run(play())


def test_a_time_out_is_unknown_for_what_acts_and_late_for_what_reads() -> None:
    async def play() -> None:
        count = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            await request_of(reader)
            count += 1
            await reader.read()  # until the client goes away
            writer.close()

        async with served(serve) as transport:
            with pytest.raises(UnknownOutcome):
                await transport.request("POST", "/v3/x", body=ORDER)
            with pytest.raises(DeadlineExceeded):
                await transport.request("GET", "/v3/x")
        assert count == 2  # nothing was sent again

    asyncio.run(play())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"no http at all\r\n\r\n"])
def test_a_broken_answer_is_unknown_for_what_acts_and_never_sent_again(answer: bytes) -> None:
    async def play() -> None:
        count = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            await request_of(reader)
            count += 1
            writer.write(answer)
            writer.close()

        async with served(serve) as transport:
            for body in (ORDER, None):
                with pytest.raises(UnknownOutcome):
                    await transport.request("PUT", "/v3/x", body=body)
        assert count == 2

    asyncio.run(play())


def test_a_kept_connection_that_the_broker_closed_costs_no_order() -> None:
    async def play() -> None:
        bodies: list[bytes] = []
        closed = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            bodies.append((await request_of(reader))[1])
            writer.write(OK)  # without "Connection: close": the client keeps the connection
            await writer.drain()
            writer.close()
            closed.set()

        async with served(serve) as transport:
            for number in range(5):
                assert (await transport.request("POST", "/v3/x", body=b"%d" % number)).status == 200
                await closed.wait()
                closed.clear()
        assert bodies == [b"0", b"1", b"2", b"3", b"4"]

    asyncio.run(play())


def test_reading_goes_on_over_a_kept_connection_that_breaks_under_it() -> None:
    async def play() -> None:
        served_on_first = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal served_on_first
            await request_of(reader)
            writer.write(OK)
            if not served_on_first:
                served_on_first = 1
                await request_of(reader)  # and no answer
            writer.close()

        async with served(serve) as transport:
            assert (await transport.request("GET", "/v3/x")).status == 200
            assert (await transport.request("GET", "/v3/x")).status == 200

    asyncio.run(play())


def test_new_connections_begin_no_faster_than_allowed() -> None:
    async def play() -> None:
        clock, begun = SystemClock(), []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            begun.append(clock.monotonic_s())
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            writer.close()

        async with served(serve, new_connections_per_s=10, connect_timeout="5s") as transport:
            for _ in range(14):
                await transport.request("GET", "/v3/x")
        assert begun[10] - begun[0] >= 0.95

    asyncio.run(play())


def test_a_token_is_kept_until_it_is_refused_and_then_fetched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head, _ = await request_of(reader)
            status = b"200 OK" if "Bearer secret-2" in head else b"401 Unauthorized"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}" % status)
            writer.close()

        async with served(serve) as transport:
            assert (await transport.request("GET", "/v3/x")).status == 401
            monkeypatch.setenv("OANDA_TEST", "secret-2")
            assert (await transport.request("GET", "/v3/x")).status == 200
            monkeypatch.delenv("OANDA_TEST")
            assert (await transport.request("GET", "/v3/x")).status == 200

    asyncio.run(play())


def test_a_token_that_no_header_can_carry_is_not_shown_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        monkeypatch.setenv("OANDA_TEST", "sekrit\n")
        async with served(_refuse) as transport:
            with pytest.raises(ConfigError) as caught:
                await transport.request("GET", "/v3/x")
        assert "sekrit" not in str(caught.value)

    asyncio.run(play())


def test_lines_come_whole_however_the_chunks_are_cut_and_the_end_is_an_error() -> None:
    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for part in (b'{"a":', b"1}\n{", b'"b":2}\n\n \n{"c":3}\n{"cut', b' short"'):
                writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            writer.close()

        lines: list[bytes] = []
        async with served(serve) as transport:
            with pytest.raises(BrokerUnavailable, match="ended"):
                await read_all(transport, 5.0, lines)
        assert lines == [b'{"a":1}', b'{"b":2}', b'{"c":3}']

    asyncio.run(play())


def test_a_stream_without_whole_lines_is_dead_even_if_bytes_come() -> None:
    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not reader.at_eof():
                writer.write(b"1\r\n.\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)

        async with served(serve) as transport:
            with pytest.raises(BrokerUnavailable, match=r"silent for 0\.1 s"):
                await read_all(transport, 0.1, [])

    asyncio.run(play())


def test_a_stream_is_silent_from_its_last_line_on_and_who_is_cancelled_meanwhile_is_cancelled() -> None:
    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request_of(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(50):  # longer than the silence that is allowed, but never silent for so long
                writer.write(b"2\r\n1\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
            await reader.read()

        lines: list[bytes] = []
        async with served(serve) as transport:
            with pytest.raises(BrokerUnavailable, match=r"silent for 0\.9 s"):
                await read_all(transport, 0.9, lines)
            assert len(lines) == 50
            reading = asyncio.ensure_future(read_all(transport, 60.0, lines))
            while len(lines) == 50:
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.wait((reading,), timeout=60.0)
            assert reading.cancelled()

    asyncio.run(play())


def test_a_refused_stream_gives_the_answer() -> None:
    async def play() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await request_of(reader)
            writer.write(b"HTTP/1.1 503 Down\r\nContent-Length: 4\r\n\r\nwork")
            writer.close()

        async with served(serve) as transport, transport.stream("/v3/s", silence_s=lambda: 1.0) as opened:
            assert isinstance(opened, Answer)
            assert (opened.status, opened.data) == (503, b"work")

    asyncio.run(play())


async def read_all(transport: HttpTransport, silence_s: float, lines: list[bytes]) -> None:
    async with transport.stream("/v3/s", silence_s=lambda: silence_s) as opened:
        assert not isinstance(opened, Answer)
        async for whole in opened:
            lines += whole


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def transport_to_nobody() -> HttpTransport:
    return HttpTransport(settings(1), SystemClock())
