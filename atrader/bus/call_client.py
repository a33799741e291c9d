"""The asking side of calls: many in flight from asyncio, or one at a time from a plain loop.

Both work across any death of the server: requests queue until their deadline while it is away, an answer that comes
too late is dropped by its id, and no state has to be set up again.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import zmq

from atrader.bus.call_server import ID_BYTES
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.pump import Pump
from atrader.bus.sockets import Socket, SocketOptions, as_buffers, client_socket
from atrader.clock import NS_PER_S, Clock, SystemClock
from atrader.errors import AtraderError, DeadlineExceeded, Retryable, UnknownOutcome
from atrader.wire import Request, pack_request, unpack_answer

Frames = Sequence[Any]


class _Client:
    """What both clients share: numbering, packing, and the errors of silence."""

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        curve: CurveKeys | None = None,
        options: SocketOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.endpoint = Endpoint.parse(endpoint)
        self.endpoint.require_keys(curve is not None)
        self.counters: Counter[str] = Counter()
        self._curve = curve
        self._options = options or SocketOptions()
        self._clock = clock or SystemClock()
        # A random start: ids of a client before its restart are none of ours.
        self._ids = itertools.count(secrets.randbits(56))

    def _connect(self) -> Socket:
        return client_socket(zmq.DEALER, self.endpoint, self._curve, self._options)

    def _message(self, request: Request, timeout_s: float, frames: Frames) -> list[Any]:
        payload = pack_request(request, self._clock.now_ns() + int(timeout_s * NS_PER_S))
        return [next(self._ids).to_bytes(ID_BYTES, "big"), payload, *as_buffers(frames)]

    def _queue_is_full(self, request: Request) -> Retryable:
        self.counters["refused"] += 1
        return Retryable(f"{request.kind}: nobody takes requests at {self.endpoint} and the queue is full; not sent")

    def _silence(self, request: Request, why: str) -> AtraderError:
        kind = UnknownOutcome if request.acts else DeadlineExceeded
        return kind(f"{request.kind}: {why} from {self.endpoint}", details={"kind": request.kind})


_Parts: TypeAlias = tuple[memoryview, list[memoryview]]
"""Payload of an answer and its raw frames."""


def _split(frames: list[zmq.Frame]) -> tuple[bytes, memoryview, list[memoryview]] | None:
    if len(frames) < 2 or len(frames[0]) != ID_BYTES:
        return None
    return frames[0].bytes, frames[1].buffer, [frame.buffer for frame in frames[2:]]


class CallClient(_Client):
    """Calls a server from asyncio; any number of calls may be in flight.

    The socket is made by the first call and belongs to the loop of that call.

    Parameters
    ----------
    endpoint : Endpoint or str
        Of the server; it need not be there yet.
    curve : CurveKeys, optional
        Needed for tcp.

    Attributes
    ----------
    counters : Counter of str
        ``sent answered timeouts dropped_late malformed refused``.
    """

    _socket: Socket | None = None
    _pump: Pump | None = None

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        curve: CurveKeys | None = None,
        options: SocketOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(endpoint, curve=curve, options=options, clock=clock)
        self._waiting: dict[bytes, tuple[asyncio.Future[tuple[memoryview, list[memoryview]]], Request]] = {}

    async def call(self, request: Request, timeout_s: float) -> Any:
        """Ask, and wait for the answer.

        Parameters
        ----------
        request : Request
            What is asked.
        timeout_s : float
            How long to wait, seconds; the server does not begin the work after that.

        Returns
        -------
        Answer
            An instance of ``request.answer``.

        Raises
        ------
        DeadlineExceeded
            When no answer came in time to a request that only reads.
        UnknownOutcome
            The same for a request that `acts`: look it up before doing anything.
        Retryable
            When the request was not sent, as the queue to an absent server is full.
        AtraderError
            Whatever the handler raised.
        WireError
            When request or answer have no form on the wire, or a frame is no contiguous buffer.
        """
        return (await self.call_frames(request, timeout_s))[0]

    async def call_frames(
        self, request: Request, timeout_s: float, frames: Frames = ()
    ) -> tuple[Any, list[memoryview]]:
        """Ask with raw frames (contiguous buffers, sent without copying), and return those of the answer beside it.

        Raises as `call` does.
        """
        message = self._message(request, timeout_s, frames)
        pump = self._open()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[memoryview, list[memoryview]]] = loop.create_future()
        self._waiting[message[0]] = answer, request
        timer = loop.call_later(timeout_s, self._give_up, answer, request, timeout_s)
        try:
            pump.send(message)
            self.counters["sent"] += 1
            payload, extra = await answer
        except zmq.Again:
            raise self._queue_is_full(request) from None
        finally:
            timer.cancel()
            del self._waiting[message[0]]
        self.counters["answered"] += 1
        return unpack_answer(payload, request.answer), extra

    async def close(self) -> None:
        """Close the socket; calls in flight end as if their time were over. The client may be used again afterwards."""
        for answer, request in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._silence(request, "closed while waiting for the answer"))
        if self._pump is not None and self._socket is not None:
            self._pump.stop()
            self._socket.close()
            self._pump = self._socket = None

    def _open(self) -> Pump:
        if self._pump is None:
            self._socket = self._connect()
            self._pump = Pump(self._socket, self._on_message)
        return self._pump

    def _on_message(self, frames: list[zmq.Frame]) -> None:
        parts = _split(frames)
        if parts is None:
            self.counters["malformed"] += 1
            return
        call_id, payload, extra = parts
        waiting = self._waiting.get(call_id)
        if waiting is None or waiting[0].done():
            self.counters["dropped_late"] += 1
        else:
            waiting[0].set_result((payload, extra))

    def _give_up(self, answer: asyncio.Future[Any], request: Request, timeout_s: float) -> None:
        if not answer.done():
            self.counters["timeouts"] += 1
            answer.set_exception(self._silence(request, f"no answer within {timeout_s:g} s"))


class SyncCallClient(_Client):
    """Calls a server from a plain loop, one call at a time; for one thread.

    Parameters and counters as of `CallClient`. It may be used on after any time-out: the late answer is dropped.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        curve: CurveKeys | None = None,
        options: SocketOptions | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(endpoint, curve=curve, options=options, clock=clock)
        self._socket: Socket | None = None
        self._begun: tuple[bytes, Request, float, float] | None = None

    def begin(self, request: Request, timeout_s: float) -> None:
        """Ask without waiting; `look` brings the answer. One such call at a time.

        Raises
        ------
        Retryable
            When the request was not sent, as the queue to an absent server is full.
        """
        call_id = self._send(request, timeout_s, ())[1]
        self._begun = call_id, request, timeout_s, self._clock.monotonic_s() + timeout_s

    def look(self) -> Any | None:
        """Return the answer to what was begun, None while there is none; never blocks.

        Raises as `CallClient.call` does; the call is over then.
        """
        if self._begun is None or self._socket is None:
            return None
        call_id, request, timeout_s, deadline_s = self._begun
        parts = self._received(self._socket, call_id)
        if parts is None and self._clock.monotonic_s() < deadline_s:
            return None
        self._begun = None
        return self._answer(parts, request, timeout_s)[0]

    @property
    def is_begun(self) -> bool:
        """Whether an answer to `begin` is waited for."""
        return self._begun is not None

    def call(self, request: Request, timeout_s: float) -> Any:
        """Ask, and block until the answer or the time-out; parameters, result and errors as of `CallClient.call`."""
        return self.call_frames(request, timeout_s)[0]

    def call_frames(self, request: Request, timeout_s: float, frames: Frames = ()) -> tuple[Any, list[memoryview]]:
        """Ask with raw frames, and return those of the answer beside it; as of `CallClient.call_frames`."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        socket, call_id = self._send(request, timeout_s, frames)
        return self._answer(self._await_answer(socket, call_id, deadline_s), request, timeout_s)

    def close(self) -> None:
        """Close the socket. The client may be used again afterwards."""
        if self._socket is not None:
            self._socket.close()
            self._socket = self._begun = None

    def _send(self, request: Request, timeout_s: float, frames: Frames) -> tuple[Socket, bytes]:
        message = self._message(request, timeout_s, frames)
        if self._socket is None:
            self._socket = self._connect()
        try:
            self._socket.send_multipart(message, zmq.DONTWAIT, copy=False)
        except zmq.Again:
            raise self._queue_is_full(request) from None
        self.counters["sent"] += 1
        call_id: bytes = message[0]
        return self._socket, call_id

    def _answer(self, parts: _Parts | None, request: Request, timeout_s: float) -> tuple[Any, list[memoryview]]:
        if parts is None:
            self.counters["timeouts"] += 1
            raise self._silence(request, f"no answer within {timeout_s:g} s")
        self.counters["answered"] += 1
        return unpack_answer(parts[0], request.answer), parts[1]

    def _await_answer(self, socket: Socket, call_id: bytes, deadline_s: float) -> _Parts | None:
        while (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            if socket.poll(max(1, round(left_s * 1000))) and (parts := self._received(socket, call_id)):
                return parts
        return None

    def _received(self, socket: Socket, call_id: bytes) -> _Parts | None:
        """Read what has come up to the answer; None when it has not."""
        while socket.poll(0):
            parts = _split(socket.recv_multipart(zmq.DONTWAIT, copy=False))
            if parts is None:
                self.counters["malformed"] += 1
            elif parts[0] == call_id:
                return parts[1], parts[2]
            else:
                self.counters["dropped_late"] += 1
        return None
