"""Transactions as they happen: by stream, without loss; while there is no stream, by asking."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Final

from atrader.clock import NS_PER_S, Clock
from atrader.configuration.oanda import OandaSettings
from atrader.errors import BrokerUnavailable
from broker_api.backoff import Backoff
from broker_api.health import StreamHealth
from broker_api.oanda.codec import Fields
from broker_api.oanda.log import TransactionLog
from broker_api.oanda.rest import account_path
from broker_api.oanda.stream_watch import StreamWatch
from broker_api.oanda.transport import Transport

_LONGEST_PAUSE_S: Final = 30.0  # between attempts to open the stream; the log is asked meanwhile
_POLL_S: Final = 1.0


class TransactionFeed:
    """Hands on every transaction once, in order, whatever the stream loses, repeats or mixes up.

    The stream begins with the present and repeats nothing. So the log is asked for what came before whenever a stream
    was opened, an id is missing, or a heartbeat names an id that did not come. While no stream can be had the log is
    asked each second: the account goes on.

    Parameters
    ----------
    transport : Transport
        Of the gateway.
    log : TransactionLog
        Of the account.
    settings : OandaSettings
        Name the account.
    silence_s : callable
        Returns how long the stream may be silent now, seconds.
    clock : Clock
        The host's.

    Attributes
    ----------
    told : int
        Every transaction up to this id was handed on, or is known from elsewhere.
    counters : Counter of str
        ``lines heartbeats duplicates gaps unreadable``.
    skew_s : float or None
        The broker's clock minus the host's, by the newest heartbeat.
    """

    def __init__(
        self,
        transport: Transport,
        log: TransactionLog,
        settings: OandaSettings,
        silence_s: Callable[[], float],
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._log = log
        self._path = account_path(settings.account_id) + "/transactions/stream"
        self._silence_s = silence_s
        self._clock = clock
        self._watch = StreamWatch("transactions", BrokerUnavailable, clock)
        self._skew_at_s = 0.0
        self.told = 0
        self.skew_s: float | None = None
        self.counters: Counter[str] = Counter()

    async def batches(self) -> AsyncIterator[list[Fields]]:
        """Yield transactions as they happen.

        Raises
        ------
        Retryable
            Neither stream nor log answers.
        StoreError
            The broker no longer has what is missing.
        ConfigError
            It does not let us in any more.
        """
        backoff = Backoff(random.Random(), longest_s=_LONGEST_PAUSE_S)
        while True:
            try:
                async for batch in self._stream(backoff):
                    yield batch
            except BrokerUnavailable:
                self._watch.connected = False
            async for batch in self._poll(backoff.pause_s()):
                yield batch

    def health(self) -> StreamHealth:
        """Return how the stream does."""
        return self._watch.health()

    @property
    def skew_age_s(self) -> float | None:
        """Seconds since `skew_s` was measured."""
        return None if self.skew_s is None else self._clock.monotonic_s() - self._skew_at_s

    async def _stream(self, backoff: Backoff) -> AsyncIterator[list[Fields]]:
        async with self._transport.stream(self._path, silence_s=self._silence_s) as opened:
            stream = self._watch.admitted(opened)
            self._watch.connected = True
            self._watch.heard()
            async for batch in self._missing():
                yield batch
            async for lines in stream:
                self._watch.heard()
                backoff.succeeded()
                for line in lines:
                    async for batch in self._take(line):
                        yield batch

    async def _poll(self, for_s: float) -> AsyncIterator[list[Fields]]:
        """Ask each second, for a while."""
        until_s = self._clock.monotonic_s() + for_s
        while (left_s := until_s - self._clock.monotonic_s()) > 0:
            async for batch in self._missing():
                yield batch
            await asyncio.sleep(min(_POLL_S, left_s))

    async def _take(self, line: bytes) -> AsyncIterator[list[Fields]]:
        self.counters["lines"] += 1
        item = _read(line)
        if item is None:
            self.counters["unreadable"] += 1  # should it have been a transaction, the next heartbeat tells
            return
        if item.text("type") == "HEARTBEAT":
            self.counters["heartbeats"] += 1
            self._measure(item)
            if item.number("lastTransactionID") > self.told:
                async for batch in self._missing():
                    yield batch
            return
        number = item.number("id")
        if number == self.told + 1:
            self.told = number
            yield [item]
        elif number > self.told:
            self.counters["gaps"] += 1
            async for batch in self._missing(number):
                yield batch
        else:
            self.counters["duplicates"] += 1

    async def _missing(self, up_to: int = 0) -> AsyncIterator[list[Fields]]:
        async for page in self._log.pages_up_to(self.told, up_to):
            fresh = [item for item in page if item.number("id") > self.told]
            if fresh:
                self.told = fresh[-1].number("id")
                yield fresh

    def _measure(self, heartbeat: Fields) -> None:
        told_ns = heartbeat.time_ns("time")
        if told_ns:
            self.skew_s = (told_ns - self._clock.now_ns()) / NS_PER_S
            self._skew_at_s = self._clock.monotonic_s()


def _read(line: bytes) -> Fields | None:
    try:
        item = Fields(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return item if item.text("type") == "HEARTBEAT" or item.number("id") else None
