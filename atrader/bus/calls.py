"""What both sides of calls know of a message, and what both kinds of clients share."""

from __future__ import annotations

import itertools
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import zmq

from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.sockets import Socket, SocketOptions, as_buffers, client_socket
from atrader.clock import NS_PER_S, Clock, SystemClock
from atrader.errors import AtraderError, DeadlineExceeded, Retryable, UnknownOutcome
from atrader.wire_frame import Askable

ID_BYTES: Final = 8
"""Length of the frame that says to which request an answer belongs."""

Frames: TypeAlias = Sequence[Any]


class CallerBase:
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

    def _message(self, request: Askable, timeout_s: float, frames: Frames) -> list[Any]:
        payload = request.packed(self._clock.now_ns() + int(timeout_s * NS_PER_S))
        return [next(self._ids).to_bytes(ID_BYTES, "big"), payload, *as_buffers(frames)]

    def _queue_is_full(self, request: Askable) -> Retryable:
        self.counters["refused"] += 1
        return Retryable(f"{request.kind}: nobody takes requests at {self.endpoint} and the queue is full; not sent")

    def _silence(self, request: Askable, why: str) -> AtraderError:
        kind = UnknownOutcome if request.acts else DeadlineExceeded
        return kind(f"{request.kind}: {why} from {self.endpoint}", details={"kind": request.kind})


Parts: TypeAlias = tuple[memoryview, list[memoryview]]
"""Payload of an answer and its raw frames."""


def split(frames: list[zmq.Frame]) -> tuple[bytes, memoryview, list[memoryview]] | None:
    """Return call id, payload and raw frames of an answer; None when it is none."""
    if len(frames) < 2 or len(frames[0]) != ID_BYTES:
        return None
    return frames[0].bytes, frames[1].buffer, [frame.buffer for frame in frames[2:]]
