"""Waiting for several streams and descriptors at once, for the plain loop of a worker."""

from __future__ import annotations

import time
from typing import TypeAlias

import zmq

from atrader.bus.stream_client import StreamClient

Source: TypeAlias = StreamClient | int
"""A stream client, or a file descriptor such as that of a signal wake-up."""


class Poller:
    """Waits until one of its sources can be read; for one thread."""

    def __init__(self) -> None:
        self._poller = zmq.Poller()
        self._clients: dict[object, StreamClient] = {}

    def register(self, source: Source) -> None:
        """Watch a source; drain or read it after each `poll` that names it."""
        if isinstance(source, StreamClient):
            self._clients[source.pollable] = source
            self._poller.register(source.pollable, zmq.POLLIN)
        else:
            self._poller.register(source, zmq.POLLIN)

    def unregister(self, source: Source) -> None:
        """Watch a source no more; must happen before it is closed."""
        if isinstance(source, StreamClient):
            del self._clients[source.pollable]
            self._poller.unregister(source.pollable)
        else:
            self._poller.unregister(source)

    def poll(self, timeout_s: float) -> list[Source]:
        """Wait for this many seconds at most.

        Returns
        -------
        list of StreamClient or int
            The sources that can be read now; empty when the time is over. A signal handler may run meanwhile.
        """
        end_s = time.monotonic() + timeout_s
        left_s = timeout_s
        while True:
            waiting = {client for client in self._clients.values() if client.has_waiting}
            ready = self._poller.poll(0 if waiting else max(0, round(left_s * 1000)))
            sources = [self._clients.get(source, source) for source, _ in ready]
            found = [one for one in sources if one in waiting or not isinstance(one, StreamClient) or one.look()]
            found += waiting.difference(found)
            left_s = end_s - time.monotonic()
            if found or not ready or left_s <= 0:  # a stream may be woken for less than a message
                return found
