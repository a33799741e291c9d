"""The two streams: lines in chunks, heartbeats, sampled prices, and what may go wrong with each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from tests.oanda_simulator.account import Account
from tests.oanda_simulator.clock import Timer, VenueClock
from tests.oanda_simulator.faults import Fault
from tests.oanda_simulator.http_server import Connection, chunk
from tests.oanda_simulator.market import Market, Quote
from tests.oanda_simulator.rest_pricing import home_conversions, price_fields
from tests.oanda_simulator.values import NS_PER_S, Fields, dumps

HEARTBEAT_S: Final = 5.0
WINDOW_S: Final = 0.25
_LARGEST_BACKLOG: Final = 8 << 20


class LineStream:
    """One client's stream: sends objects as lines, one chunk each unless a fault says otherwise."""

    def __init__(
        self,
        kind: str,
        account: Account,
        connection: Connection,
        in_unix: bool,
        extra: Fields,
        draw: Callable[[str], Fault | None],
    ) -> None:
        self.kind = kind
        self.account = account
        self.clock: VenueClock = account.clock
        self._connection = connection
        self._in_unix = in_unix
        self._extra = extra
        self._faults: deque[Fault] = deque()
        self._draw = draw
        self._held: bytes | None = None
        self._behind: list[bytes] | None = None  # what waits until the second half of a line is out
        self._stalled = False
        self._timer: Timer | None = None
        self._ends: list[Callable[[], None]] = []

    def on_end(self, action: Callable[[], None]) -> None:
        """Call a function when the stream is over."""
        self._ends.append(action)

    def start_heartbeats(self) -> None:
        """Send a heartbeat every five seconds from now on."""
        self._timer = self.clock.after(HEARTBEAT_S, self._beat)

    def _beat(self) -> None:
        self._write(self._line(self.heartbeat()))
        self.start_heartbeats()

    def heartbeat(self) -> Fields:
        """Return a heartbeat."""
        beat: Fields = {"type": "HEARTBEAT", "time": self.clock.now()}
        if self.kind == "transactions":
            beat["lastTransactionID"] = str(self.account.log.last_id)
        return beat

    def _line(self, fields: Fields) -> bytes:
        return dumps({**fields, **self._extra}, self._in_unix) + b"\n"

    def inject(self, fault: Fault) -> None:
        """Let something go wrong, now or with the next line."""
        if fault.kind == "stall":
            self._stalled = True
        elif fault.kind == "reset":
            self._connection.reset()
        elif fault.kind == "close":
            self._write(b"")
            self._connection.writer.close()
        elif fault.kind == "garbage":
            self._write(b'{"type":"PRICE","time":\n')
        else:
            self._faults.append(fault)

    def send(self, fields: Fields) -> None:
        """Send one object."""
        line = self._line(fields)
        if chance := self._draw(self.kind):
            self.inject(chance)
        if not self._faults:
            self._write(line)
            if self._held:
                self._write(self._held)
                self._held = None
            return
        self._send_wrong(line, self._faults.popleft())

    def _send_wrong(self, line: bytes, fault: Fault) -> None:
        half = len(line) // 2
        if fault.kind == "cut":
            self._connection.write(chunk(line[:half])[:-2])
            self._connection.writer.close()
        elif fault.kind == "split":
            self._write(line[:half])
            self._behind = [line[half:]]
            asyncio.get_running_loop().call_later(fault.delay_s, self._catch_up)
        elif fault.kind == "glue":
            self._write(line + self._line(self.heartbeat()))
        elif fault.kind == "duplicate":
            self._write(line)
            self._write(line)
        elif fault.kind == "swap":
            self._held = line
        elif fault.kind == "delay":
            self._later(fault.delay_s, line)

    def _catch_up(self) -> None:
        waiting, self._behind = self._behind or [], None
        for data in waiting:
            self._write(data)

    def _later(self, delay_s: float, data: bytes) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._write, data)

    def _write(self, data: bytes) -> None:
        if self._stalled:
            return
        if self._behind is not None:
            self._behind.append(data)
            return
        if self._connection.writer.transport.get_write_buffer_size() > _LARGEST_BACKLOG:
            self._connection.reset()  # nobody reads: the venue does not keep its past for ever
            return
        self._connection.write(chunk(data))

    async def until_gone(self) -> None:
        """Serve until the client or a fault ends the stream."""
        try:
            await self._connection.gone()
        finally:
            if self._timer:
                self._timer.cancel()
            for end in self._ends:
                end()


def follow_transactions(stream: LineStream) -> None:
    """Send every transaction of the account from now on."""
    stream.on_end(stream.account.log.listen(stream.send))


class PriceSampler:
    """Sends prices of some instruments, at most one for each in a window of 250 ms that begins with the stream.

    Only the price at the end of a window is sent. A window of zero seconds sends every price.
    """

    def __init__(self, stream: LineStream, market: Market, names: Sequence[str], window_s: float, homes: bool) -> None:
        self._stream = stream
        self._names = frozenset(names)
        self._window_ns = int(window_s * NS_PER_S)
        self._begin_ns = stream.clock.now()
        self._homes = homes
        self._waiting: dict[str, Quote] = {}
        self._timer: Timer | None = None
        stream.on_end(market.listen(self._on_quote))
        stream.on_end(self._stop)

    def snapshot(self, market: Market, names: Sequence[str]) -> None:
        """Send the present price of each instrument."""
        for name in names:
            if quote := market.get(name):
                self._send(quote)

    def _send(self, quote: Quote) -> None:
        fields = price_fields(self._stream.account, quote, with_units=False)
        if self._homes:
            fields["homeConversions"] = home_conversions(self._stream.account, [quote.instrument])
        self._stream.send(fields)

    def _on_quote(self, quote: Quote) -> None:
        if quote.instrument not in self._names:
            return
        if not self._window_ns:
            self._send(quote)
            return
        self._waiting[quote.instrument] = quote
        if self._timer is None:
            now = self._stream.clock.now()
            passed = (now - self._begin_ns) % self._window_ns
            self._timer = self._stream.clock.after((self._window_ns - passed) / NS_PER_S, self._end_window)

    def _end_window(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, {}
        for quote in waiting.values():
            self._send(quote)

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
