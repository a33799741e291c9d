"""Calls from asyncio: many in flight.

It works across any death of the server: requests queue until their deadline while it is away, an answer that comes too
late is dropped by its id, and no state has to be set up again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import zmq

from atrader.bus.calls import CallerBase, Frames, split
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.pump import Pump
from atrader.bus.sockets import Socket, SocketOptions
from atrader.clock import Clock
from atrader.wire_frame import Askable


class CallClient(CallerBase):
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
        self._waiting: dict[bytes, tuple[asyncio.Future[tuple[memoryview, list[memoryview]]], Askable]] = {}

    async def call(self, request: Askable, timeout_s: float) -> Any:
        """Ask, and wait for the answer.

        Parameters
        ----------
        request : Askable
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
        self, request: Askable, timeout_s: float, frames: Frames = ()
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
        return request.answered(payload), extra

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
        parts = split(frames)
        if parts is None:
            self.counters["malformed"] += 1
            return
        call_id, payload, extra = parts
        waiting = self._waiting.get(call_id)
        if waiting is None or waiting[0].done():
            self.counters["dropped_late"] += 1
        else:
            waiting[0].set_result((payload, extra))

    def _give_up(self, answer: asyncio.Future[Any], request: Askable, timeout_s: float) -> None:
        if not answer.done():
            self.counters["timeouts"] += 1
            answer.set_exception(self._silence(request, f"no answer within {timeout_s:g} s"))
