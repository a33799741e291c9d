"""Waiting for several streams and descriptors at once, for the plain loop of a worker."""

from __future__ import annotations

import select
import time
from typing import TypeAlias

from atrader.bus.stream_client import StreamClient

Source: TypeAlias = StreamClient | int
"""A stream client, or a file descriptor such as that of a signal wake-up."""


class Poller:
    """Waits until one of its sources can be read; for one thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._clients: dict[int, StreamClient] = {}

    def register(self, source: Source) -> None:
        """Watch a source; drain or read it after each `poll` that names it."""
        if isinstance(source, StreamClient):
            self._clients[source.descriptor] = source
            source = source.descriptor
        self._epoll.register(source, select.EPOLLIN)

    def unregister(self, source: Source) -> None:
        """Watch a source no more; must happen before it is closed."""
        if isinstance(source, StreamClient):
            del self._clients[source.descriptor]
            source = source.descriptor
        self._epoll.unregister(source)

    def poll(self, timeout_s: float) -> list[Source]:
        """Wait for this many seconds at most.

        Returns
        -------
        list of StreamClient or int
            The sources that can be read now; empty when the time is over. A signal handler may run meanwhile. In a
            stream there may be no more than a heartbeat.
        """
        clients, left_s = self._clients, timeout_s
        end_s = time.monotonic() + timeout_s
        while True:
            found: list[Source] = [client for client in clients.values() if client.has_waiting]
            ready = self._epoll.poll(0 if found else max(0.0, left_s))
            for descriptor, _ in ready:
                client = clients.get(descriptor)
                if client is None:
                    found.append(descriptor)
                elif client not in found and (client.is_direct or client.look()):
                    found.append(client)
            if found or not ready:
                return found
            left_s = end_s - time.monotonic()
            if left_s <= 0:  # a stream may be woken for less than a message
                return found
