"""Calls from a plain loop, one at a time; across deaths of the server as `atrader.bus.call_client`. Without asyncio."""

from __future__ import annotations

from typing import Any

import zmq

from atrader.bus.calls import CallerBase, Frames, Parts, split
from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.sockets import Socket, SocketOptions
from atrader.clock import Clock
from atrader.wire_frame import Askable


class SyncCallClient(CallerBase):
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
        self._begun: tuple[bytes, Askable, float, float] | None = None

    def begin(self, request: Askable, timeout_s: float) -> None:
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

    def call(self, request: Askable, timeout_s: float) -> Any:
        """Ask, and block until the answer or the time-out; parameters, result and errors as of `CallClient.call`."""
        return self.call_frames(request, timeout_s)[0]

    def call_frames(self, request: Askable, timeout_s: float, frames: Frames = ()) -> tuple[Any, list[memoryview]]:
        """Ask with raw frames, and return those of the answer beside it; as of `CallClient.call_frames`."""
        deadline_s = self._clock.monotonic_s() + timeout_s
        socket, call_id = self._send(request, timeout_s, frames)
        return self._answer(self._await_answer(socket, call_id, deadline_s), request, timeout_s)

    def close(self) -> None:
        """Close the socket. The client may be used again afterwards."""
        if self._socket is not None:
            self._socket.close()
            self._socket = self._begun = None

    def _send(self, request: Askable, timeout_s: float, frames: Frames) -> tuple[Socket, bytes]:
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

    def _answer(self, parts: Parts | None, request: Askable, timeout_s: float) -> tuple[Any, list[memoryview]]:
        if parts is None:
            self.counters["timeouts"] += 1
            raise self._silence(request, f"no answer within {timeout_s:g} s")
        self.counters["answered"] += 1
        return request.answered(parts[0]), parts[1]

    def _await_answer(self, socket: Socket, call_id: bytes, deadline_s: float) -> Parts | None:
        while (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            if socket.poll(max(1, round(left_s * 1000))) and (parts := self._received(socket, call_id)):
                return parts
        return None

    def _received(self, socket: Socket, call_id: bytes) -> Parts | None:
        """Read what has come up to the answer; None when it has not."""
        while socket.poll(0):
            parts = split(socket.recv_multipart(zmq.DONTWAIT, copy=False))
            if parts is None:
                self.counters["malformed"] += 1
            elif parts[0] == call_id:
                return parts[1], parts[2]
            else:
                self.counters["dropped_late"] += 1
        return None
