"""The publishing side of a stream: never waits for anybody, numbers what it sends, and remembers the last of it."""

from __future__ import annotations

import secrets
from collections import Counter, deque
from itertools import islice
from typing import Any, Final

import msgpack
import zmq

from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.sockets import SocketOptions, bind_also, close_server_socket, server_socket
from atrader.bus.stream_messages import END, HEARTBEAT_TOPIC, heartbeat_body, topic_bytes
from atrader.errors import WireError
from atrader.wire import StreamSchema

HEARTBEATS_AFTER_NEWS: Final = 4
"""Heartbeats, a second apart, after the last message or the start: time to reconnect, and to lose one of them."""

SILENT_TURNS: Final = 5
"""Seconds between two heartbeats of a stream without news."""

_MORE: Final = int(zmq.SNDMORE | zmq.DONTWAIT)
_LAST: Final = int(zmq.DONTWAIT)
STREAM_OPTIONS: Final = SocketOptions(hwm=20_000, linger_ms=200)  # all the queue that a subscriber on this host has


class _Topic:
    """What is kept of one topic."""

    __slots__ = ("frame", "ring", "seq")

    def __init__(self, frame: bytes, keep: int) -> None:
        self.frame = frame
        self.seq = 0
        self.ring: deque[bytes] = deque(maxlen=keep)


class StreamServer:
    """Publishes numbered messages; for one thread.

    `publish` never blocks: a subscriber that does not keep up loses messages, and sees it by their numbers. Each topic
    counts from 1 within one life (epoch) of the publisher.

    Parameters
    ----------
    endpoint : Endpoint or str
        Bound at once.
    epoch : int, optional
        Name of this life of the publisher, below 2**63; random by default.
    keep : int, default 1000
        Messages remembered per topic for `replay`. About 150 bytes each.
    curve : CurveKeys, optional
        Needed for tcp.

    Attributes
    ----------
    counters : Counter of str
        ``published heartbeats replayed replay_misses``.

    Raises
    ------
    ConfigError
        When the endpoint is in use or cannot be bound.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        epoch: int | None = None,
        *,
        keep: int = 1000,
        curve: CurveKeys | None = None,
        options: SocketOptions = STREAM_OPTIONS,
    ) -> None:
        self.epoch = secrets.randbits(63) if epoch is None else epoch
        self.counters: Counter[str] = Counter()
        self._keep = keep
        self._published_before = self._silent_turns = 0
        self._topics: dict[str, _Topic] = {}
        self._wanted: Counter[bytes] = Counter()
        self._packer = msgpack.Packer()
        self._options = options
        self._socket, self.endpoint = server_socket(zmq.XPUB, Endpoint.parse(endpoint), curve, options)

    def listen_also(self, endpoint: Endpoint | str, curve: CurveKeys) -> Endpoint:
        """Publish on a tcp endpoint too, the same messages with the same numbers; return it with the real port.

        Raises
        ------
        ConfigError
            When the endpoint is in use or cannot be bound, or the keys are not those of a server.
        """
        return bind_also(self._socket, Endpoint.parse(endpoint), curve, self._options)

    def publish(self, topic: str, schema: StreamSchema, values: tuple[Any, ...]) -> int:
        """Send one message to whoever listens; never blocks, nothing is on disk.

        Returns
        -------
        int
            Its number within the topic, from 1.

        Raises
        ------
        WireError
            When the values do not fit the schema; then nothing was sent and no number used up.
        """
        state = self._topics.get(topic) or self._new_topic(topic)
        seq = state.seq + 1
        try:
            body = self._packer.pack([schema.kind, schema.version, self.epoch, seq, schema.pack(values)])
        except (ValueError, TypeError, OverflowError) as error:
            self._packer.reset()
            raise WireError(f"{schema.kind}: a value has no form on the wire: {error}") from error
        state.seq = seq
        state.ring.append(body)
        self._socket.send(state.frame, _MORE)
        self._socket.send(body, _LAST)
        self.counters["published"] += 1
        return seq

    def heartbeat_when_due(self) -> None:
        """Send a heartbeat while there is news, and seldom afterwards; its owner calls it each second.

        Each heartbeat wakes every subscriber, and after a few that told the same number the tail is not lost any more.
        """
        published = self.counters["published"]
        self._silent_turns = 0 if published != self._published_before else self._silent_turns + 1
        self._published_before = published
        if self._silent_turns <= HEARTBEATS_AFTER_NEWS or self._silent_turns % SILENT_TURNS == 0:
            self.heartbeat()

    def heartbeat(self) -> None:
        """Send the last number of each topic, so that a lost tail is noticed."""
        self._read_subscriptions()
        last = {topic: state.seq for topic, state in self._topics.items()}
        self._socket.send_multipart([HEARTBEAT_TOPIC, heartbeat_body(self.epoch, last)], zmq.DONTWAIT)
        self.counters["heartbeats"] += 1

    def last(self, topic: str) -> tuple[int, int]:
        """Return the epoch and the number of the last message of a topic (0: none yet), for snapshots."""
        state = self._topics.get(_name(topic))
        return self.epoch, state.seq if state else 0

    def replay(self, topic: str, from_seq: int, to_seq: int) -> list[bytes] | None:
        """Return the messages ``from_seq`` to ``to_seq`` (both included) of a topic, as `read_body` reads them.

        Returns
        -------
        list of bytes or None
            Fewer when the topic is not as far yet; None when some are no longer kept: send a snapshot instead.
        """
        state = self._topics.get(_name(topic))
        if state is None:
            return []
        first = state.seq - len(state.ring) + 1
        if from_seq < first:
            self.counters["replay_misses"] += 1
            return None
        self.counters["replayed"] += 1
        return list(islice(state.ring, from_seq - first, max(from_seq, to_seq + 1) - first))

    def has_subscriber(self, topic: str) -> bool:
        """Tell whether somebody listens to this topic now; for what is costly to make."""
        self._read_subscriptions()
        frame = topic_bytes(topic)
        return any(frame.startswith(prefix) for prefix in self._wanted)

    def close(self) -> None:
        """Stop publishing and free the endpoint; sends what is queued for 0.2 s at most. May be called twice."""
        close_server_socket(self._socket, self.endpoint)

    def _new_topic(self, topic: str) -> _Topic:
        name = _name(topic)
        if not name:
            raise WireError("a message needs a topic")
        state = self._topics.get(name)
        if state is None:
            state = self._topics[name] = _Topic(topic_bytes(name), self._keep)
        return state

    def _read_subscriptions(self) -> None:
        """Take what the socket tells of subscriptions; left unread they would pile up in libzmq."""
        while True:
            try:
                told = self._socket.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            # One byte (1: somebody listens, 0: nobody any more), then the prefix; told once per prefix, not per peer.
            if told[:1] == b"\1":
                self._wanted[told[1:]] = 1
            elif told[:1] == b"\0":
                self._wanted.pop(told[1:], None)


def _name(topic: str) -> str:
    return topic.removesuffix(END)
