"""OANDA in a process of its own: the simulator answers requests, and bare sockets stream prices as fast as is wanted.

The streams of the simulator think about each price; these do not, so what is measured is what reads them. Run by path
with the numbers of lines and of lines a second (0: as fast as they are read). It prints one line of JSON, begins to
stream at a line on its standard input, prints another one after each tenth that is sent, and is killed then.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from atrader.clock import host_now_ns
from tests.oanda_simulator import HEDGING_ACCOUNT, AccountSettings, Limits, OandaSimulator

NAMES = ("EUR_USD", "GBP_USD", "USD_JPY", "EUR_JPY", "AUD_USD")
_BEAT = b'{"type":"HEARTBEAT","time":"%s","lastTransactionID":"1"}'
_LINE = (
    b'{"type":"PRICE","time":"%s","bids":[{"price":"%.5f","liquidity":10000000}],'
    b'"asks":[{"price":"%.5f","liquidity":10000000}],"closeoutBid":"%.5f","closeoutAsk":"%.5f",'
    b'"status":"tradeable","tradeable":true,"instrument":"%s"}'
)
_HEARTBEAT_S = 1.0
_AT_ONCE = 20  # lines of a write at full speed
_WRITES_PER_S = 500.0  # at the most, at any other


def stamp(time_ns: int) -> bytes:
    """Write a time as OANDA does."""
    seconds, fraction = divmod(time_ns, 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode() + b".%09dZ" % fraction


def price_line(name: bytes, number: int) -> bytes:
    """Return a price that differs from the one before."""
    bid = 1.1 + number % 1000 * 1e-5
    return _LINE % (stamp(host_now_ns()), bid, bid + 1e-4, bid - 1e-4, bid + 2e-4, name)


def chunk(data: bytes) -> bytes:
    """Return a chunk of a chunked answer."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Streams:
    """The stream host."""

    def __init__(self, lines: int, per_second: float) -> None:
        self._lines, self._per_second = lines, per_second
        self.begin = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            if b"/pricing/stream" in head:
                query = head.partition(b"instruments=")[2].partition(b" ")[0].partition(b"&")[0]
                names = query.replace(b"%2C", b",").split(b",")
                for name in names:
                    writer.write(chunk(price_line(name, 0) + b"\n"))
                beats = asyncio.ensure_future(self._beat(writer))
                await self.begin.wait()
                beats.cancel()
                await self._send(writer, names)
            await self._beat(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway ended
        finally:
            writer.close()

    async def _beat(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(chunk(_BEAT % stamp(host_now_ns()) + b"\n"))
            await writer.drain()
            await asyncio.sleep(_HEARTBEAT_S)

    async def _send(self, writer: asyncio.StreamWriter, names: list[bytes]) -> None:
        due_s = time.monotonic()
        at_once = max(1, round(self._per_second / _WRITES_PER_S)) if self._per_second else _AT_ONCE
        number = told = 0
        while number < self._lines:
            while told < 9 and number >= self._lines * (told + 1) // 10:
                told += 1
                print("a tenth is sent", flush=True)
            for _ in range(at_once):
                number += 1
                writer.write(chunk(price_line(names[number % len(names)], number) + b"\n"))
            await writer.drain()
            if self._per_second:
                due_s += at_once / self._per_second
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        print("a tenth is sent\n" * (9 - told) + "all is sent", flush=True)


async def main(lines: int, per_second: float) -> None:
    streams = Streams(lines, per_second)
    server = await asyncio.start_server(streams.serve, "127.0.0.1", 0)
    account = AccountSettings(HEDGING_ACCOUNT, hedging=True)
    async with OandaSimulator([account], limits=Limits.loose()) as simulator:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        told = {"rest_url": simulator.rest_url, "stream_url": url, "token": simulator.token}
        print(json.dumps(told | {"account_id": HEDGING_ACCOUNT}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        streams.begin.set()
        await server.serve_forever()


class Venue(NamedTuple):
    """A running venue."""

    process: subprocess.Popen[str]
    told: dict[str, str]

    def begin(self) -> None:
        """Let the prices come."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def wait_tenth(self) -> None:
        """Wait until one more tenth of the prices is sent; not more than the sockets hold is unread."""
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def wait_sent(self) -> None:
        """Wait until the rest is sent as well."""
        assert self.process.stdout is not None
        while self.process.stdout.readline() != "all is sent\n":
            pass

    def account_file(self) -> str:
        """Return etc/accounts/oanda.toml."""
        told = self.told
        return (
            f"broker = 'oanda'\n[oanda]\naccount_id = '{told['account_id']}'\ntoken = 'env:OANDA_TOKEN'\n"
            f"rest_url = '{told['rest_url']}'\nstream_url = '{told['stream_url']}'\n"
        )


@contextmanager
def venue(lines: int, per_second: float) -> Iterator[Venue]:
    """Run a venue that streams so many lines."""
    command = [sys.executable, "-P", __file__, str(lines), str(per_second)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Venue(process, json.loads(process.stdout.readline()))
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
