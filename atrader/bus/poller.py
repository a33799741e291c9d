"""Waiting for several streams and descriptors at once, for the plain loop of a worker."""

from __future__ import annotations

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
            self._clients[source.socket] = source
            self._poller.register(source.socket, zmq.POLLIN)
        else:
            self._poller.register(source, zmq.POLLIN)

    def unregister(self, source: Source) -> None:
        """Watch a source no more; must happen before it is closed."""
        if isinstance(source, StreamClient):
            del self._clients[source.socket]
            self._poller.unregister(source.socket)
        else:
            self._poller.unregister(source)

    def poll(self, timeout_s: float) -> list[Source]:
        """Wait for this many seconds at most.

        Returns
        -------
        list of StreamClient or int
            The sources that can be read now; empty when the time is over. A signal handler may run meanwhile.
        """
        ready = self._poller.poll(max(0, round(timeout_s * 1000)))
        return [self._clients.get(source, source) for source, _ in ready]
