"""Connections that are kept for the next request, a few at most."""

from __future__ import annotations

import asyncio
from typing import Final

from atrader.clock import Clock
from broker_api.oanda.connections import ConnectionGate
from broker_api.oanda.http_connection import Connection, Route, open_connection

_KEEP_S: Final = 60.0  # an idle connection; new ones are rationed, so keep those we have


class Pool:
    """Lends connections of one route. For one asyncio loop.

    Parameters
    ----------
    route : Route
        Where they go.
    size : int
        How many there may be; who wants one more waits.
    gate : ConnectionGate
        Rations new ones.
    connect_s, turn_s : float
        How long a new connection may take, and how long one may wait for a place, seconds.
    """

    def __init__(
        self, route: Route, size: int, gate: ConnectionGate, clock: Clock, *, connect_s: float, turn_s: float
    ) -> None:
        self._route = route
        self._gate = gate
        self._clock = clock
        self._connect_s = connect_s
        self._turn_s = turn_s
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._made: list[Connection] = []

    async def take(self) -> Connection:
        """Lend a connection: the one that was used last, or a new one; `give_back` must follow.

        Raises
        ------
        OSError, BadAnswer
            There is none (`TimeoutError`: not in time).
        """
        if self._places.locked():
            async with asyncio.timeout(self._turn_s):
                await self._places.acquire()
        else:
            await self._places.acquire()  # at once
        while self._idle:
            connection = self._idle.pop()
            if connection.may_follow and self._clock.monotonic_s() - connection.idle_since_s < _KEEP_S:
                return connection
            connection.abort()
        try:
            return await self.connect()
        except BaseException:
            self._places.release()
            raise

    async def connect(self) -> Connection:
        """Make a connection that is not one of the kept; whoever asks closes it. Raises as `take` does."""
        await self._gate.enter()
        async with asyncio.timeout(self._connect_s):
            connection = await open_connection(self._route)
        self._made = [other for other in self._made if not other.is_gone]
        self._made.append(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep it for the next one, or close it when its answer was not read to the end."""
        self._places.release()
        if connection.may_follow:
            connection.idle_since_s = self._clock.monotonic_s()
            self._idle.append(connection)
        else:
            connection.abort()

    async def close(self) -> None:
        """Close all of them, lent or not; may be called twice."""
        self._idle.clear()
        for connection in self._made:
            await connection.close()
