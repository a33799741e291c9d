"""The listening side of a stream: reads everything waiting, and says what it missed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import TypeAlias

from atrader.bus.curve import CurveKeys
from atrader.bus.endpoints import Endpoint
from atrader.bus.notices import Notices, OnError
from atrader.bus.reading import read_plain
from atrader.bus.sockets import SocketOptions
from atrader.bus.stream_messages import (
    END,
    HEARTBEAT_TOPIC,
    Gap,
    Message,
    read_body,
    read_heartbeat,
    read_topic,
    topic_bytes,
)
from atrader.bus.stream_server import STREAM_OPTIONS
from atrader.bus.stream_tracker import StreamTracker
from atrader.bus.subscriber_ipc import IpcSubscriber
from atrader.bus.subscriber_zmq import ZmqSubscriber
from atrader.errors import WireError
from atrader.wire import PLAIN_SCHEMAS

Item: TypeAlias = Message | Gap


class StreamClient:
    """Subscribes to one publisher, from a plain loop; for one thread.

    Begin like this: `subscribe`, ask the publisher's owner for a snapshot by call, `resume` with the epoch and number
    it was taken at; then everything from there on arrives once, in order, or is reported as a `Gap`. After a `Gap`
    fetch what is missing (or a new snapshot) by call and `resume` again.

    Parameters
    ----------
    endpoint : Endpoint or str
        Of the publisher; it need not be there yet.
    curve : CurveKeys, optional
        Needed for tcp.
    on_error : callable, optional
        Told once a minute of messages that cannot be read; the default writes to the log.

    Attributes
    ----------
    counters : Counter of str
        ``received heartbeats gaps missed epochs duplicates retired malformed``.
    """

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        curve: CurveKeys | None = None,
        on_error: OnError | None = None,
        options: SocketOptions = STREAM_OPTIONS,
    ) -> None:
        self.endpoint = Endpoint.parse(endpoint)
        self.counters: Counter[str] = Counter()
        self._notices = Notices(on_error)
        self._heard_s = time.monotonic()
        self._tracker = StreamTracker(self.counters)
        path = self.endpoint.path
        self._link: IpcSubscriber | ZmqSubscriber = (
            ZmqSubscriber(self.endpoint, curve, options) if path is None else IpcSubscriber(path, options)
        )
        self._link.subscribe(HEARTBEAT_TOPIC)

    @property
    def descriptor(self) -> int:
        """What the `Poller` of this package waits for; see `has_waiting`."""
        return self._link.descriptor

    def look(self) -> bool:
        """Tell whether something can be read, without waiting."""
        return self._link.look()

    @property
    def is_direct(self) -> bool:
        """Whether `drain` reads the descriptor itself: then nobody has to `look` before."""
        return self._link.is_between

    @property
    def has_waiting(self) -> bool:
        """Whether messages wait of which `descriptor` may say nothing."""
        return self._link.has_waiting

    def subscribe(self, topic: str) -> None:
        """Listen to a topic, or to all topics that begin with these words; survives restarts of the publisher."""
        prefix = topic_bytes(topic)
        if self._tracker.add(prefix):
            self._link.subscribe(prefix)

    def unsubscribe(self, topic: str) -> None:
        """Listen to a topic no more."""
        prefix = topic_bytes(topic)
        if self._tracker.remove(prefix):
            self._link.unsubscribe(prefix)

    def resume(self, topic: str, epoch: int, seq: int) -> None:
        """Declare everything up to this number of this epoch known: older messages are dropped, later gaps reported."""
        self._tracker.resume(topic.removesuffix(END), epoch, seq)

    def drain(self, max_messages: int = 10_000) -> list[Item]:
        """Read what is waiting, without blocking.

        Returns
        -------
        list of Message or Gap
            In the order of arrival; a gap comes before the message that showed it. At most `max_messages` messages
            were read; gaps come on top.
        """
        items: list[Item] = []
        link, tracker = self._link, self._tracker
        if link.is_between:
            number, has_more = link.receive(max_messages, tracker, items)
            if number:
                self._heard_s = time.monotonic()
                self.counters["received"] += number
                max_messages -= number
            if not has_more:
                return items
        taken = link.take(max_messages)
        if not taken:
            return items
        self._heard_s = time.monotonic()
        at = 0
        while True:
            plain = read_plain(taken, at, PLAIN_SCHEMAS, tracker.seen, tracker.retired, Message, items)
            self.counters["received"] += plain - at
            if plain == len(taken):
                return items
            self._take(taken[plain], items)
            at = plain + 1

    def poll(self, timeout_ms: int) -> bool:
        """Wait until something can be read, for this long at most."""
        return self._link.wait(timeout_ms)

    def is_alive(self, max_silence_s: float) -> bool:
        """Tell whether the publisher was heard (message or heartbeat) in this time, or is waiting to be read.

        A client that never heard anything counts from when it was made.
        """
        return time.monotonic() - self._heard_s <= max_silence_s or self.poll(0)

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._link.close()

    def _take(self, frames: list[bytes], items: list[Item]) -> None:
        try:
            if len(frames) != 2:
                raise WireError(f"expected a topic and a body, were {len(frames)} frames")
            topic, body = frames
            if topic == HEARTBEAT_TOPIC:
                self.counters["heartbeats"] += 1
                self._tracker.on_heartbeat(*read_heartbeat(body), items)
                return
            message = read_body(read_topic(topic), body)
        except WireError as error:
            self.counters["malformed"] += 1
            self._notices.tell_seldom(error, f"{self.endpoint}: unreadable stream message")
            return
        self.counters["received"] += 1
        self._tracker.on_message(message, items)


class AsyncStreamClient(StreamClient):
    """The same for asyncio: ``async for batch in client`` gives everything waiting, each time something is."""

    async def batch(self, timeout_s: float | None = None) -> list[Item]:
        """Wait for something to arrive and read all of it.

        Returns
        -------
        list of Message or Gap
            Empty when the time is over, or when only heartbeats came.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not self.poll(0):
                    await self._signal()
        except TimeoutError:
            return []
        return self.drain()

    async def __aiter__(self) -> AsyncIterator[list[Item]]:
        while not self._link.closed:
            items = self.drain()
            if items:
                yield items
            elif not self.poll(0):
                await self._signal()

    async def _signal(self) -> None:
        """Wait for one signal of the socket. The watch is removed after it: it stays set until somebody reads."""
        loop = asyncio.get_running_loop()
        signal: asyncio.Future[None] = loop.create_future()
        descriptor = self._link.descriptor
        loop.add_reader(descriptor, _set, signal)
        try:
            await signal
        finally:
            loop.remove_reader(descriptor)


def _set(signal: asyncio.Future[None]) -> None:
    if not signal.done():
        signal.set_result(None)
