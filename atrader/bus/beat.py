"""One-way messages from every process to one that listens: beats to the manager, prices into the data layer.

A sender never waits and never fails for want of a listener: what cannot be sent now is dropped and counted, because the
next beat says more than a late one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import zmq

from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.notices import Notices, OnError
from atrader.bus.pump import Pump
from atrader.bus.sockets import Socket, SocketOptions, as_buffers, client_socket, close_server_socket, server_socket
from atrader.errors import WireError
from atrader.wire import pack_map, unpack_map

_NOW: Final = int(zmq.DONTWAIT)  # plain: the operators of an enum are Python code
BEAT_OPTIONS: Final = SocketOptions(hwm=1000, linger_ms=200)


class Beat(NamedTuple):
    """One message that arrived."""

    sender: str  # name of the process, as it said itself
    kind: str
    body: dict[str, Any]
    frames: tuple[memoryview, ...]  # raw frames after it


class BeatSender:
    """Sends beats, from a plain loop or from asyncio; for one thread.

    Parameters
    ----------
    endpoint : Endpoint or str
        Of the `BeatServer`; it need not be there.
    sender : str
        Name of this process.
    curve : CurveKeys, optional
        Needed for tcp.

    Attributes
    ----------
    counters : Counter of str
        ``sent dropped``.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        sender: str,
        *,
        curve: CurveKeys | None = None,
        options: SocketOptions = BEAT_OPTIONS,
    ) -> None:
        self.endpoint = Endpoint.parse(endpoint)
        self.sender = sender
        self.counters: Counter[str] = Counter()
        self._socket: Socket = client_socket(zmq.DEALER, self.endpoint, curve, options, drop_when_absent=True)

    def send(self, kind: str, body: Mapping[str, object], frames: Sequence[Any] = ()) -> bool:
        """Send one beat; never blocks.

        Parameters
        ----------
        kind : str
            What it is.
        body : mapping
            Plain MessagePack values; Decimals travel as strings.
        frames : sequence of contiguous buffers
            Sent without copying: they must not be changed any more.

        Returns
        -------
        bool
            False when nobody is connected or the listener does not keep up; then it was dropped.

        Raises
        ------
        WireError
            When a value has no form on the wire, or a frame is no contiguous buffer.
        """
        payload = pack_map(kind, {"sender": self.sender, "body": dict(body)})
        try:
            if frames:
                self._socket.send_multipart([payload, *as_buffers(frames)], _NOW, copy=False)
            else:
                self._socket.send(payload, _NOW)
        except zmq.Again:
            self.counters["dropped"] += 1
            return False
        self.counters["sent"] += 1
        return True

    def close(self) -> None:
        """Close the socket; sends what is queued for 0.2 s at most. May be called twice."""
        self._socket.close()


class BeatServer:
    """Takes beats in an asyncio loop and hands each to a function.

    Parameters
    ----------
    endpoint : Endpoint or str
        Where to listen.
    on_beat : callable
        Takes a `Beat`; must be quick. What it raises goes to `on_error`, and the server goes on.
    curve : CurveKeys, optional
        Needed for tcp.
    on_error : callable, optional
        The default writes to the log.

    Attributes
    ----------
    counters : Counter of str
        ``received malformed failed``.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        on_beat: Callable[[Beat], None],
        *,
        curve: CurveKeys | None = None,
        on_error: OnError | None = None,
        options: SocketOptions = BEAT_OPTIONS,
    ) -> None:
        self._asked = Endpoint.parse(endpoint)
        self._asked.require_keys(curve is not None)
        self._on_beat = on_beat
        self._curve = curve
        self._notices = Notices(on_error)
        self._options = options
        self._socket: Socket | None = None
        self._pump: Pump | None = None
        self.endpoint = self._asked
        self.counters: Counter[str] = Counter()

    async def start(self) -> None:
        """Bind and begin to listen.

        Raises
        ------
        ConfigError
            When the endpoint is in use or cannot be bound.
        """
        self._socket, self.endpoint = server_socket(zmq.ROUTER, self._asked, self._curve, self._options)
        self._pump = Pump(self._socket, self._on_message)

    async def close(self) -> None:
        """Stop listening and free the endpoint. May be called twice."""
        if self._socket is not None and self._pump is not None:
            self._pump.stop()
            close_server_socket(self._socket, self.endpoint)
            self._socket = self._pump = None

    def _on_message(self, frames: list[zmq.Frame]) -> None:
        try:
            beat = _read(frames)
        except WireError as error:
            self.counters["malformed"] += 1
            self._notices.tell_seldom(error, f"{self.endpoint}: unreadable beat")
            return
        self.counters["received"] += 1
        try:
            self._on_beat(beat)
        except Exception as error:  # noqa: BLE001 - boundary: no beat may end the server
            self.counters["failed"] += 1
            self._notices.tell(error, f"{self.endpoint}: beat {beat.kind} of {beat.sender}")


def _read(frames: list[zmq.Frame]) -> Beat:
    if len(frames) < 2:
        raise WireError("beat: expected a message after the identity")
    kind, message = unpack_map(frames[1].buffer)
    sender, body = message.get("sender"), message.get("body")
    if type(sender) is not str or not isinstance(body, dict) or len(message) != 2:
        raise WireError("beat: expected a sender and a body")
    return Beat(sender, kind, body, tuple(frame.buffer for frame in frames[2:]))
