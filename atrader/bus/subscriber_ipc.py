"""A subscriber on the publisher's host that reads its socket itself.

libzmq reads in a thread of its own, which then wakes the thread that wants the message: two wake-ups for each tick in
each worker. Fifty workers at a thousand ticks a second pay that with two processors. Here the message wakes the one who
waits for it. To the publisher it is a subscriber like any other.
"""

from __future__ import annotations

import ctypes
import math
import os
import select
import socket
import time
from pathlib import Path
from typing import Final

from atrader.bus.reading import receive, receive_bytes, receive_plain
from atrader.bus.sockets import SocketOptions, closed_with_context
from atrader.bus.stream_messages import Gap, Message
from atrader.bus.stream_tracker import StreamTracker
from atrader.bus.zmtp import GREETING, GREETING_BYTES, Decoder, answer_to, check_greeting, ready, subscription
from atrader.errors import WireError
from atrader.wire import PLAIN_SCHEMAS

_READ_BYTES: Final = 256 * 1024
_GREETING_S: Final = 1.0  # a publisher that is stopped
_TFD_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_libc: Final = ctypes.CDLL(None, use_errno=True)


class _Timer:
    """A descriptor that becomes readable at a time, for whoever waits for many descriptors."""

    def __init__(self) -> None:
        self.descriptor = _libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_FLAGS)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def set(self, after_s: float) -> None:
        """Become readable after so long; 0: never."""
        whole_s = int(after_s)
        when = (ctypes.c_long * 4)(0, 0, whole_s, int((after_s - whole_s) * 1e9))
        if _libc.timerfd_settime(self.descriptor, 0, ctypes.byref(when), None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        os.close(self.descriptor)


class IpcSubscriber:
    """Receives messages of one publisher through its socket file; connects again when it comes back.

    Whoever waits for `descriptor` is woken for messages and when it is time to connect again; `take` does both.

    Parameters
    ----------
    path : Path
        The socket file; it need not be there yet.

    Attributes
    ----------
    descriptor : int
        To wait for; stays the same for the life of the subscriber.
    closed : bool
        Whether it was closed.
    """

    def __init__(self, path: Path, options: SocketOptions) -> None:
        self._path = str(path)
        self._options = options
        self._prefixes: list[bytes] = []
        self._waiting: list[list[bytes]] = []
        self._greeting = b""
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._socket: socket.socket | None = None
        self._is_between = False  # greeted, and the next byte begins a message
        self._is_empty = False  # nothing was left in the socket when it was read last
        self._pause_s = 0.0
        self._retry_s = 0.0
        self._timer = _Timer()
        self._epoll = select.epoll()
        self._epoll.register(self._timer.descriptor, select.EPOLLIN)
        self.descriptor = self._epoll.fileno()
        self.closed = False
        closed_with_context(self)
        self.connect()
        self._await_greeting()

    @property
    def has_waiting(self) -> bool:
        """Whether messages were read that nobody took: `descriptor` says nothing of them."""
        return bool(self._waiting)

    def subscribe(self, prefix: bytes) -> None:
        """Want messages whose first frame begins so."""
        self._prefixes.append(prefix)
        if self._is_greeted:
            self._send(subscription(prefix, wanted=True))

    def unsubscribe(self, prefix: bytes) -> None:
        """Want them no more."""
        self._prefixes.remove(prefix)
        if self._is_greeted:
            self._send(subscription(prefix, wanted=False))

    def wait(self, timeout_ms: int) -> bool:
        """Wait until a message can be taken, for this long at most."""
        if self._waiting:
            return True
        if not self._epoll.poll(timeout_ms / 1e3):
            return False
        if self.look():
            return True
        end_s = time.monotonic() + timeout_ms / 1e3  # woken for less than a message, which is rare: begin again
        while self._epoll.poll(max(0.0, end_s - time.monotonic())):
            if self.look():
                return True
        return False

    def look(self) -> bool:
        """Read what has arrived without waiting; tell whether a message can be taken.

        In place of what is no message `take` gives one without frames.
        """
        if not self._waiting:
            try:
                self._receive()
            except WireError:
                self._waiting.append([])
        return bool(self._waiting)

    def take(self, limit: int) -> list[list[bytes]]:
        """Return the frames of the messages that are there now, so many at most."""
        taken: list[list[bytes]] = []
        while len(taken) < limit and (self._waiting or self.look()):
            room = limit - len(taken)
            taken += self._waiting[:room]
            del self._waiting[:room]
            if self._is_empty and not self._waiting:  # when it was read last; what came since wakes whoever waits next
                self._is_empty = False
                break
        return taken

    @property
    def is_between(self) -> bool:
        """Whether `receive` can be called: nothing waits here, and the next byte begins a message."""
        return self._is_between and not self._waiting

    def receive(self, limit: int, tracker: StreamTracker, items: list[Message | Gap]) -> tuple[int, bool]:
        """Read what has arrived, and append plain messages to `items`, so many at most.

        All others, and those behind them, wait to be taken.

        Returns
        -------
        tuple of int and bool
            How many were appended, and whether there may be more to `take`.
        """
        count, done, number = receive_plain(
            self._source, self._buffer, limit, PLAIN_SCHEMAS, tracker.seen, tracker.retired, Message, items
        )
        if count < 0 or 0 < count == done < _READ_BYTES:  # as nearly always
            return number, False
        try:
            self._received(count, done)
        except WireError:
            self._waiting.append([])
        return number, True

    def connect(self) -> None:
        """Connect now; when nobody is there try again later, each time after a longer pause."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            self._later()
            return
        self._timer.set(0)
        self._socket = connection
        self._epoll.register(connection, select.EPOLLIN)
        self._source = connection.fileno()
        self._greeting = b""
        self._is_between = False
        self._decoder = Decoder(self._options.max_message_bytes)
        self._send(GREETING)

    def disconnect(self) -> None:
        """Give the connection up until `connect`; messages that were read already can still be taken."""
        connection, self._socket = self._socket, None
        self._is_between = False
        self._retry_s = math.inf
        if connection is not None:
            self._epoll.unregister(connection)
            connection.close()

    def close(self) -> None:
        """Close everything. May be called twice."""
        if not self.closed:
            self.closed = True
            self.disconnect()
            self._epoll.close()
            self._timer.close()

    def _await_greeting(self) -> None:
        """Wait for the first answer, unless nobody is there.

        libzmq takes nothing else together with our greeting. It answers at once, so what is subscribed to next is told
        at once too, and not only when somebody waits for messages.
        """
        end_s = time.monotonic() + _GREETING_S
        while self._socket is not None and not self._is_greeted:
            if not self._epoll.poll(max(0.0, end_s - time.monotonic())):
                return
            self.look()

    @property
    def _is_greeted(self) -> bool:
        return len(self._greeting) == GREETING_BYTES

    def _receive(self) -> None:
        if self._socket is None:
            if time.monotonic() >= self._retry_s and not self.closed:
                self.connect()
            return
        take = receive if self._is_between else receive_bytes
        self._received(*take(self._source, self._buffer, self._waiting))

    def _received(self, count: int, done: int) -> None:
        """Work in what was read: so many bytes of the buffer, of which those up to `done` are dealt with."""
        self._is_empty = 0 < count < _READ_BYTES
        if count < 0 or count == done > 0:
            return
        if not count:
            self._lost()
            return
        try:
            self._read(bytes(self._buffer[done:count]))
        except WireError:
            self._lost()
            raise

    def _read(self, data: bytes) -> None:
        if not self._is_greeted:
            self._greeting, data = self._greeting + data, b""
            if len(self._greeting) < GREETING_BYTES:
                return
            self._greeting, data = self._greeting[:GREETING_BYTES], self._greeting[GREETING_BYTES:]
            check_greeting(self._greeting)
            self._send(ready() + b"".join(subscription(prefix, wanted=True) for prefix in self._prefixes))
        self._waiting += self._decoder.feed(data)
        self._is_between = self._decoder.is_between
        if self._decoder.commands:
            commands, self._decoder.commands = self._decoder.commands, []
            self._pause_s = 0.0  # it serves us: the next pause is the first again
            self._send(b"".join(map(answer_to, commands)))

    def _send(self, data: bytes) -> None:
        if self._socket is not None and data:
            try:
                self._socket.sendall(data)
            except OSError:  # gone, or so far behind that it reads nothing: it hears of everything when it is back
                self._lost()

    def _lost(self) -> None:
        self.disconnect()
        self._later()

    def _later(self) -> None:
        longest_s = self._options.reconnect_max_ms / 1e3
        self._pause_s = min(longest_s, self._pause_s * 2 or self._options.reconnect_ms / 1e3)
        self._retry_s = time.monotonic() + self._pause_s
        self._timer.set(self._pause_s)
