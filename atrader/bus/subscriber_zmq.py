"""A subscriber through libzmq: on other hosts, with keys."""

from __future__ import annotations

import zmq

from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.sockets import Socket, SocketOptions, client_socket, is_readable
from atrader.bus.stream_messages import Gap, Message
from atrader.bus.stream_tracker import StreamTracker


class ZmqSubscriber:
    """Receives messages of one publisher; like `IpcSubscriber`.

    Attributes
    ----------
    descriptor : int
        Readable when something changed, which may be no message; any look at the socket may take that away.
    """

    def __init__(self, endpoint: Endpoint, curve: CurveKeys | None, options: SocketOptions) -> None:
        self._socket: Socket = client_socket(zmq.SUB, endpoint, curve, options)
        self._poller = zmq.Poller()  # kept: the poll of a socket makes one each time
        self._poller.register(self._socket, zmq.POLLIN)
        self._endpoint = endpoint
        self.descriptor = int(self._socket.fileno())

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return bool(self._socket.closed)

    @property
    def is_between(self) -> bool:
        """Never: libzmq receives."""
        return False

    def receive(self, limit: int, tracker: StreamTracker, items: list[Message | Gap]) -> tuple[int, bool]:
        """Leave everything to be taken."""
        return 0, True

    @property
    def has_waiting(self) -> bool:
        """Whether a message can be taken: `descriptor` may have told it before."""
        return self.look()

    def subscribe(self, prefix: bytes) -> None:
        """Want messages whose first frame begins so."""
        self._socket.setsockopt(zmq.SUBSCRIBE, prefix)

    def unsubscribe(self, prefix: bytes) -> None:
        """Want them no more."""
        self._socket.setsockopt(zmq.UNSUBSCRIBE, prefix)

    def wait(self, timeout_ms: int) -> bool:
        """Wait until a message can be taken, for this long at most."""
        return bool(self._poller.poll(timeout_ms))

    def look(self) -> bool:
        """Tell whether a message can be taken."""
        return is_readable(self._socket)

    def take(self, limit: int) -> list[list[bytes]]:
        """Return the frames of the messages that are there now, so many at most."""
        taken: list[list[bytes]] = []
        while len(taken) < limit and is_readable(self._socket):
            try:
                taken.append(self._socket.recv_multipart(zmq.DONTWAIT))
            except zmq.Again:
                break
        return taken

    def connect(self) -> None:
        """Connect again after `disconnect`."""
        self._socket.connect(self._endpoint.address)

    def disconnect(self) -> None:
        """Give the connection up."""
        self._socket.disconnect(self._endpoint.address)

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._socket.close(linger=0)
